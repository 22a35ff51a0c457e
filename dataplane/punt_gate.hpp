// The way of a packet up to the control plane: policed by class, copied at the wall.
#pragma once

#include "common/plane_rings.hpp"
#include "dataplane/gateway.hpp"
#include "dataplane/packet.hpp"
#include "dataplane/policer.hpp"

#include <vector>

namespace nave::dataplane {

/// One worker's gate. Its own thread only.
class PuntGate {
public:
    PuntGate(const Limits& limits, std::uint64_t cycles_per_second, PlaneRings& rings);

    /// Copies up to `bytes_max` bytes of the packet up. The packet stays the caller's. Drop::none when it went through.
    [[nodiscard, gnu::cold, gnu::noinline]] Drop offer(Punt punt, const Packet& packet, std::uint64_t now, std::size_t bytes_max = PacketMessage::kBytesMax);

    /// True once after something went up: the control thread's bell is due.
    bool take_bell_due() { return std::exchange(bell_due_, false); }

private:
    PlaneRings& rings_;
    std::vector<Policer> policers_;  // by Punt
    std::vector<Policer> nhrp_of_peer_;
    PacketMessage message_;          // filled in place: too large for the stack of a stage
    bool bell_due_ = false;
};

}  // namespace nave::dataplane
