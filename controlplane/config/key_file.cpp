// Reading keys and certificates from files of their own.
#include "controlplane/config/config.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nave::config {
namespace {

constexpr std::size_t kKeyBytesMax = 16384, kPublicBytesMax = 1 << 20;

std::unexpected<std::string> failure(std::string text) { return std::unexpected{std::move(text)}; }

/// A file that was opened; closes it.
struct OpenFile {
    explicit OpenFile(const std::string& path) : descriptor{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)} {}  // not blocking: it may be a FIFO that nobody writes
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() {
        if (descriptor >= 0) close(descriptor);
    }
    const int descriptor;
};

std::expected<struct stat, std::string> status_of(const OpenFile& file) {
    struct stat status{};
    if (file.descriptor < 0 || fstat(file.descriptor, &status) != 0) return failure(std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return failure("it is not a regular file");
    return status;
}

/// Fills `out`, which has room for one byte more than there may be; gives how many came.
std::expected<std::size_t, std::string> read_into(const OpenFile& file, std::span<std::uint8_t> out) {
    std::size_t size = 0;
    while (size < out.size()) {
        const ssize_t count = read(file.descriptor, out.data() + size, out.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failure(std::strerror(errno));
        if (count == 0) return size;
        size += static_cast<std::size_t>(count);
    }
    return failure(fmt::format("it is longer than {} bytes", out.size() - 1));
}

}  // namespace

std::expected<Secret, std::string> read_key_file(const std::string& path) {
    const OpenFile file{path};
    const auto status = status_of(file);
    if (!status) return failure(status.error());
    const unsigned mode = status->st_mode & 07777u;
    if ((mode & 077u) != 0) return failure(fmt::format("others than its owner may use it (mode {:04o}); chmod 600 it", mode));
    if (status->st_uid != geteuid() && status->st_uid != 0) return failure(fmt::format("it belongs to user {}, not to us or root", status->st_uid));
    Secret content{kKeyBytesMax + 1};
    const auto read_bytes = read_into(file, content.writable());
    if (!read_bytes) return failure(read_bytes.error());
    std::size_t size = *read_bytes;
    const auto bytes = content.view();
    if (size > 0 && bytes[size - 1] == '\n') --size;
    if (size > 0 && bytes[size - 1] == '\r') --size;
    return Secret{bytes.first(size)};
}

std::expected<Bytes, std::string> read_public_file(const std::string& path) {
    const OpenFile file{path};
    if (const auto status = status_of(file); !status) return failure(status.error());
    Bytes content(kPublicBytesMax + 1);
    const auto size = read_into(file, content);
    if (!size) return failure(size.error());
    content.resize(*size);
    return content;
}

}  // namespace nave::config
