// Writing and reading test packets.
#include "tests/rig/throughput/test_packet.hpp"

#include "common/checksum.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace nave::rig::throughput {

namespace {

constexpr std::uint32_t kMagic = 0x9a7e'be4c;
constexpr std::uint8_t kTimeToLive = 64;

struct Payload {
    be32 magic;
    be16 trial, stream;
    be32 sequence;
    be16 sent_at_high;
    be32 sent_at_low;
};
static_assert(sizeof(Payload) == sizeof(Signature) && alignof(Payload) == 1);

struct Head {
    EthernetHeader ethernet;
    Ipv4Header ip;
    UdpHeader udp;
};
static_assert(sizeof(Head) == sizeof(FrameHead) && alignof(Head) == 1);

template <class Header>
Header header_at(ByteView frame, std::size_t offset) {
    Header header;
    std::memcpy(&header, frame.data() + offset, sizeof header);
    return header;
}

}  // namespace

FrameHead encode_head(const Flow& flow, std::size_t frame_size) {
    Head head{};
    head.ethernet = {flow.destination_mac, flow.source_mac, be16(kEtherTypeIpv4)};
    const auto ip_bytes = static_cast<std::uint16_t>(buffer_bytes(frame_size) - sizeof(EthernetHeader));
    head.ip.version_and_length = 0x45;
    head.ip.total_length = be16(ip_bytes);
    head.ip.fragment = be16(Ipv4Header::kDontFragment);
    head.ip.time_to_live = kTimeToLive;
    head.ip.protocol = kProtocolUdp;
    head.ip.source = be32(flow.source);
    head.ip.destination = be32(flow.destination);
    head.ip.checksum = be16(internet_checksum({reinterpret_cast<const std::uint8_t*>(&head.ip), sizeof head.ip}));
    head.udp = {be16(flow.source_port), be16(flow.destination_port), be16(static_cast<std::uint16_t>(ip_bytes - sizeof(Ipv4Header))), be16()};
    return std::bit_cast<FrameHead>(head);
}

Signature encode(const TestPacket& packet) {
    const Payload payload{be32(kMagic),
                          be16(packet.trial),
                          be16(packet.stream),
                          be32(packet.sequence),
                          be16(static_cast<std::uint16_t>(packet.sent_at >> 32)),
                          be32(static_cast<std::uint32_t>(packet.sent_at))};
    return std::bit_cast<Signature>(payload);
}

std::optional<TestPacket> decode(ByteView frame, std::size_t frame_size) {
    // A device may hand up the padding or the frame check sequence of a frame behind it.
    if (frame.size() < buffer_bytes(frame_size)) return std::nullopt;
    const auto head = header_at<Head>(frame, 0);
    if (head.ethernet.type.host() != kEtherTypeIpv4 || head.ip.version_and_length != 0x45 || head.ip.protocol != kProtocolUdp) return std::nullopt;
    if (head.ip.is_fragment() || head.ip.total_length.host() != buffer_bytes(frame_size) - sizeof(EthernetHeader)) return std::nullopt;
    const auto payload = header_at<Payload>(frame, sizeof head);
    if (payload.magic.host() != kMagic) return std::nullopt;
    return TestPacket{.trial = payload.trial.host(),
                      .stream = payload.stream.host(),
                      .sequence = payload.sequence.host(),
                      .sent_at = std::uint64_t{payload.sent_at_high.host()} << 32 | payload.sent_at_low.host()};
}

std::optional<std::uint16_t> fragmentation_needed(ByteView frame) {
    constexpr std::uint8_t kUnreachable = 3, kFragmentationNeeded = 4;
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(IcmpHeader)) return std::nullopt;
    const auto ip = header_at<Ipv4Header>(frame, sizeof(EthernetHeader));
    if (header_at<EthernetHeader>(frame, 0).type.host() != kEtherTypeIpv4 || ip.version_and_length != 0x45 || ip.protocol != kProtocolIcmp) return std::nullopt;
    const auto icmp = header_at<IcmpHeader>(frame, sizeof(EthernetHeader) + sizeof(Ipv4Header));
    if (icmp.type != kUnreachable || icmp.code != kFragmentationNeeded) return std::nullopt;
    return icmp.next_hop_mtu.host();
}

}  // namespace nave::rig::throughput
