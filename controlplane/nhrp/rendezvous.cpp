// The rendezvous extension: found among the vendors' extensions, written, read.
#include "controlplane/nhrp/rendezvous.hpp"

#include <algorithm>
#include <array>

namespace nave::nhrp {
namespace {

constexpr std::array<std::uint8_t, 4> kLabel{0x02, 0x4e, 0x56, 1};  // OUI and kind

bool is_rendezvous(const Extension& extension) { return is_private(extension, kLabel); }

}  // namespace

void offer_rendezvous(Packet& packet) {
    remove_rendezvous(packet);
    packet.extensions.push_back({.type = extension_type::vendor_private, .compulsory = false, .value = {kLabel.begin(), kLabel.end()}});
}

void remove_rendezvous(Packet& packet) { std::erase_if(packet.extensions, is_rendezvous); }

void fill_rendezvous(Packet& packet, const std::optional<Rendezvous>& seen) {
    const auto ours = std::ranges::find_if(packet.extensions, is_rendezvous);
    if (ours == packet.extensions.end()) return;
    const bool is_empty = ours->value.size() == kLabel.size();
    ByteWriter out;
    out.bytes(kLabel);
    if (seen && is_empty) {
        out.u16(seen->observed.port);
        const ByteView underlay = seen->observed.address.value.bytes(), tunnel = seen->station.bytes();
        out.u8(static_cast<std::uint8_t>(underlay.size()));
        out.u8(static_cast<std::uint8_t>(tunnel.size()));
        out.bytes(underlay);
        out.bytes(tunnel);
    }
    ours->value = out.take();
}

std::optional<NbmaEndpoint> rendezvous_with(const Packet& packet, const IpAddress& station) {
    const auto ours = std::ranges::find_if(packet.extensions, is_rendezvous);
    if (ours == packet.extensions.end()) return std::nullopt;
    ByteReader in{ours->value};
    in.skip(kLabel.size());
    const std::uint16_t port = in.u16();
    const std::uint8_t underlay_size = in.u8(), tunnel_size = in.u8();
    const auto underlay = IpAddress::from_bytes(in.take(underlay_size)), tunnel = IpAddress::from_bytes(in.take(tunnel_size));
    const bool is_usable = underlay && !underlay->is_unspecified() && !underlay->is_multicast() && port != 0;
    if (in.failed() || in.remaining() != 0 || tunnel != station || !is_usable) return std::nullopt;
    return NbmaEndpoint{NbmaAddress{*underlay}, port};
}

}  // namespace nave::nhrp
