// Stale, foreign and busy paths, each told apart.
#include "controlplane/management/listener.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace nave::management {
namespace {

constexpr int kBacklog = 64;

std::unexpected<std::string> failure(const std::string& path, std::string_view what) {
    return std::unexpected{fmt::format("cannot make the management socket {}: {}", path, what)};
}

std::unexpected<std::string> failure(const std::string& path, int reason) {
    const bool forbidden = reason == EACCES || reason == EPERM;
    return failure(path, fmt::format("{}{}", std::strerror(reason), forbidden ? "; run it as root, or set control.socket to a place where this user may write" : ""));
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// True if a process accepts connections there. A full backlog (EAGAIN) counts, too.
bool somebody_listens(const sockaddr_un& address) {
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return true;  // we cannot know, so we take nothing away
    const bool connected = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const int reason = errno;
    close(probe);
    return connected || reason != ECONNREFUSED;
}

/// Makes the path free to bind; says why if it is not ours to free.
std::string clear_path(const std::string& path, const sockaddr_un& address) {
    struct stat status{};
    if (lstat(path.c_str(), &status) != 0) return errno == ENOENT ? "" : std::strerror(errno);
    if (!S_ISSOCK(status.st_mode)) return "there is a file of that name that is no socket; move it away or change control.socket";
    if (somebody_listens(address)) return "another naved listens there; stop it, or give this one another name or control.socket";
    return unlink(path.c_str()) == 0 ? "" : std::strerror(errno);
}

}  // namespace

std::expected<Listener, std::string> Listener::open(const std::string& path) {
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path))
        return failure(path, fmt::format("its path must have 1 to {} characters", sizeof(sockaddr_un::sun_path) - 1));
    std::error_code error;
    const auto folder = std::filesystem::path{path}.parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) return failure(path, fmt::format("its folder cannot be made: {}", error.message()));
    const sockaddr_un address = address_of(path);
    if (const std::string obstacle = clear_path(path, address); !obstacle.empty()) return failure(path, obstacle);
    Listener listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), path};
    if (listener.descriptor_ < 0) return failure(path, errno);
    // Before bind, so that the socket never exists with a wider mode; Linux takes the mode over.
    if (fchmod(listener.descriptor_, 0600) != 0) return failure(path, errno);
    if (bind(listener.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failure(path, errno);
    struct stat status{};
    if (lstat(path.c_str(), &status) == 0) listener.device_ = status.st_dev, listener.inode_ = status.st_ino;
    if (listen(listener.descriptor_, kBacklog) != 0) return failure(path, errno);
    return listener;
}

Listener::Listener(int descriptor, std::string path) : descriptor_{descriptor}, path_{std::move(path)} {}

Listener::Listener(Listener&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)}, path_{std::move(other.path_)}, device_{other.device_}, inode_{other.inode_} {}

Listener::~Listener() {
    if (descriptor_ < 0) return;
    struct stat status{};
    const bool ours = inode_ != 0 && lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
    if (ours) unlink(path_.c_str());
    close(descriptor_);
}

}  // namespace nave::management
