// The listener and its clients behind one epoll descriptor, which nests in the caller's loop.
#include "controlplane/management/server.hpp"

#include "controlplane/management/connection.hpp"
#include "controlplane/management/listener.hpp"
#include "controlplane/management/requests.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace nave::management {
namespace {

constexpr int kAcceptsPerTurn = 16;
constexpr int kEventsPerTurn = 64;

int open_spare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

struct Server::Impl {
    Listener listener;
    Handler handler;
    int epoll = -1;
    int spare = -1;  // given up for a moment when descriptors run out, so that a waiting client can be turned away
    std::map<int, std::unique_ptr<Connection>> connections;

    Impl(Listener listening, Handler handles) : listener{std::move(listening)}, handler{std::move(handles)} {}
    ~Impl() {
        connections.clear();
        if (spare >= 0) close(spare);
        if (epoll >= 0) close(epoll);
    }

    bool watch(int operation, int descriptor, bool for_writing) {
        epoll_event event{};
        event.events = for_writing ? EPOLLOUT : EPOLLIN;
        event.data.fd = descriptor;
        return epoll_ctl(epoll, operation, descriptor, &event) == 0;
    }

    void accept_waiting() {
        for (int i = 0; i < kAcceptsPerTurn; ++i) {
            const int client = accept4(listener.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (client >= 0) welcome(client);
            else if (errno == EMFILE || errno == ENFILE) return turn_one_away();
            else if (errno != EINTR && errno != ECONNABORTED) return;
        }
    }

    void welcome(int client) {
        if (connections.size() >= kClientsMax) {
            const std::string line = refusal(fmt::format("{} clients are connected already, no more are served", kClientsMax)) + "\n";
            send(client, line.data(), line.size(), MSG_NOSIGNAL);
            close(client);
            return;
        }
        auto connection = std::make_unique<Connection>(client);
        if (watch(EPOLL_CTL_ADD, client, false)) connections.emplace(client, std::move(connection));
    }

    /// Otherwise the listener would stay readable, and the loop would spin.
    void turn_one_away() {
        if (spare >= 0) close(spare);
        const int client = accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
        if (client >= 0) close(client);
        spare = open_spare();
    }

    void serve(int descriptor, std::uint32_t events) {
        const auto found = connections.find(descriptor);
        if (found == connections.end()) return;
        Connection& connection = *found->second;
        const bool wanted_to_write = connection.wants_to_write();
        const bool goes_on = wanted_to_write ? connection.on_writable(handler) : connection.on_readable(handler);
        const bool broken = (events & EPOLLERR) != 0;
        if (!goes_on || broken || (connection.wants_to_write() != wanted_to_write && !watch(EPOLL_CTL_MOD, descriptor, !wanted_to_write))) {
            connections.erase(found);  // closing takes it out of the epoll set
        }
    }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

Server::~Server() = default;

std::expected<std::unique_ptr<Server>, std::string> Server::listen(const std::string& path, Handler handler) {
    auto listener = Listener::open(path);
    if (!listener) return std::unexpected{listener.error()};
    auto impl = std::make_unique<Impl>(std::move(*listener), std::move(handler));
    impl->epoll = epoll_create1(EPOLL_CLOEXEC);
    impl->spare = open_spare();
    if (impl->epoll < 0 || !impl->watch(EPOLL_CTL_ADD, impl->listener.descriptor(), false)) {
        return std::unexpected{fmt::format("cannot watch the management socket {}: {}", path, std::strerror(errno))};
    }
    return std::make_unique<Server>(std::move(impl));
}

int Server::descriptor() const { return impl_->epoll; }

std::size_t Server::client_count() const { return impl_->connections.size(); }

void Server::on_readable() {
    std::array<epoll_event, kEventsPerTurn> events;
    const int count = epoll_wait(impl_->epoll, events.data(), kEventsPerTurn, 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == impl_->listener.descriptor()) impl_->accept_waiting();
        else impl_->serve(event.data.fd, event.events);
    }
}

}  // namespace nave::management
