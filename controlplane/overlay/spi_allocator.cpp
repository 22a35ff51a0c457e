// Chooses our inbound SPIs; see the header.
#include "controlplane/overlay/spi_allocator.hpp"

#include <algorithm>

namespace nave::overlay {

namespace {
constexpr std::uint32_t kSlotsMax = 1u << spi_layout::kSlotBits;
}

SpiAllocator::SpiAllocator(std::uint32_t slots, std::uint8_t workers)
    : pool_{std::min(slots, kSlotsMax)}, slots_(std::min(slots, kSlotsMax)), workers_{std::max<std::uint8_t>(workers, 1)} {}

std::optional<Spi> SpiAllocator::allocate() {
    const auto spi = take(WorkerId{next_worker_});
    if (spi) next_worker_ = static_cast<std::uint8_t>((next_worker_ + 1) % workers_);
    return spi;
}

std::optional<Spi> SpiAllocator::allocate_for(ike::ResourceId resource) { return take(WorkerId{static_cast<std::uint8_t>(resource.value % workers_)}); }

std::optional<Spi> SpiAllocator::take(WorkerId worker) {
    const auto index = pool_.take();
    if (!index) return std::nullopt;
    Slot& slot = slots_[*index];
    slot.generation = slot.generation % spi_layout::kGenerations + 1;
    slot.held = spi_layout::make(SaSlot{*index}, worker, slot.generation);
    return slot.held;
}

bool SpiAllocator::holds(Spi spi) const {
    const std::uint32_t index = spi_layout::slot(spi).value;
    return spi.value != 0 && index < slots_.size() && slots_[index].held == spi;
}

void SpiAllocator::removed(Spi spi) {
    if (!holds(spi)) return;
    const std::uint32_t index = spi_layout::slot(spi).value;
    slots_[index].held = Spi{};
    pool_.give_back(index);
}

}  // namespace nave::overlay
