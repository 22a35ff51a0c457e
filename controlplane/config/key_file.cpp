// Reading a pre-shared key from a file of its own.
#include "controlplane/config/config.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nave::config {
namespace {

constexpr std::size_t kBytesMax = 4096;

std::unexpected<std::string> failure(std::string text) { return std::unexpected{std::move(text)}; }

std::expected<Secret, std::string> read_open_file(int descriptor) {
    struct stat status{};
    if (fstat(descriptor, &status) != 0) return failure(std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return failure("it is not a regular file");
    const unsigned mode = status.st_mode & 07777u;
    if ((mode & 077u) != 0) return failure(fmt::format("others than its owner may use it (mode {:04o}); chmod 600 it", mode));
    if (status.st_uid != geteuid() && status.st_uid != 0) return failure(fmt::format("it belongs to user {}, not to us or root", status.st_uid));
    Secret content{kBytesMax + 1};
    std::size_t size = 0;
    while (size <= kBytesMax) {
        const ssize_t count = read(descriptor, content.writable().data() + size, kBytesMax + 1 - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failure(std::strerror(errno));
        if (count == 0) break;
        size += static_cast<std::size_t>(count);
    }
    if (size > kBytesMax) return failure(fmt::format("it is longer than {} bytes", kBytesMax));
    const auto bytes = content.view();
    if (size > 0 && bytes[size - 1] == '\n') --size;
    if (size > 0 && bytes[size - 1] == '\r') --size;
    return Secret{bytes.first(size)};
}

}  // namespace

std::expected<Secret, std::string> read_key_file(const std::string& path) {
    // Not blocking: the path may lead to a FIFO that nobody writes.
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return failure(std::strerror(errno));
    auto key = read_open_file(descriptor);
    close(descriptor);
    return key;
}

}  // namespace nave::config
