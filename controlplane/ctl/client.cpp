// Connecting, and explaining why that did not work.
#include "controlplane/ctl/client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace nave::ctl {
namespace {

constexpr std::size_t kAnswerBytesMax = 128 * 1024 * 1024;

/// Closes at the end of its scope.
struct Socket {
    int descriptor;
    explicit Socket(int opened) : descriptor{opened} {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (descriptor >= 0) close(descriptor);
    }
};

std::unexpected<std::string> failure(std::string text) { return std::unexpected{std::move(text)}; }

/// The gateways that have their socket where this one was looked for.
std::string sockets_beside(const std::string& socket) {
    std::vector<std::string> names;
    const auto folder = std::filesystem::path{socket}.parent_path();
    std::error_code error;
    for (std::filesystem::directory_iterator entry{folder, error}, end; !error && entry != end; entry.increment(error)) {
        if (entry->is_socket(error)) names.push_back(entry->path().stem().string());
    }
    std::ranges::sort(names);
    if (names.empty()) return fmt::format("There is no socket in {}.", folder.string());
    return fmt::format("There are sockets in {} of: {} (--name {}).", folder.string(), fmt::join(names, ", "), names.front());
}

std::string explain(const std::string& socket, int reason) {
    const std::string what = fmt::format("cannot reach {}: {}", socket, std::strerror(reason));
    if (reason == ENOENT) return fmt::format("{}. Is naved running? {}", what, sockets_beside(socket));
    if (reason == ECONNREFUSED) return fmt::format("{}. The naved that made it is gone; start it again.", what);
    if (reason == EACCES || reason == EPERM) return what + ". Only the user that runs naved may; try sudo.";
    return what + ".";
}

void set_patience(int descriptor, std::chrono::milliseconds patience) {
    timeval limit{};
    limit.tv_sec = patience.count() / 1000;
    limit.tv_usec = patience.count() % 1000 * 1000;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool send_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::expected<std::string, std::string> read_line(int descriptor) {
    std::string line;
    std::array<char, 65536> chunk;
    while (line.size() <= kAnswerBytesMax) {
        const ssize_t count = recv(descriptor, chunk.data(), chunk.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return failure("naved does not answer; it may be very busy, or stopped.");
        if (count < 0) return failure(fmt::format("the connection broke: {}.", std::strerror(errno)));
        if (count == 0) return failure("naved closed the connection without an answer.");
        const std::string_view part{chunk.data(), static_cast<std::size_t>(count)};
        const auto end = part.find('\n');
        line += part.substr(0, end);
        if (end != std::string_view::npos) return line;
    }
    return failure("the answer is too long.");
}

}  // namespace

std::expected<std::string, std::string> ask(const std::string& socket_path, const std::string& request, std::chrono::milliseconds patience) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) return failure(fmt::format("\"{}\" is no path of a socket.", socket_path));
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    const Socket connection{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (connection.descriptor < 0) return failure(fmt::format("cannot make a socket: {}.", std::strerror(errno)));
    set_patience(connection.descriptor, patience);
    if (connect(connection.descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failure(explain(socket_path, errno));
    // A server that turns us away has answered before it reads, so a failed send is not yet the end.
    const bool sent = send_all(connection.descriptor, request + "\n");
    auto line = read_line(connection.descriptor);
    if (!line && !sent) return failure("naved closed the connection.");
    return line;
}

}  // namespace nave::ctl
