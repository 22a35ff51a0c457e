// The route netlink sockets of one network namespace: requests that are answered, dumps, and the stream of changes.
#pragma once

#include "controlplane/kernel/netlink_codec.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace nave::kernel {

/// An errno of the kernel or of a socket.
struct KernelError {
    int code = 0;
    std::string text() const;
};

/// Control thread only.
class Netlink {
public:
    /// Sockets in the network namespace of the calling thread, already listening for changes.
    static std::expected<Netlink, KernelError> open();
    Netlink(Netlink&&) noexcept;
    Netlink& operator=(Netlink&&) = delete;
    ~Netlink();

    /// Sends a request and waits for the kernel's answer, which never takes long.
    std::expected<void, KernelError> request(const Request& request);
    std::expected<std::vector<Object>, KernelError> dump(Kind kind);

    /// Readable when something changed.
    int descriptor() const;
    struct Changes {
        std::vector<ObjectChange> changes;  // in the kernel's order
        bool lost = false;                  // the socket overflowed: dump everything again
    };
    /// What changed since the last call, at most some thousand changes; never waits.
    Changes read_changes();

private:
    struct Sockets;
    explicit Netlink(std::unique_ptr<Sockets> sockets);
    std::unique_ptr<Sockets> sockets_;
};

}  // namespace nave::kernel
