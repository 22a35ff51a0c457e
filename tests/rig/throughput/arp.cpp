// Writing and reading ARP.
#include "tests/rig/throughput/arp.hpp"

#include <algorithm>
#include <cstring>

namespace nave::rig::throughput {

namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct ArpHeader {  // RFC 826, "Packet format"
    be16 hardware, protocol;
    std::uint8_t hardware_bytes, protocol_bytes;
    be16 operation;
    MacAddress sender_mac;
    be32 sender;
    MacAddress target_mac;
    be32 target;
};
static_assert(sizeof(ArpHeader) == 28 && alignof(ArpHeader) == 1);

struct Frame {
    EthernetHeader ethernet;
    ArpHeader arp;
};
static_assert(sizeof(Frame) <= sizeof(ArpFrame));

}  // namespace

ArpFrame encode(const ArpMessage& message) {
    const bool request = message.operation == ArpMessage::Operation::request;
    const Frame frame{.ethernet = {request ? kBroadcast : message.target_mac, message.sender_mac, be16(kEtherTypeArp)},
                      .arp = {.hardware = be16(kHardwareEthernet),
                              .protocol = be16(kEtherTypeIpv4),
                              .hardware_bytes = 6,
                              .protocol_bytes = 4,
                              .operation = be16(static_cast<std::uint16_t>(message.operation)),
                              .sender_mac = message.sender_mac,
                              .sender = be32(message.sender),
                              .target_mac = message.target_mac,
                              .target = be32(message.target)}};
    ArpFrame bytes{};
    std::memcpy(bytes.data(), &frame, sizeof frame);
    return bytes;
}

std::optional<ArpMessage> decode_arp(ByteView bytes) {
    Frame frame;
    if (bytes.size() < sizeof frame) return std::nullopt;
    std::memcpy(&frame, bytes.data(), sizeof frame);
    const auto& arp = frame.arp;
    if (frame.ethernet.type.host() != kEtherTypeArp || arp.hardware.host() != kHardwareEthernet || arp.protocol.host() != kEtherTypeIpv4) return std::nullopt;
    if (arp.hardware_bytes != 6 || arp.protocol_bytes != 4 || arp.operation.host() < 1 || arp.operation.host() > 2) return std::nullopt;
    return ArpMessage{static_cast<ArpMessage::Operation>(arp.operation.host()), arp.sender_mac, arp.sender.host(), arp.target_mac, arp.target.host()};
}

ArpMessage reply_to(const ArpMessage& request, const MacAddress& mac) {
    return {.operation = ArpMessage::Operation::reply, .sender_mac = mac, .sender = request.target, .target_mac = request.sender_mac, .target = request.sender};
}

}  // namespace nave::rig::throughput
