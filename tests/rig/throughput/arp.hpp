// ARP for Ethernet and IPv4 (RFC 826): how the rig finds its gateways and is found by them. Pure.
#pragma once

#include "common/bytes.hpp"
#include "common/headers.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace nave::rig::throughput {

struct ArpMessage {
    enum class Operation : std::uint16_t { request = 1, reply = 2 };

    Operation operation = Operation::request;
    MacAddress sender_mac;
    std::uint32_t sender = 0;  // IPv4, host order
    MacAddress target_mac;     // not known in a request
    std::uint32_t target = 0;

    bool operator==(const ArpMessage&) const = default;
};

/// A whole frame of the smallest size; a request goes to everybody, a reply to its target.
using ArpFrame = std::array<std::uint8_t, 60>;
ArpFrame encode(const ArpMessage& message);
/// Nothing when the frame is not ARP for IPv4 over Ethernet, or is neither request nor reply.
std::optional<ArpMessage> decode_arp(ByteView frame);

/// The reply of the host with this MAC address to a request for one of its addresses.
ArpMessage reply_to(const ArpMessage& request, const MacAddress& mac);

}  // namespace nave::rig::throughput
