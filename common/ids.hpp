// Identifiers that both planes use to name the same things, and the layout of the SPIs that we choose.
#pragma once

#include "common/strong.hpp"

#include <cstdint>

namespace nave {

using PortId = Strong<struct PortIdTag, std::uint16_t>;          // index into the configured ports
using TunnelId = Strong<struct TunnelIdTag, std::uint16_t>;      // index into the configured tunnels
using TableId = Strong<struct TableIdTag, std::uint16_t>;        // an inside and its routes, of one tunnel or several
// Slots of a peer and of a layer-2 neighbour on an inside port: chosen by the control plane, reused after all have acknowledged the removal.
using PeerId = Strong<struct PeerIdTag, std::uint32_t>;
using AdjacencyId = Strong<struct AdjacencyIdTag, std::uint32_t>;
using GroupId = Strong<struct GroupIdTag, std::uint16_t>;        // access group of a peer
using SaSlot = Strong<struct SaSlotTag, std::uint32_t>;          // index of one direction's SA tables and counters
using Spi = Strong<struct SpiTag, std::uint32_t>;
using WorkerId = Strong<struct WorkerIdTag, std::uint8_t>;

/// An inbound SPI says where its SA lives, so that a lookup is an index and a compare:
/// bits 0-19 slot, bits 20-25 worker, bits 26-31 generation (1 to 63, so that no SPI is below 2^26; RFC 4303 §2.1 reserves 1 to 255).
namespace spi_layout {
inline constexpr std::uint32_t kSlotBits = 20;
inline constexpr std::uint32_t kWorkerBits = 6;
inline constexpr std::uint32_t kGenerations = 63;

constexpr Spi make(SaSlot slot, WorkerId worker, std::uint32_t generation) {
    return Spi{generation << (kSlotBits + kWorkerBits) | static_cast<std::uint32_t>(worker.value) << kSlotBits | slot.value};
}
constexpr SaSlot slot(Spi spi) { return SaSlot{spi.value & ((1u << kSlotBits) - 1)}; }
constexpr WorkerId worker(Spi spi) { return WorkerId{static_cast<std::uint8_t>(spi.value >> kSlotBits & ((1u << kWorkerBits) - 1))}; }
}  // namespace spi_layout

/// In an acknowledgement: the thread that writes the routes. No worker has this number.
inline constexpr WorkerId kRouteWriter{1u << spi_layout::kWorkerBits};

}  // namespace nave
