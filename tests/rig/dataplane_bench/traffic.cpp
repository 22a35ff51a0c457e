// Frames from a template; only headers and the packet's number differ.
#include "tests/rig/dataplane_bench/traffic.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "tests/rig/dataplane_bench/address_plan.hpp"

#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <rte_mbuf.h>

namespace nave::rig {

namespace {

constexpr std::size_t kHeaders = sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(UdpHeader);
constexpr std::uint8_t kTimeToLive = 64;
constexpr std::size_t kZipfLength = 1u << 18;

std::vector<std::uint32_t> all_peers(std::uint32_t peers) {
    std::vector<std::uint32_t> order(peers);
    std::iota(order.begin(), order.end(), 0u);
    return order;
}

std::vector<std::uint32_t> shuffled_peers(std::uint32_t peers) {
    auto order = all_peers(peers);
    std::shuffle(order.begin(), order.end(), std::mt19937_64{2});
    return order;
}

/// Peers in the order of a Zipf law with exponent 1. Ranks are given to peers at random, so that heavy ones are no neighbours in memory.
std::vector<std::uint32_t> zipf_order(std::uint32_t peers) {
    std::mt19937_64 random{1};
    const auto by_rank = shuffled_peers(peers);
    std::vector<double> cumulative(peers);
    double sum = 0;
    for (std::uint32_t rank = 0; rank < peers; ++rank) cumulative[rank] = sum += 1.0 / (rank + 1.0);
    std::uniform_real_distribution<double> uniform{0, sum};
    std::vector<std::uint32_t> order(kZipfLength);
    for (auto& peer : order) {
        const auto rank = std::lower_bound(cumulative.begin(), cumulative.end(), uniform(random)) - cumulative.begin();
        peer = by_rank[std::min(static_cast<std::size_t>(rank), by_rank.size() - 1)];
    }
    return order;
}

}  // namespace

std::optional<SizeMix> SizeMix::parse(std::string_view text) {
    if (text == "imix") return SizeMix{"imix", {64, 576, 64, 64, 576, 64, 64, 576, 64, 1400, 64, 576}};
    std::uint16_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc{} || end != text.data() + text.size() || size < FrameWriter::kSizeMin || size > FrameWriter::kSizeMax) return std::nullopt;
    return SizeMix{std::string{text}, {size}};
}

PeerOrder::PeerOrder(const WorldShape& world, Distribution distribution, std::uint32_t worker) {
    switch (distribution) {
    case Distribution::round_robin: order_ = all_peers(world.peers); break;
    case Distribution::shuffled: order_ = shuffled_peers(world.peers); break;
    case Distribution::zipf: order_ = zipf_order(world.peers); break;
    }
    std::erase_if(order_, [&](std::uint32_t peer) { return arrival_of(peer, world.workers, world.arrival) != worker; });
}

FrameWriter::FrameWriter() : template_(kHeaders + kSizeMax), expected_(kHeaders + kSizeMax) {
    for (std::size_t i = kHeaders; i < template_.size(); ++i) template_[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    const EthernetHeader ethernet{kInsideMac, kHostMac, be16(kEtherTypeIpv4)};
    std::memcpy(template_.data(), &ethernet, sizeof ethernet);
}

void FrameWriter::fill_headers(std::uint8_t* frame, const InnerPacket& packet, std::uint8_t time_to_live) const {
    Ipv4Header ip{};
    ip.version_and_length = 0x45;
    ip.total_length = be16(packet.size);
    ip.time_to_live = time_to_live;
    ip.protocol = kProtocolUdp;
    ip.source = be32(packet.source);
    ip.destination = be32(packet.destination);
    ip.checksum = be16(internet_checksum({reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip}));
    const UdpHeader udp{be16(std::uint16_t{4000}), be16(std::uint16_t{4001}), be16(static_cast<std::uint16_t>(packet.size - sizeof ip)), be16(std::uint16_t{0})};
    std::memcpy(frame + sizeof(EthernetHeader), &ip, sizeof ip);
    std::memcpy(frame + sizeof(EthernetHeader) + sizeof ip, &udp, sizeof udp);
    std::memcpy(frame + kHeaders, &packet.number, sizeof packet.number);
}

void FrameWriter::write(rte_mbuf& buffer, const InnerPacket& packet) {
    const std::size_t length = sizeof(EthernetHeader) + packet.size;
    auto* frame = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(&buffer, static_cast<std::uint16_t>(length)));
    std::memcpy(frame, template_.data(), length);
    fill_headers(frame, packet, kTimeToLive);
}

bool FrameWriter::verify(const rte_mbuf& buffer, const InnerPacket& packet, unsigned hops) {
    const std::size_t length = sizeof(EthernetHeader) + packet.size;
    if (buffer.data_len != length || buffer.pkt_len != length) return false;
    std::memcpy(expected_.data(), template_.data(), length);
    fill_headers(expected_.data(), packet, static_cast<std::uint8_t>(kTimeToLive - hops));
    const auto* ip = rte_pktmbuf_mtod_offset(&buffer, const std::uint8_t*, sizeof(EthernetHeader));
    return std::memcmp(ip, expected_.data() + sizeof(EthernetHeader), packet.size) == 0;
}

}  // namespace nave::rig
