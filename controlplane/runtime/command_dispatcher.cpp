// Who gets which command.
#include "controlplane/runtime/command_dispatcher.hpp"

namespace nave::runtime {

CommandDispatcher::CommandDispatcher(std::span<PlaneRings* const> rings) {
    for (PlaneRings* ring : rings) lanes_.push_back({.rings = ring, .waiting = {}});
}

void CommandDispatcher::send_to(std::size_t worker, const Command& command) {
    Lane& lane = lanes_.at(worker);
    lane.ring_bell = true;
    if (lane.waiting.empty() && lane.rings->commands.push(command)) return;
    lane.waiting.push_back(command);
    ++delayed_;
}

void CommandDispatcher::send(const Command& command) {
    if (const auto* install = std::get_if<InstallInboundSa>(&command)) {
        send_to(spi_layout::worker(install->spi).value, command);
    } else if (const auto* remove = std::get_if<RemoveInboundSa>(&command)) {
        send_to(spi_layout::worker(remove->spi).value, command);
    } else if (std::holds_alternative<SetRoute>(command) || std::holds_alternative<RemoveRoute>(command)) {
        send_to(0, command);
    } else {
        for (std::size_t worker = 0; worker < lanes_.size(); ++worker) send_to(worker, command);
    }
}

void CommandDispatcher::flush() {
    for (Lane& lane : lanes_) {
        while (!lane.waiting.empty() && lane.rings->commands.push(lane.waiting.front())) {
            lane.waiting.pop_front();
            lane.ring_bell = true;
        }
        if (lane.ring_bell) lane.rings->worker_bell.ring();
        lane.ring_bell = false;
    }
}

std::size_t CommandDispatcher::waiting() const {
    std::size_t count = 0;
    for (const Lane& lane : lanes_) count += lane.waiting.size();
    return count;
}

}  // namespace nave::runtime
