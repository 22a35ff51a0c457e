// What must hold for pre-shared keys, hubs, access rules and the limits that keep strangers out.
#include "controlplane/config/finish.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace nave::config {
namespace {

void check_source(Reader& reader, const Value& source) {
    const bool inline_key = source.member("key") != nullptr, in_file = source.member("key_file") != nullptr;
    if (inline_key == in_file)
        reader.problem(source, fmt::format("found {}; accepted: exactly one of them", inline_key ? "both key and key_file" : "neither key nor key_file"));
}

void check_ppks(Reader& reader, const TunnelDraft& tunnel) {
    for (const PpkDraft& draft : tunnel.ppk) {
        check_source(reader, *draft.source);
        const bool again = std::ranges::any_of(tunnel.ppk, [&](const PpkDraft& other) { return &other < &draft && other.ppk.id == draft.ppk.id; });
        if (again && !draft.ppk.id.empty()) reader.problem(at(*draft.source, "id"), fmt::format("there is a PPK {} already", quote(draft.ppk.id)));
    }
}

/// Nobody writes such a suite by chance, but a file may outlive the test that it was written for.
void check_suites(Reader& reader, const TunnelDraft& tunnel) {
    const auto& suites = tunnel.profile.esp_proposals;
    for (std::size_t i = 0; i < suites.size(); ++i) {
        if (!encrypts(suites[i].algorithm))
            reader.warning(at(*tunnel.source, "esp_proposals").children.at(i),
                           fmt::format("{} DOES NOT ENCRYPT: with it everybody on the path reads all traffic", quote(ike::to_string(suites[i]))));
    }
}

void check_keys(Reader& reader, const TunnelDraft& tunnel) {
    if (tunnel.psk.empty() && tunnel.source->member("psk") != nullptr)
        reader.problem(at(*tunnel.source, "psk"), "there is no key, so nobody could be authenticated");
    for (const KeyDraft& key : tunnel.psk) {
        check_source(reader, *key.source);
        const bool again = std::ranges::any_of(tunnel.psk, [&](const KeyDraft& other) { return &other < &key && other.identity.text() == key.identity.text(); });
        if (again && !key.identity.text().empty()) reader.problem(at(*key.source, "identity"), fmt::format("{} has a key already", quote(key.identity.text())));
    }
}

/// We speak to a hub from our address of the same IP version. Which ones a port without a static address gets, time will tell.
void check_hub_family(Reader& reader, const Draft& draft, const TunnelDraft& tunnel, const HubDraft& hub) {
    const IpAddress& address = hub.hub.address.value;
    const auto port = std::ranges::find(draft.ports, tunnel.underlay, [](const PortDraft& each) { return each.port.name; });
    if (port == draft.ports.end() || port->port.addresses.empty() || address.is_unspecified()) return;
    if (std::ranges::count(port->port.addresses, address.family(), [](const InterfaceAddress& each) { return each.address.family(); }) > 0) return;
    reader.problem(at(*hub.source, "address"),
                   fmt::format("{} cannot be reached from port \"{}\", which has no address of that IP version; give it one of each: address = [\"...\", \"...\"]",
                               address.to_string(), tunnel.underlay));
}

void check_foreign(Reader& reader, const Draft& draft, const IpAddress& address, const Value& place) {
    for (const PortDraft& port : draft.ports) {
        if (std::ranges::count(port.port.addresses, address, &InterfaceAddress::address) > 0)
            reader.problem(place, fmt::format("{} is our own address, on port \"{}\"", address.to_string(), port.port.name));
    }
}

/// Spokes that are sent back to us would go in circles.
void check_redirects(Reader& reader, const Draft& draft, const Value& ike) {
    const auto& others = draft.config.overlay.ike.redirect_to;
    for (std::size_t i = 0; i < others.size(); ++i) check_foreign(reader, draft, others[i].value, at(ike, "redirect_to").children.at(i));
}

void check_hub(Reader& reader, const Draft& draft, const TunnelDraft& tunnel, const HubDraft& hub) {
    const IpAddress& address = hub.hub.address.value;
    const Value& place = at(*hub.source, "address");
    const bool again = std::ranges::any_of(tunnel.hubs, [&](const HubDraft& other) { return &other < &hub && other.hub.to_string() == hub.hub.to_string(); });
    const bool is_given = !hub.hub.name.empty() || !address.is_unspecified();
    if (again && is_given) reader.problem(place, fmt::format("hub {} is named twice", hub.hub.to_string()));
    check_foreign(reader, draft, address, place);
    const Prefix network = Prefix::of(tunnel.tunnel.address.value, tunnel.tunnel.address_length);
    if (!tunnel.tunnel.address.value.is_unspecified() && network.contains(address))
        reader.problem(place, fmt::format("{} is in the tunnel's own network, {}; accepted: the hub's underlay address, which ESP is sent to", address.to_string(),
                                          network.to_string()));
    if (!hub.hub.identity) return;
    const auto identity = hub.hub.identity->exact();
    if (!identity && hub.hub.identity->matches(tunnel.profile.local))
        reader.problem(at(*hub.source, "identity"), fmt::format("{} holds our own identity as well, so that other spokes would pass for hubs; name the hub",
                                                                quote(hub.hub.identity->text())));
    if (!identity) return;
    if (same_identity(*identity, tunnel.profile.local)) reader.problem(at(*hub.source, "identity"), fmt::format("{} is our own identity", quote(hub.hub.identity->text())));
    const bool has_key = std::ranges::any_of(tunnel.psk, [&](const KeyDraft& key) { return key.identity.matches(*identity); });
    const bool has_ca = std::ranges::any_of(tunnel.ca, [&](const CaDraft& ca) { return ca.identity.matches(*identity); });
    if (!has_key && !has_ca && (!tunnel.psk.empty() || !tunnel.ca.empty()))
        reader.problem(at(*hub.source, "identity"), fmt::format("no {} is for {}; give one whose identity matches",
                                                                tunnel.ca.empty() ? "psk" : tunnel.psk.empty() ? "ca" : "psk or ca", quote(hub.hub.identity->text())));
}

/// A peer names its group itself, so a right that hangs on it would be everybody's.
void check_group(Reader& reader, const AccessDraft& access) {
    for (const std::string_view right : {"tunnel_addresses", "prefixes", "hub"}) {
        if (access.rule.nhrp_group && access.source->member(right) != nullptr)
            reader.problem(at(*access.source, right), "a peer names its group itself, so a rule with nhrp_group gives no rights; put them into a rule without it");
    }
}

/// The first rule that matches decides, so a rule after "*" never does.
void check_access(Reader& reader, const TunnelDraft& tunnel) {
    bool everybody_seen = false;
    for (const AccessDraft& access : tunnel.access) {
        if (everybody_seen)
            reader.problem(*access.source,
                           "never reached: an earlier rule is for identity \"*\", and the first that matches decides; put that one last");
        everybody_seen = everybody_seen || (access.rule.identity.text() == "*" && !access.rule.nhrp_group);
        check_group(reader, access);
        if (access.rule.hub && access.rule.identity.text() == "*")
            reader.problem(at(*access.source, "hub"), "everybody would be a hub and could take any prefix; name the hubs");
    }
}

void check_limits(Reader& reader, const Draft& draft, const Value& root) {
    const overlay::Settings& overlay = draft.config.overlay;
    const Value& dataplane = at(root, "dataplane");
    const auto cores = draft.config.dataplane.cores.size();
    if (cores != 0 && cores != draft.config.dataplane.workers) {
        reader.problem(at(dataplane, "cores"),
                       fmt::format("found {} cores for {} workers; accepted: one core per worker, or none", cores, draft.config.dataplane.workers));
    }
    if (cores != 0 && draft.config.dataplane.mode == Mode::adaptive)
        reader.warning(at(dataplane, "cores"), "adaptive workers sleep, and the system places them: cores count only with mode = \"poll\"");
    // While a child SA is rekeyed, a peer has two.
    if (overlay.sa_slots / 2 < overlay.peers_max) {
        reader.problem(at(dataplane, dataplane.member("sa_slots") == nullptr ? "peers_max" : "sa_slots"),
                       fmt::format("{} SAs are too few for {} peers; accepted: at least two per peer", overlay.sa_slots, overlay.peers_max));
    }
    if (overlay.ike.half_open_per_source_max > overlay.ike.half_open_max) {
        reader.problem(at(at(root, "ike"), "half_open_per_source_max"), fmt::format("found {}, which is more than half_open_max, {}",
                                                                                    overlay.ike.half_open_per_source_max, overlay.ike.half_open_max));
    }
}

}  // namespace

void check_trust(Reader& reader, const Draft& draft, const Value& root) {
    check_limits(reader, draft, root);
    check_redirects(reader, draft, at(root, "ike"));
    for (const TunnelDraft& tunnel : draft.tunnels) {
        check_keys(reader, tunnel);
        check_suites(reader, tunnel);
        check_ppks(reader, tunnel);
        check_access(reader, tunnel);
        for (const HubDraft& hub : tunnel.hubs) {
            check_hub(reader, draft, tunnel, hub);
            check_hub_family(reader, draft, tunnel, hub);
        }
    }
}

}  // namespace nave::config
