// What must hold for tunnels: tables apart from the underlay's, networks apart from each other, one GRE key each.
#include "controlplane/config/finish.hpp"

#include "common/headers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace nave::config {
namespace {

// IP, and UDP 8, ESP 8 and IV 8, GRE with key 8, padding and trailer up to 5, ICV 16.
constexpr std::uint32_t kOverheadMax = 53, kIpv4Header = 20, kIpv6Header = 40;

bool overlap(const Prefix& a, const Prefix& b) { return a.contains(b) || b.contains(a); }

std::string show_key(const std::optional<std::uint32_t>& key) { return key ? fmt::format("GRE key {}", *key) : "no GRE key"; }

void check_table(Reader& reader, const Draft& draft, const TunnelDraft& tunnel) {
    const Value& place = at(*tunnel.source, "table");
    const std::uint32_t table = tunnel.twin.table;
    if (table == 253 || table == 255) reader.problem(place, fmt::format("found {}; the kernel keeps tables 253 and 255 for itself", table));
    for (const PortDraft& port : draft.ports) {
        if (!port.tunnel.empty() || port.port.table != table) continue;
        reader.problem(
            place,
            fmt::format(
                "table {} is that of underlay port \"{}\"; a route into the overlay must never capture the underlay, so give one of them another",
                table, port.port.name));
    }
    for (const TunnelDraft& other : draft.tunnels) {
        if (other.twin.table != table || tunnel.source->member("table") == nullptr || other.source->member("table") != nullptr) continue;
        reader.problem(place, fmt::format("tunnel \"{0}\" has table {1} by default; to share one inside give it \"table = {1}\" too, else choose another",
                                          other.tunnel.name, table));
    }
}

bool share_inside(const TunnelDraft& a, const TunnelDraft& b) { return a.twin.table == b.twin.table; }

/// What shares an inside with the port: its tunnel, and those with the same table.
std::vector<const TunnelDraft*> tunnels_of(const Draft& draft, const PortDraft& port) {
    std::vector<const TunnelDraft*> found;
    for (const TunnelDraft& tunnel : draft.tunnels)
        if (!port.tunnel.empty() && tunnel.twin.table == port.port.table) found.push_back(&tunnel);
    return found;
}

Prefix network_of(const TunnelDraft& tunnel) { return Prefix::of(tunnel.tunnel.address.value, tunnel.tunnel.address_length); }

/// Tunnels of one table: a packet to a tunnel address must have one way.
void check_shared_inside(Reader& reader, const Draft& draft, const TunnelDraft& tunnel) {
    const Prefix network = network_of(tunnel);
    for (const TunnelDraft& other : draft.tunnels) {
        if (&other == &tunnel || !share_inside(tunnel, other) || other.tunnel.address.value.is_unspecified()) continue;
        const Prefix others = network_of(other);
        if (other.tunnel.id < tunnel.tunnel.id && overlap(network, others))
            reader.problem(at(*tunnel.source, "address"), fmt::format("network {} overlaps {}, that of tunnel \"{}\", and both have table {}; give each another network, or "
                                                                      "another table",
                                                                      network.to_string(), others.to_string(), other.tunnel.name, tunnel.twin.table));
        for (const Prefix& prefix : tunnel.tunnel.routes)
            if (others.contains(prefix))
                reader.problem(at(*tunnel.source, "routes"), fmt::format("{} is in the network of tunnel \"{}\", which has the same table and leads there itself; leave it out",
                                                                         prefix.to_string(), other.tunnel.name));
    }
}

void check_gre_key(Reader& reader, const Draft& draft, const TunnelDraft& tunnel) {
    for (const TunnelDraft& other : draft.tunnels) {
        if (other.tunnel.id >= tunnel.tunnel.id || other.underlay != tunnel.underlay || other.tunnel.gre_key != tunnel.tunnel.gre_key) continue;
        reader.problem(at(*tunnel.source, "key"), fmt::format("tunnel \"{}\" has {} on the same underlay; give each another key", other.tunnel.name,
                                                              show_key(tunnel.tunnel.gre_key)));
    }
}

void check_networks(Reader& reader, const Draft& draft) {
    std::map<std::uint32_t, std::vector<std::pair<Prefix, std::string>>> taken;  // by table
    for (const TunnelDraft& tunnel : draft.tunnels)
        if (!tunnel.tunnel.address.value.is_unspecified()) taken[tunnel.twin.table].emplace_back(network_of(tunnel), fmt::format("tunnel \"{}\"", tunnel.tunnel.name));
    for (const PortDraft& port : draft.ports) {
        if (port.tunnel.empty()) continue;
        for (const InterfaceAddress& address : port.port.addresses) {
            const Prefix mine = address.network();
            auto& others = taken[port.port.table];
            for (const auto& [other, owner] : others) {
                if (overlap(mine, other))
                    reader.problem(at(*port.source, "address"), fmt::format("network {} overlaps {} ({})", mine.to_string(), other.to_string(), owner));
            }
            others.emplace_back(mine, fmt::format("port \"{}\"", port.port.name));
        }
    }
}

std::string_view name(Family family) { return family == Family::v4 ? "IPv4" : "IPv6"; }

/// A tunnel is of one IP version inside: NHRP registers and resolves within one. The inside has those of its tunnels.
void check_families(Reader& reader, const Draft& draft, const TunnelDraft& tunnel) {
    const Family family = tunnel.tunnel.address.value.family();
    const auto check = [&](const Value& place, const IpAddress& address) {
        if (address.family() != family)
            reader.problem(place, fmt::format("found {}, and the tunnel's address is of {}; a tunnel carries one of them, so give the other a tunnel of its own, with the same "
                                              "table",
                                              name(address.family()), name(family)));
    };
    for (const Prefix& prefix : tunnel.tunnel.routes) check(at(*tunnel.source, "routes"), prefix.address);
    for (const AccessDraft& access : tunnel.access) {
        for (const Prefix& prefix : access.rule.tunnel_addresses) check(at(*access.source, "tunnel_addresses"), prefix.address);
        for (const Prefix& prefix : access.rule.prefixes) check(at(*access.source, "prefixes"), prefix.address);
    }
    for (const PortDraft& port : draft.ports) {
        if (port.tunnel != tunnel.tunnel.name) continue;
        const auto sharing = tunnels_of(draft, port);
        for (const InterfaceAddress& each : port.port.addresses) {
            const auto carries = [&](const TunnelDraft* other) { return other->tunnel.address.value.family() == each.address.family(); };
            if (std::ranges::none_of(sharing, carries)) check(at(*port.source, "address"), each.address);
        }
    }
}

bool has_ipv6(const PortDraft& port, const TunnelDraft& tunnel) {
    return std::ranges::any_of(port.port.addresses, [](const InterfaceAddress& each) { return !each.address.is_v4(); }) ||
           std::ranges::any_of(tunnel.hubs, [](const HubDraft& each) { return !each.hub.address.value.is_v4(); });
}

void check_mtu(Reader& reader, const Draft& draft, const TunnelDraft& tunnel) {
    const auto port = std::ranges::find(draft.ports, tunnel.underlay, [](const PortDraft& each) { return each.port.name; });
    if (!tunnel.tunnel.address.value.is_v4() && tunnel.tunnel.mtu < kIpv6MtuMin)
        reader.problem(at(*tunnel.source, "mtu"), fmt::format("found {}; accepted: with an IPv6 address at least {}", tunnel.tunnel.mtu, kIpv6MtuMin));
    if (port == draft.ports.end()) return;
    const std::uint32_t overhead = kOverheadMax + (has_ipv6(*port, tunnel) ? kIpv6Header : kIpv4Header);
    if (tunnel.tunnel.mtu + overhead <= port->port.mtu) return;
    reader.warning(
        at(*tunnel.source, "mtu"),
        fmt::format("{} bytes and up to {} of headers do not fit the underlay's mtu of {}: ESP packets may be fragmented; best is at most {}",
                    tunnel.tunnel.mtu, overhead, port->port.mtu, port->port.mtu - overhead));
}

bool is_hub(const TunnelDraft& tunnel) { return tunnel.hubs.empty() || tunnel.tunnel.relay; }

/// Whether strangers may start IKE with us for this tunnel: spokes with a hub, other spokes for a shortcut.
bool answers(const TunnelDraft& tunnel) { return is_hub(tunnel) || tunnel.tunnel.shortcut; }

/// The first identity for which both tunnels have a key, or an authority, and the place of it.
template <class Trust>
std::optional<std::pair<const Value*, std::string>> shared_trust(const std::vector<Trust>& mine, const std::vector<Trust>& others) {
    for (const Trust& each : mine) {
        const std::string& text = each.identity.text();
        if (!text.empty() && std::ranges::any_of(others, [&](const Trust& other) { return other.identity.text() == text; })) return std::pair{&at(*each.source, "identity"), text};
    }
    return std::nullopt;
}

/// Who comes to a port says by its identity, and by whom it expects there, which tunnel it means. Only a hub is expected by name.
void check_told_apart(Reader& reader, const Draft& draft, const TunnelDraft& tunnel) {
    for (const TunnelDraft& other : draft.tunnels) {
        const bool both_are_hubs = is_hub(tunnel) && is_hub(other);
        const bool is_settled = both_are_hubs && tunnel.profile.local != other.profile.local;
        if (other.tunnel.id >= tunnel.tunnel.id || other.underlay != tunnel.underlay || is_settled || !answers(tunnel) || !answers(other)) continue;
        const auto shared = shared_trust(tunnel.psk, other.psk), shared_ca = shared_trust(tunnel.ca, other.ca);
        if (!shared && !shared_ca) continue;
        const auto& [place, text] = shared ? *shared : *shared_ca;
        const std::string_view advice = both_are_hubs ? "give the tunnels different identities" : "set shortcut = false in spokes' tunnels";
        reader.problem(*place, fmt::format("tunnel \"{}\" on the same underlay has a {} for \"{}\" too, so it is open which tunnel such a peer comes for; {}, or give them "
                                           "keys for different peers, or underlay ports of their own",
                                           other.tunnel.name, shared ? "key" : "ca", text, advice));
        return;
    }
}

void check_role(Reader& reader, const TunnelDraft& tunnel) {
    if (!tunnel.tunnel.routes.empty() && tunnel.hubs.empty())
        reader.problem(at(*tunnel.source, "routes"), "routes lead to hubs, and the tunnel has none; give hub, or say what spokes may hold in access");
    if (!tunnel.tunnel.relay) return;
    if (tunnel.hubs.empty())
        reader.problem(at(*tunnel.source, "relay"), "a relay tells other hubs of its spokes, and the tunnel has none; give those in hub, which name this one likewise");
    if (tunnel.tunnel.hub_connections != 0)
        reader.problem(at(*tunnel.source, "hub_connections"), "a relay is connected to all its hubs, or it would not hear of their spokes; leave it out");
    if (!tunnel.tunnel.routes.empty()) reader.problem(at(*tunnel.source, "routes"), "a relay learns from its hubs what lies behind them; leave routes out, or relay");
}

}  // namespace

void check_tunnels(Reader& reader, const Draft& draft) {
    check_networks(reader, draft);
    for (const TunnelDraft& tunnel : draft.tunnels) {
        check_table(reader, draft, tunnel);
        if (!tunnel.underlay.empty()) {
            check_gre_key(reader, draft, tunnel);
            check_told_apart(reader, draft, tunnel);
        }
        if (!tunnel.tunnel.address.value.is_unspecified()) {
            check_shared_inside(reader, draft, tunnel);
            check_families(reader, draft, tunnel);
        }
        check_mtu(reader, draft, tunnel);
        check_role(reader, tunnel);
    }
}

}  // namespace nave::config
