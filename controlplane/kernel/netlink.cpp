// Netlink sockets by libmnl.
#include "controlplane/kernel/netlink.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace nave::kernel {

namespace {

struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, Close>;

constexpr std::array kGroups{RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP,
                             RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE};
constexpr int kEventBufferBytes = 16 << 20;  // a routing daemon's full load of routes comes in one go
constexpr int kReadsMax = 4096;              // of one call, so that the loop's other work is not starved
constexpr int kDrainMax = 1 << 20;           // messages that wait behind an overflow are far fewer

KernelError last_error() { return {errno}; }

/// Hands each netlink message of a datagram to `each`.
template <class Each>
void for_each_message(ByteView datagram, Each&& each) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    int rest = static_cast<int>(datagram.size());
    while (mnl_nlmsg_ok(message, rest)) {
        const auto length = std::min<std::size_t>(MNL_ALIGN(message->nlmsg_len), static_cast<std::size_t>(rest));
        each(message, ByteView{reinterpret_cast<const std::uint8_t*>(message), length});
        message = mnl_nlmsg_next(message, &rest);
    }
}

}  // namespace

std::string KernelError::text() const { return std::strerror(code); }

struct Netlink::Sockets {
    Socket requests, events;
    std::uint32_t sequence = 0;
    alignas(nlmsghdr) std::array<std::uint8_t, 64 * 1024> room;

    std::expected<void, KernelError> send(Request request) {
        reinterpret_cast<nlmsghdr*>(request.data())->nlmsg_seq = ++sequence;
        if (mnl_socket_sendto(requests.get(), request.data(), request.size()) < 0) return std::unexpected{last_error()};
        return {};
    }

    /// Reads answers to the request sent last until its acknowledgement or the end of its dump.
    std::expected<std::vector<Object>, KernelError> answers() {
        std::vector<Object> objects;
        std::optional<int> outcome;
        while (!outcome) {
            const auto size = mnl_socket_recvfrom(requests.get(), room.data(), room.size());
            if (size < 0 && errno == EINTR) continue;
            if (size < 0) return std::unexpected{last_error()};
            for_each_message({room.data(), static_cast<std::size_t>(size)}, [&](const nlmsghdr* message, ByteView bytes) {
                if (message->nlmsg_seq != sequence) return;
                if (message->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(message) >= sizeof(nlmsgerr)) {
                    outcome = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
                } else if (message->nlmsg_type == NLMSG_DONE) {
                    outcome = 0;
                } else if (auto change = decode_message(bytes)) {
                    objects.push_back(std::move(change->object));
                }
            });
        }
        if (*outcome != 0) return std::unexpected{KernelError{*outcome}};
        return objects;
    }
};

Netlink::Netlink(std::unique_ptr<Sockets> sockets) : sockets_{std::move(sockets)} {}
Netlink::Netlink(Netlink&&) noexcept = default;
Netlink::~Netlink() = default;

std::expected<Netlink, KernelError> Netlink::open() {
    auto sockets = std::make_unique<Sockets>();
    sockets->requests.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    sockets->events.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!sockets->requests || !sockets->events) return std::unexpected{last_error()};
    if (mnl_socket_bind(sockets->requests.get(), 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected{last_error()};
    if (mnl_socket_bind(sockets->events.get(), 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected{last_error()};
    const int events = mnl_socket_get_fd(sockets->events.get());
    // Without privilege over the machine's limits the smaller buffer serves too: an overflow only costs a new dump.
    if (setsockopt(events, SOL_SOCKET, SO_RCVBUFFORCE, &kEventBufferBytes, sizeof kEventBufferBytes) < 0) {
        setsockopt(events, SOL_SOCKET, SO_RCVBUF, &kEventBufferBytes, sizeof kEventBufferBytes);
    }
    for (int group : kGroups) {
        if (mnl_socket_setsockopt(sockets->events.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) return std::unexpected{last_error()};
    }
    return Netlink{std::move(sockets)};
}

std::expected<void, KernelError> Netlink::request(const Request& request) {
    if (auto sent = sockets_->send(request); !sent) return sent;
    if (auto answered = sockets_->answers(); !answered) return std::unexpected{answered.error()};
    return {};
}

std::expected<std::vector<Object>, KernelError> Netlink::dump(Kind kind) {
    if (auto sent = sockets_->send(kernel::dump(kind)); !sent) return std::unexpected{sent.error()};
    return sockets_->answers();
}

int Netlink::descriptor() const { return mnl_socket_get_fd(sockets_->events.get()); }

Netlink::Changes Netlink::read_changes() {
    Changes result;
    // After an overflow the kernel drops everything without a word until the socket is empty, so a dump before that would miss what follows it.
    for (int i = 0; i < (result.lost ? kDrainMax : kReadsMax); ++i) {
        const auto size = mnl_socket_recvfrom(sockets_->events.get(), sockets_->room.data(), sockets_->room.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            if (errno != ENOBUFS) break;
            result.lost = true;
            continue;
        }
        if (result.lost) continue;  // the dump tells it
        for_each_message({sockets_->room.data(), static_cast<std::size_t>(size)}, [&](const nlmsghdr*, ByteView bytes) {
            if (auto change = decode_message(bytes)) result.changes.push_back(std::move(*change));
        });
    }
    return result;
}

}  // namespace nave::kernel
