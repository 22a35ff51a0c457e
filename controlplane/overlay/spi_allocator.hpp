// Chooses our inbound SPIs: which slot an SA sits in, which worker owns it, and when both may be used again.
#pragma once

#include "common/ids.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/overlay/slot_pool.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace nave::overlay {

/// An SPI is held from allocate() until release() (no SA was ever installed under it) or until removed() (the worker
/// acknowledged the removal). The next SPI of the slot has another generation, so a late packet does not match it.
class SpiAllocator final : public ike::SpiSource {
public:
    /// `slots`: at most 2^20; `workers`: at most 64 (common/ids.hpp, spi_layout).
    SpiAllocator(std::uint32_t slots, std::uint8_t workers);

    std::optional<Spi> allocate() override;
    /// Of the worker whose resource it is.
    std::optional<Spi> allocate_for(ike::ResourceId resource) override;
    void release(Spi spi) override { removed(spi); }
    /// The owning worker forgot the SA. Ignored for an SPI that is not held.
    void removed(Spi spi);

    bool holds(Spi spi) const;
    std::size_t in_use() const { return pool_.in_use(); }
    std::uint64_t exhausted() const { return pool_.exhausted(); }

private:
    struct Slot {
        Spi held{};                     // 0 = free
        std::uint32_t generation = 0;   // of the latest SPI
    };
    std::optional<Spi> take(WorkerId worker);

    SlotPool pool_;
    std::vector<Slot> slots_;
    std::uint8_t workers_;
    std::uint8_t next_worker_ = 0;
};

}  // namespace nave::overlay
