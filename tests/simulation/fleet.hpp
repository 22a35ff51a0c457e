// Ready-made blueprints: hubs and spokes of one DMVPN, with addresses by number.
#pragma once

#include "tests/simulation/world.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace nave::simulation {

/// Hub h: underlay 198.18.0.h+1, tunnel 10.255.255.h+1, LAN 10.200.h.0/24, identity hubH.example.
/// Spoke s: underlay 198.18.16.0 + s, tunnel 10.255.0.0 + s + 1, LAN 10.s/256.s%256.0/24, identity sS.spokes.example.
struct FleetPlan {
    std::size_t hubs = 1, spokes = 2;
    std::uint32_t hub_slots = 64, spoke_slots = 32;
    /// Changes a blueprint before it is added: `is_hub`, its number within its kind, and the tunnel's settings.
    std::function<void(bool is_hub, std::size_t number, Blueprint& blueprint)> adapt{};
};

NbmaAddress hub_underlay(std::size_t hub);
NbmaAddress spoke_underlay(std::size_t spoke);
TunnelAddress hub_tunnel_address(std::size_t hub);
TunnelAddress spoke_tunnel_address(std::size_t spoke);
Prefix spoke_lan(std::size_t spoke);

class Fleet {
public:
    Fleet(World& world, const FleetPlan& plan);

    std::size_t hub(std::size_t number = 0) const { return number; }
    std::size_t spoke(std::size_t number) const { return plan_.hubs + number; }
    std::size_t spokes() const { return plan_.spokes; }
    void start_all();
    /// True if this hub holds the spoke's tunnel address and LAN.
    bool is_registered(std::size_t spoke, std::size_t hub = 0) const;
    bool all_registered(std::size_t hub = 0) const;
    /// Pings every `interval` until one arrives in the wanted way, directly or through a hub.
    enum class Way { relayed, direct };
    bool reaches(std::size_t from, std::size_t to, Way way, Duration limit, Duration interval = std::chrono::milliseconds{200});
    /// One row of the peer table, by identity; nothing when there is none.
    std::optional<overlay::PeerView> peer(std::size_t at, const std::string& identity) const;

private:
    World& world_;
    FleetPlan plan_;
};

}  // namespace nave::simulation
