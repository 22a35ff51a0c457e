// The simulated Internet: addresses, NAT boxes, and weather (loss, duplication, reordering).
#pragma once

#include "common/time.hpp"
#include "tests/simulation/packets.hpp"
#include "tests/simulation/seeded_random.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace nave::simulation {

struct Weather {
    std::uint32_t loss_percent = 5, duplicate_percent = 2, reorder_percent = 5;
    Duration delay = std::chrono::milliseconds{10}, delay_spread = std::chrono::milliseconds{10}, reorder_delay = std::chrono::milliseconds{80};
    static Weather fair() { return {0, 0, 0, std::chrono::milliseconds{10}, std::chrono::milliseconds{0}, std::chrono::milliseconds{0}}; }
};

/// Rewrites ports; lets in only what answers something that went out to that address and port. A cone gives an inside endpoint one public port towards
/// everybody, a symmetric one another towards each destination.
class NatBox {
public:
    enum class Kind : std::uint8_t { cone, symmetric };
    NatBox(NbmaAddress address, Kind kind) : address_{address}, kind_{kind} {}

    NbmaAddress address() const { return address_; }
    /// The public source of a packet that leaves; plain ESP has no port to rewrite and does not get through.
    std::optional<NbmaEndpoint> leave(const NbmaEndpoint& inside, const NbmaEndpoint& destination);
    /// Whom a packet that arrives is for.
    std::optional<NbmaEndpoint> enter(const NbmaEndpoint& destination, const NbmaEndpoint& source) const;
    /// Every mapping gets another port, as after a reboot of the box.
    void rebind();
    /// Another box takes its place.
    void become(Kind kind) { kind_ = kind, rebind(); }

private:
    NbmaAddress address_;
    Kind kind_;
    std::uint16_t next_port_ = 20000;
    std::map<std::pair<NbmaEndpoint, std::optional<NbmaEndpoint>>, std::uint16_t> ports_;
    std::map<std::uint16_t, NbmaEndpoint> insides_;
    std::set<std::pair<std::uint16_t, NbmaEndpoint>> contacted_;
};

class Underlay {
public:
    Underlay(Weather weather, SeededRandom& random) : weather_{weather}, random_{random} {}

    std::size_t add_nat(NbmaAddress address, NatBox::Kind kind = NatBox::Kind::cone) { return nats_.emplace_back(address, kind), nats_.size() - 1; }
    NatBox& nat(std::size_t index) { return nats_[index]; }
    void set_weather(Weather weather) { weather_ = weather; }
    void place(const NbmaAddress& address, std::size_t station, std::optional<std::size_t> nat);
    void remove(const NbmaAddress& address) { stations_.erase(address); }

    struct Copy { Duration delay; UnderlayPacket packet; };
    /// What becomes of a packet: none, one or two copies, each with its delay and translated on the way out.
    std::vector<Copy> send(UnderlayPacket packet);
    /// The station that a translated packet reaches now; the packet's destination is its own address then.
    std::optional<std::size_t> arrive(UnderlayPacket& packet) const;

private:
    struct Station { std::size_t index; std::optional<std::size_t> nat; };
    Weather weather_;
    SeededRandom& random_;
    std::vector<NatBox> nats_;
    std::map<NbmaAddress, Station> stations_;
};

}  // namespace nave::simulation
