// What a whole datagram to our underlay carries, whatever its IP version: ESP, IKE, ESP in UDP (RFC 3948), or something of the kernel's.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// What the outer IP header says of a datagram.
struct OuterSource {
    std::uint32_t address = 0;  // as Tables::tag_of() gives it
    std::uint8_t type_of_service = 0;
};

/// The frame's headers are still in front; `offset`: from its beginning to the header of `protocol`, behind which the packet ends with the
/// datagram. Passes ESP of ours, trimmed to its ESP header; IKE and the kernel's packets are punted; GRE in clear is dropped, whatever the
/// configuration says.
Verdict classify_transport(Packet& packet, std::uint8_t protocol, std::size_t offset, const OuterSource& source, WorkerState& worker);

}  // namespace nave::dataplane
