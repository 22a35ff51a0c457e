// A model of the dataplane: packets; see the header.
#include "tests/simulation/model_dataplane.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

namespace nave::simulation {

namespace {
constexpr Duration kRedirectInterval = std::chrono::seconds{10};
constexpr std::uint64_t kWindow = 1024, kDataBytes = 100;

/// The IP header that the inner packet would have, and eight bytes of ICMP.
Bytes head_of(const Data& data) {
    ByteWriter header;
    if (!data.source.is_v4()) {
        header.u32(6u << 28), header.u16(8), header.u8(kProtocolIcmpv6), header.u8(data.time_to_live);
        header.bytes(data.source.bytes()), header.bytes(data.destination.bytes());
        header.u64(data.id);
        return header.take();
    }
    header.u8(0x45), header.u8(0), header.u16(28), header.u32(0);
    header.u8(data.time_to_live), header.u8(kProtocolIcmp), header.u16(0);
    header.u32(data.source.v4_host()), header.u32(data.destination.v4_host());
    header.patch_u16(10, internet_checksum(header.view()));
    header.u64(data.id);
    return header.take();
}

bool may_send_from(const SetPeer& peer, const IpAddress& source) {
    if (peer.any_source) return true;
    for (std::size_t i = 0; i < peer.source_count; ++i)
        if (peer.sources[i].contains(source)) return true;
    return false;
}
}  // namespace

ModelDataplane::ModelDataplane(std::uint32_t sa_slots, std::size_t station, SealingKeys& sealing_keys)
    : station_{station}, sealing_keys_{sealing_keys}, counters_{1, 1, sa_slots, sa_slots} {}

std::uint64_t ModelDataplane::drops(const std::string& reason) const {
    const auto found = drops_.find(reason);
    return found == drops_.end() ? 0 : found->second;
}

const ModelDataplane::Route* ModelDataplane::lookup(const IpAddress& destination) const {
    for (int length = destination.bit_count(); length >= 0; --length) {
        if (lengths_[static_cast<std::size_t>(length)] == 0) continue;
        const auto found = routes_.find(Prefix::of(destination, static_cast<std::uint8_t>(length)));
        if (found != routes_.end()) return &found->second;
    }
    return nullptr;
}

void ModelDataplane::send(Data data, TimePoint now, Effects& effects) {
    data.path = {station_};
    forward(std::move(data), std::nullopt, now, effects);
}

void ModelDataplane::forward(Data data, std::optional<PeerId> from, TimePoint now, Effects& effects) {
    const Route* route = lookup(data.destination);
    if (!route) return drop("no-route");
    switch (route->target.kind) {
    case RouteTarget::Kind::reject: return drop("route-rejected");
    case RouteTarget::Kind::twin:
    case RouteTarget::Kind::adjacency: effects.push_back(Delivered{std::move(data)}); return;
    case RouteTarget::Kind::peer: break;
    }
    const PeerId peer{route->target.index};
    const auto entry = peers_.find(peer);
    expect(entry == peers_.end() || entry->second.life == route->life, "a route of an earlier peer leads to another one");
    if (from == peer) return drop("same-peer-loop");
    if (--data.time_to_live == 0) return drop("ip-ttl-expired");
    if (from && redirect_ && entry != peers_.end() && peers_.at(*from).set.tunnel == entry->second.set.tunnel) {
        auto& last = redirected_.try_emplace({data.source, data.destination}, now - kRedirectInterval).first->second;
        if (now - last >= kRedirectInterval) {
            last = now;
            effects.push_back(Redirected{*from, head_of(data)});
        }
    }
    seal(peer, std::move(data), kDataBytes, effects);
}

void ModelDataplane::send_nhrp(PeerId peer, const Bytes& bytes, Effects& effects) { seal(peer, NhrpPacket{bytes}, bytes.size(), effects); }

void ModelDataplane::seal(PeerId id, std::variant<NhrpPacket, Data> inner, std::uint64_t bytes, Effects& effects) {
    const auto peer = peers_.find(id);
    if (peer == peers_.end()) return drop("peer-unknown");
    if (!peer->second.outbound) return drop("peer-no-sa");
    if (!peer->second.path) return drop("peer-no-path");
    Outbound& out = outbound_.at(*peer->second.outbound);
    const SaLimits& limits = out.sa.limits;
    if (limits.hard_packets != 0 && out.sequence >= limits.hard_packets) return drop("esp-hard-limit");
    ++out.sequence;
    if (out.sequence == limits.soft_packets) effects.push_back(Raised{SaNearLimit{Direction::outbound, out.sa.slot, id, out.sa.spi}});
    counters_.outbound[out.sa.slot.value].packets.add(1);
    counters_.outbound[out.sa.slot.value].bytes.add(bytes);
    const overlay::ReachPeer& path = *peer->second.path;
    const ByteView key = out.sa.keymat.view();
    Esp sealed{out.sa.spi, out.sequence, {key.begin(), key.end()}, std::move(inner)};
    effects.push_back(Transmit{{{path.local, path.local_udp_port}, {path.remote, path.remote_udp_port}, std::move(sealed)}});
}

bool ModelDataplane::is_fresh(Inbound& inbound, std::uint64_t sequence) const {
    if (sequence + kWindow <= inbound.highest || !inbound.seen.insert(sequence).second) return false;
    inbound.highest = std::max(inbound.highest, sequence);
    while (!inbound.seen.empty() && *inbound.seen.begin() + kWindow <= inbound.highest) inbound.seen.erase(inbound.seen.begin());
    return true;
}

void ModelDataplane::receive(const UnderlayPacket& packet, std::size_t sender, TimePoint now, Effects& effects) {
    const Esp& esp = std::get<Esp>(packet.content);
    const auto found = inbound_.find(esp.spi);
    if (found == inbound_.end()) return drop("esp-unknown-spi");
    Inbound& inbound = found->second;
    const ByteView key = inbound.sa.keymat.view();
    if (Bytes{key.begin(), key.end()} != esp.keymat) return drop("esp-bad-icv");
    if (!is_fresh(inbound, esp.sequence)) return drop("esp-replayed");
    const auto peer = peers_.find(inbound.sa.peer);
    if (peer == peers_.end()) return drop("peer-unknown");
    const PeerId id = peer->first;

    expect(!inbound.sender || *inbound.sender == sender, "two gateways seal under one SA");
    inbound.sender = sender;
    expect(!peer->second.station || *peer->second.station == sender, "two gateways speak as one peer");
    peer->second.station = sender;
    SaCounters& counters = counters_.inbound[spi_layout::slot(esp.spi).value];
    counters.packets.add(1);
    counters.bytes.add(kDataBytes);
    if (!std::exchange(inbound.used, true)) effects.push_back(Raised{InboundSaUsed{esp.spi, id}});
    const auto& path = peer->second.path;
    if (path && (path->remote != packet.source.address || path->remote_udp_port != packet.source.port)) effects.push_back(Raised{PeerMoved{id, esp.spi, packet.source}});

    if (const auto* nhrp = std::get_if<NhrpPacket>(&esp.inner)) {
        effects.push_back(Punted{id, nhrp->bytes});
        return;
    }
    Data data = std::get<Data>(esp.inner);
    if (!may_send_from(peer->second.set, data.source)) return drop("peer-wrong-source");
    data.path.push_back(station_);
    forward(std::move(data), id, now, effects);
}

}  // namespace nave::simulation
