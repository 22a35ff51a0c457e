// The simulated Internet; see the header.
#include "tests/simulation/underlay.hpp"

namespace nave::simulation {

std::optional<NbmaEndpoint> NatBox::leave(const NbmaEndpoint& inside, const NbmaEndpoint& destination) {
    if (inside.port == 0) return std::nullopt;
    const auto [mapping, is_new] = ports_.try_emplace({inside, kind_ == Kind::symmetric ? std::optional{destination} : std::nullopt}, next_port_);
    if (is_new) insides_[next_port_++] = inside;
    contacted_.emplace(mapping->second, destination);
    return NbmaEndpoint{address_, mapping->second};
}

std::optional<NbmaEndpoint> NatBox::enter(const NbmaEndpoint& destination, const NbmaEndpoint& source) const {
    if (!contacted_.contains({destination.port, source})) return std::nullopt;
    const auto found = insides_.find(destination.port);
    return found == insides_.end() ? std::nullopt : std::optional{found->second};
}

void NatBox::rebind() {
    ports_.clear();
    insides_.clear();
    contacted_.clear();
}

void Underlay::place(const NbmaAddress& address, std::size_t station, std::optional<std::size_t> nat) { stations_[address] = {station, nat}; }

std::vector<Underlay::Copy> Underlay::send(UnderlayPacket packet) {
    std::vector<Copy> copies;
    const auto sender = stations_.find(packet.source.address);
    if (sender == stations_.end()) return copies;
    const auto receiver = stations_.find(packet.destination.address);
    const bool same_lan = receiver != stations_.end() && receiver->second.nat == sender->second.nat;
    if (sender->second.nat && !same_lan) {
        const auto outside = nats_[*sender->second.nat].leave(packet.source, packet.destination);
        if (!outside) return copies;
        packet.source = *outside;
    }
    const std::uint32_t count = random_.chance(weather_.loss_percent) ? 0 : random_.chance(weather_.duplicate_percent) ? 2 : 1;
    for (std::uint32_t i = 0; i < count; ++i) {
        Duration delay = weather_.delay + std::chrono::microseconds{random_.below(static_cast<std::uint32_t>(weather_.delay_spread / std::chrono::microseconds{1}))};
        if (random_.chance(weather_.reorder_percent)) delay += weather_.reorder_delay;
        copies.push_back({delay, packet});
    }
    return copies;
}

std::optional<std::size_t> Underlay::arrive(UnderlayPacket& packet) const {
    for (const NatBox& box : nats_) {
        if (box.address() != packet.destination.address) continue;
        const auto inside = box.enter(packet.destination, packet.source);
        if (!inside) return std::nullopt;
        packet.destination = *inside;
        break;
    }
    const auto found = stations_.find(packet.destination.address);
    return found == stations_.end() ? std::nullopt : std::optional{found->second.index};
}

}  // namespace nave::simulation
