// Opening, and appending whole lines.
#include "controlplane/runtime/key_log_files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace nave::runtime {
namespace {

constexpr std::array kNames{"ikev2_decryption_table", "esp_sa"};

/// Keys must not land in a file that somebody else made, or may read.
std::string complaint(int descriptor) {
    struct stat status{};
    if (fstat(descriptor, &status) != 0) return std::strerror(errno);
    if (!S_ISREG(status.st_mode)) return "it is not a regular file";
    if (status.st_uid != geteuid()) return "it belongs to another user";
    if ((status.st_mode & 077u) != 0) return fmt::format("others than its owner may use it (mode {:04o}); chmod 600 it", status.st_mode & 07777u);
    return {};
}

}  // namespace

std::expected<KeyLogFiles, std::string> KeyLogFiles::open(const std::string& folder) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return std::unexpected{fmt::format("control.key_log: cannot make {}: {}", folder, std::strerror(errno))};
    KeyLogFiles files;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        const std::string path = fmt::format("{}/{}", folder, kNames[i]);
        files.descriptors_[i] = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
        const std::string wrong = files.descriptors_[i] < 0 ? std::strerror(errno) : complaint(files.descriptors_[i]);
        if (!wrong.empty()) return std::unexpected{fmt::format("control.key_log: cannot write {}: {}", path, wrong)};
    }
    return files;
}

KeyLogFiles::~KeyLogFiles() {
    for (const int descriptor : descriptors_)
        if (descriptor >= 0) close(descriptor);
}

bool KeyLogFiles::append(const ike::KeyLog& keys) {
    const ByteView line = keys.line.view();
    char end = '\n';
    // One call, so that gateways which share a folder do not mix their lines.
    const std::array parts{iovec{const_cast<std::uint8_t*>(line.data()), line.size()}, iovec{&end, 1}};
    const ssize_t written = writev(descriptors_[static_cast<std::size_t>(keys.table)], parts.data(), static_cast<int>(parts.size()));
    return written == static_cast<ssize_t>(line.size() + 1);
}

}  // namespace nave::runtime
