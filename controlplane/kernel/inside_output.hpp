// Sends IPv6 packets of others out of an inside twin, so that the kernel finds the neighbour and keeps them until it answers.
#pragma once

#include "common/bytes.hpp"

#include <string>

namespace nave::kernel {

/// Control thread only. Unlike what is written to a tunnel's twin it does not depend on net.ipv6.conf.all.forwarding, which is the machine's.
class InsideOutput {
public:
    /// A kernel without IPv6 is no error: send() then does nothing.
    InsideOutput();
    InsideOutput(InsideOutput&& other) noexcept;
    InsideOutput& operator=(InsideOutput&&) = delete;
    ~InsideOutput();

    /// Sends a whole IPv6 packet, one hop spent (RFC 8200 §3), by the routes that lead out of that interface. False when it did not go.
    bool send(ByteView packet, const std::string& twin);

private:
    int descriptor_;
};

}  // namespace nave::kernel
