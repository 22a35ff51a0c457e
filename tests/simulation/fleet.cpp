// Ready-made blueprints; see the header.
#include "tests/simulation/fleet.hpp"

#include "tests/simulation/standing_calendar.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::simulation {

namespace {
constexpr std::uint32_t kTunnelNetwork = 0x0aff0000;  // 10.255.0.0/16

IpAddress v4(std::uint32_t address, std::size_t offset) { return IpAddress::v4(address + static_cast<std::uint32_t>(offset)); }

overlay::AccessRule spokes_rule() {
    return {*ike::IdentityPattern::parse("*.spokes.example"), {*Prefix::parse("10.255.0.0/16")}, {*Prefix::parse("10.0.0.0/9")}, GroupId{1}, false};
}

Blueprint common_blueprint(const std::string& identity, const TunnelAddress& address, std::uint32_t slots) {
    Blueprint made;
    ike::Profile profile;
    profile.name = "dmvpn";
    profile.local = *ike::Identity::parse(identity);
    profile.keys.push_back({*ike::IdentityPattern::parse("*"), Secret{as_bytes("correct horse battery staple")}});
    profile.ike_proposals = {*ike::parse_ike_proposal("aes-gcm-128/prf-sha256/x25519")};
    profile.esp_proposals = {*ike::parse_esp_proposal("aes-gcm-128/esn")};
    made.settings.ike.profiles.push_back(std::move(profile));
    made.settings.ike.calendar = &kStandingCalendar;
    made.settings.ike.ticket_keys = {Secret{Bytes(32, 1)}};
    made.settings.sa_slots = slots, made.settings.peers_max = slots;
    overlay::Tunnel tunnel;
    tunnel.name = "dmvpn", tunnel.address = address, tunnel.address_length = 16;
    tunnel.access.push_back(spokes_rule());
    made.settings.tunnels.push_back(std::move(tunnel));
    return made;
}
}  // namespace

NbmaAddress hub_underlay(std::size_t hub) { return {v4(0xc6120001, hub)}; }
NbmaAddress spoke_underlay(std::size_t spoke) { return {v4(0xc6121000, spoke)}; }
TunnelAddress hub_tunnel_address(std::size_t hub) { return {v4(kTunnelNetwork + 0xff01, hub)}; }
TunnelAddress spoke_tunnel_address(std::size_t spoke) { return {v4(kTunnelNetwork + 1, spoke)}; }
Prefix spoke_lan(std::size_t spoke) { return Prefix::of(v4(0x0a000000, spoke * 256), 24); }

Fleet::Fleet(World& world, const FleetPlan& plan) : world_{world}, plan_{plan} {
    for (std::size_t h = 0; h < plan.hubs; ++h) {
        Blueprint hub = common_blueprint(fmt::format("hub{}.example", h), hub_tunnel_address(h), plan.hub_slots);
        hub.underlay = hub_underlay(h);
        hub.lan = {Prefix::of(v4(0x0ac80000, h * 256), 24)}, hub.host = v4(0x0ac80005, h * 256);
        if (plan.adapt) plan.adapt(true, h, hub);
        world.add(std::move(hub));
    }
    for (std::size_t s = 0; s < plan.spokes; ++s) {
        Blueprint spoke = common_blueprint(fmt::format("s{}.spokes.example", s), spoke_tunnel_address(s), plan.spoke_slots);
        spoke.underlay = spoke_underlay(s);
        spoke.lan = {spoke_lan(s)}, spoke.host = v4(0x0a000005, s * 256);
        overlay::Tunnel& tunnel = spoke.settings.tunnels.front();
        for (std::size_t h = 0; h < plan.hubs; ++h)
            tunnel.hubs.push_back({hub_underlay(h), *ike::IdentityPattern::parse(fmt::format("hub{}.example", h)), static_cast<std::uint8_t>(h + 1)});
        tunnel.routes = {*Prefix::parse("10.0.0.0/8")};
        if (plan.adapt) plan.adapt(false, s, spoke);
        world.add(std::move(spoke));
    }
}

void Fleet::start_all() {
    for (std::size_t i = 0; i < world_.size(); ++i) world_.start(i);
}

bool Fleet::is_registered(std::size_t number, std::size_t at) const {
    if (!world_.is_running(hub(at))) return false;
    const auto row = peer(hub(at), fmt::format("s{}.spokes.example", number));
    return row && !row->tunnel_addresses.empty() && row->prefixes.size() == world_.blueprint(spoke(number)).lan.size();
}

bool Fleet::all_registered(std::size_t at) const {
    if (!world_.is_running(hub(at))) return false;
    std::size_t registered = 0;
    for (const auto& row : world_.gateway(hub(at)).peers(world_.now()))
        if (!row.tunnel_addresses.empty() && !row.prefixes.empty()) ++registered;
    return registered == plan_.spokes;
}

bool Fleet::reaches(std::size_t from, std::size_t to, Way way, Duration limit, Duration interval) {
    const TimePoint end = world_.now() + limit;
    std::vector<std::size_t> sent;
    const auto arrived = [&](std::size_t id) { return way == Way::direct ? world_.trace(id).direct() : world_.trace(id).relayed(); };
    while (world_.now() < end) {
        sent.push_back(world_.ping(from, to));
        world_.run_for(interval);
        if (std::ranges::any_of(sent, arrived)) return true;
        if (sent.size() > 20) sent.erase(sent.begin());
    }
    return false;
}

std::optional<overlay::PeerView> Fleet::peer(std::size_t at, const std::string& identity) const {
    for (auto& row : world_.gateway(at).peers(world_.now()))
        if (row.identity == identity) return row;
    return std::nullopt;
}

}  // namespace nave::simulation
