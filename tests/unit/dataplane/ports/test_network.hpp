// A network of one's own for tests that need kernel interfaces: a private network namespace with veth pairs.
#pragma once

#include "common/addresses.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nave::dataplane::test {

/// Moves the process into a network namespace of its own, once. False, with a message for the test's log, when it may not.
/// Call before EAL starts, so that its threads come along.
bool enter_private_network();

/// Runs `ip ARGUMENTS`; fails the test when it fails.
void ip(const std::string& arguments);

/// A pair of joined interfaces, removed at the end. `near` is for the port, `far` plays the network.
struct VethPair {
    VethPair(std::string near, std::string far);
    ~VethPair();
    std::string near, far;
};

/// Reads and writes whole frames on an interface, as a neighbour on the wire.
class Wire {
public:
    explicit Wire(const std::string& interface);
    ~Wire();
    void send(std::span<const std::uint8_t> frame);
    /// The next frame that arrives and starts with `prefix` bytes at `offset`; empty after `milliseconds` without one.
    std::vector<std::uint8_t> await(std::size_t offset, std::string_view prefix, int milliseconds);

private:
    int socket_;
};

MacAddress mac_of(const std::string& interface);
/// One line of a file, such as a kernel setting.
std::string line_of(const std::string& file);
/// A kernel setting of an interface: ipv4/conf/NAME/rp_filter is ("ipv4", NAME, "rp_filter").
std::string setting(std::string_view family, const std::string& interface, std::string_view key);
/// The value of an ethtool query such as ETHTOOL_GTSO.
std::uint32_t ethtool_value_of(const std::string& interface, std::uint32_t command);

}  // namespace nave::dataplane::test
