// Names become identifiers; defaults that depend on other settings are set.
#include "controlplane/config/finish.hpp"
#include "controlplane/config/suggestion.hpp"
#include "controlplane/config/texts.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::config {
namespace {

constexpr std::uint32_t kMemoryOfTable = 96;       // MiB of a route table of the default size, for each but the first
constexpr std::uint32_t kFirstTunnelTable = 1000;  // kernel route tables of tunnels that name none

void resolve_underlay(Reader& reader, Draft& draft, TunnelDraft& tunnel) {
    if (tunnel.underlay.empty()) return;  // complained about already
    for (PortDraft& port : draft.ports) {
        if (port.port.name == tunnel.underlay) {
            tunnel.tunnel.underlay = port.port.id;
            tunnel.tunnel.underlay_name = port.port.name;
            return;
        }
    }
    std::vector<std::string> known;
    for (const PortDraft& port : draft.ports) known.push_back(port.port.name);
    reader.problem(at(*tunnel.source, "underlay"), fmt::format("there is no port \"{}\"{}", tunnel.underlay, suggestion(tunnel.underlay, known)));
}

void resolve_inside(Reader& reader, const Draft& draft, PortDraft& port) {
    port.port.role = port.tunnel.empty() ? PortRole::underlay : PortRole::inside;
    if (port.tunnel.empty()) return;
    std::vector<std::string> known;
    for (const TunnelDraft& tunnel : draft.tunnels) {
        if (tunnel.tunnel.name == port.tunnel) {
            port.port.tunnel = tunnel.tunnel.id;
            port.port.table = tunnel.twin.table;
            return;
        }
        known.push_back(tunnel.tunnel.name);
    }
    reader.problem(at(*port.source, "tunnel"), fmt::format("there is no tunnel \"{}\"{}", port.tunnel, suggestion(port.tunnel, known)));
}

/// What a peer may hold when the operator says nothing: tunnel addresses of the tunnel's own network, and inside prefixes within
/// what the tunnel's routes say lies behind the hubs (nothing, on a hub).
std::vector<overlay::AccessRule> default_access(const overlay::Tunnel& tunnel, const Prefix& network) {
    const auto anybody = ike::IdentityPattern::parse("*");
    if (!anybody) return {};
    return {{.identity = *anybody, .tunnel_addresses = {network}, .prefixes = tunnel.routes, .group = {}, .hub = false}};
}

/// Who we are, and what the IKE profile needs to prove and judge it. A subject goes out as it stands in our certificate.
void resolve_certificates(Reader& reader, TunnelDraft& draft) {
    ike::Identity& local = draft.profile.local;
    if (!draft.certificate.empty()) {
        const ike::Certificate& own = draft.certificate.front();
        if (local.data.empty() && draft.source->member("identity") == nullptr) local = own.principal();
        for (const ike::Identity& each : own.identities())
            if (same_identity(each, local)) local = each;
        if (draft.private_key) draft.profile.credential = ike::Credential{draft.certificate, *draft.private_key};
    }
    for (const CaDraft& ca : draft.ca) {
        draft.files.authorities.push_back({ca.identity, ca.file});
        for (const ike::Certificate& each : ca.certificates) draft.profile.authorities.push_back({ca.identity, each});
    }
    const auto is_given = [&](std::string_view key) { return draft.source->member(key) != nullptr; };
    if (!is_given("identity") && !is_given("certificate")) reader.missing_key(*draft.source, "identity", kAcceptsIdentity);
    if (!is_given("psk") && !is_given("certificate") && !is_given("ca"))
        reader.missing_key(*draft.source, "psk", "an array of tables with identity and either key or key_file, psk = [{ ... }]; or certificate, private_key and ca");
}

void resolve_trust(TunnelDraft& draft) {
    overlay::Tunnel& tunnel = draft.tunnel;
    const Prefix network = Prefix::of(tunnel.address.value, tunnel.address_length);
    for (const KeyDraft& key : draft.psk) draft.profile.keys.push_back({key.identity, key.key});
    for (const PpkDraft& ppk : draft.ppk) draft.profile.ppks.push_back(ppk.ppk);
    for (const HubDraft& hub : draft.hubs) {
        tunnel.hubs.push_back(hub.hub);
        // Before all other rules, so that none of them can take a hub's right to relay away.
        if (hub.hub.identity)
            tunnel.access.push_back({.identity = *hub.hub.identity, .tunnel_addresses = {network}, .prefixes = {Prefix::of(network.address, 0)}, .group = {}, .hub = true});
    }
    for (AccessDraft& access : draft.access) {
        if (access.source->member("tunnel_addresses") == nullptr && !access.rule.nhrp_group) access.rule.tunnel_addresses = {network};
        tunnel.access.push_back(access.rule);
    }
    const bool nobody_has_rights = std::ranges::all_of(draft.access, [](const AccessDraft& access) { return access.rule.nhrp_group.has_value(); });
    if (nobody_has_rights) std::ranges::copy(default_access(tunnel, network), std::back_inserter(tunnel.access));
}

/// Tunnels with one kernel table share an inside. Gives how many insides there are.
std::uint16_t resolve_tables(Draft& draft) {
    std::vector<std::uint32_t> tables;
    for (TunnelDraft& tunnel : draft.tunnels) {
        const auto found = std::ranges::find(tables, tunnel.twin.table);
        tunnel.tunnel.table = TableId{static_cast<std::uint16_t>(found - tables.begin())};
        if (found == tables.end()) tables.push_back(tunnel.twin.table);
        // What is sent to such an address goes by the table, which could not tell two tunnels apart.
        tunnel.tunnel.link_local = std::ranges::count_if(draft.tunnels, [&](const TunnelDraft& other) {
            return other.twin.table == tunnel.twin.table && !other.tunnel.address.value.is_v4();
        }) <= 1;
    }
    return static_cast<std::uint16_t>(tables.size());
}

/// The dataplane says so early that the last tenth suffices for a new SA.
SaLimits with_soft_limits(SaLimits limits) {
    limits.soft_bytes = limits.hard_bytes - limits.hard_bytes / 10;
    limits.soft_packets = limits.hard_packets - limits.hard_packets / 10;
    return limits;
}

}  // namespace

const Value& at(const Value& table, std::string_view key) {
    const Value* member = table.member(key);
    return member == nullptr ? table : *member;
}

void resolve(Reader& reader, Draft& draft, const Value& root) {
    if (draft.config.control.socket.empty()) draft.config.control.socket = default_socket(draft.config.name);
    draft.config.overlay.workers = draft.config.dataplane.workers;
    for (std::size_t i = 0; i < draft.ports.size(); ++i) {
        Port& port = draft.ports[i].port;
        port.id = PortId{static_cast<std::uint16_t>(i)};
        if (port.twin.empty()) port.twin = port.name;
    }
    for (std::size_t i = 0; i < draft.tunnels.size(); ++i) {
        TunnelDraft& tunnel = draft.tunnels[i];
        const auto index = static_cast<std::uint16_t>(i);
        tunnel.tunnel.id = TunnelId{index};
        tunnel.tunnel.profile = ike::ProfileId{index};
        tunnel.profile.name = tunnel.tunnel.name;
        tunnel.profile.child_limits = with_soft_limits(tunnel.profile.child_limits);
        if (tunnel.twin.twin.empty()) tunnel.twin.twin = tunnel.tunnel.name;
        if (tunnel.twin.table == 0) tunnel.twin.table = kFirstTunnelTable + index;
        resolve_underlay(reader, draft, tunnel);
        resolve_certificates(reader, tunnel);
        resolve_trust(tunnel);
    }
    const std::uint16_t tables = resolve_tables(draft);
    const bool memory_is_given = at(root, "dataplane").member("memory") != nullptr;
    if (!memory_is_given && tables > 1) draft.config.dataplane.memory_mib += kMemoryOfTable * (tables - 1U);
    for (PortDraft& port : draft.ports) resolve_inside(reader, draft, port);
}

}  // namespace nave::config
