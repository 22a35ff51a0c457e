// Fuzz target: NHRP packets through the codec and through a hub and a spoke that have state.
#include "common/checksum.hpp"
#include "controlplane/nhrp/group.hpp"
#include "controlplane/nhrp/node.hpp"
#include "controlplane/nhrp/packet.hpp"
#include "tests/fuzz/promise.hpp"

#include <algorithm>
#include <cstdint>

using namespace nave;
using namespace nave::nhrp;

namespace {

class Zeros : public Random {
public:
    void fill(std::span<std::uint8_t> bytes) override {
        for (auto& byte : bytes) byte = 0;  // request ids start at 0, so that the corpus' small ids match
    }
};

/// One LAN, one peer for everything else; everything is allowed.
class OnePeer : public Directory {
public:
    Route route(const IpAddress& destination) const override {
        const auto lan = *Prefix::parse(destination.is_v4() ? "172.16.11.0/24" : "fd00:16:11::/64");
        if (lan.contains(destination)) return LocalRoute{lan};
        return PeerRoute{PeerId{destination.bytes().back() % 2u}, TunnelAddress{destination}, Prefix::host(destination)};
    }
    Route way_to_ask(const IpAddress& destination) const override { return route(destination); }
    bool is_server(PeerId peer) const override { return peer == PeerId{0}; }
    bool is_station(PeerId, const IpAddress&) const override { return true; }
    std::optional<CieCode> refusal_behind_hub(PeerId, std::string_view, const Prefix&) const override { return std::nullopt; }
    std::optional<CieCode> registration_refusal(PeerId, const Prefix&) const override { return std::nullopt; }
    bool may_answer(PeerId, const Prefix&) const override { return true; }
    bool same_identity(PeerId a, PeerId b) const override { return a == b; }
    NbmaAddress local_nbma(PeerId) const override { return NbmaAddress{IpAddress::v4(0xc000020b)}; }
    NbmaAddress observed_nbma(PeerId) const override { return NbmaAddress{IpAddress::v4(0xc0000201)}; }
    bool is_behind_nat(PeerId) const override { return true; }
    std::optional<NbmaEndpoint> observed_behind_nat(PeerId peer) const override { return NbmaEndpoint{observed_nbma(peer), 4500}; }
};

void codec(ByteView bytes) {
    (void)outline(bytes);
    (void)inner_addresses(bytes);
    const auto packet = decode(bytes);
    if (!packet) return;
    must(group_of(*packet).size() <= 2 * kGroupMax);
    const Bytes encoded = encode(*packet);
    if (encoded.size() > kPacketBytesMax) return;
    const auto again = decode(encoded);
    must(again.has_value());
    if (!is_indication(packet->type)) must(*again == *packet);  // a quoted packet may be cut to an even length
}

/// A node of the IP version that the packet speaks of.
void node(ByteView bytes, bool server) {
    static Zeros random;
    static const OnePeer directory;
    Settings settings;
    settings.server = settings.redirect = settings.relay = server;
    settings.introductions = !server;
    const bool is_v6 = bytes[2] == 0x86;
    const auto own = is_v6 ? IpAddress::parse(server ? "fd00:255::1" : "fd00:255::11") : IpAddress::parse(server ? "10.255.0.1" : "10.255.0.11");
    Node node{settings, TunnelAddress{*own}, static_cast<std::uint8_t>(is_v6 ? 64 : 24), random, directory};
    Outbox out;
    const TimePoint start{std::chrono::hours{1}};
    node.peer_up(PeerId{0}, start, out);
    node.add_next_hop_server(NhsId{1}, PeerId{0}, std::nullopt, start, out);
    node.resolve(*IpAddress::parse(is_v6 ? "fd00:16:12::10" : "172.16.12.10"), start, out);
    node.on_packet(PeerId{0}, bytes, start, out);
    node.on_packet(PeerId{1}, bytes, start, out);
    node.relayed(PeerId{0}, bytes, start, out);
    for (int turn = 0; turn < 8 && node.next_deadline(); ++turn) node.on_deadline(std::max(*node.next_deadline(), start), out);
    for (const auto& action : out)
        if (const auto* send = std::get_if<Send>(&action)) must(decode(send->bytes).has_value());
    (void)node.snapshot();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes{data, data + size};
    codec(bytes);
    if (size < kFixedHeaderBytes || size > kPacketBytesMax) return 0;
    // Random bytes never have the right length and sum; with those mended, what lies behind is reached.
    bytes[10] = static_cast<std::uint8_t>(size >> 8), bytes[11] = static_cast<std::uint8_t>(size);
    bytes[12] = bytes[13] = 0;
    const std::uint16_t sum = internet_checksum(bytes);
    bytes[12] = static_cast<std::uint8_t>(sum >> 8), bytes[13] = static_cast<std::uint8_t>(sum);
    codec(bytes);
    node(bytes, false);
    node(bytes, true);
    return 0;
}
