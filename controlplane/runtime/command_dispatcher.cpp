// Who gets which command.
#include "controlplane/runtime/command_dispatcher.hpp"

namespace nave::runtime {

namespace {

template <class Lane>
void flush_lane(Lane& lane) {
    while (!lane.waiting.empty() && lane.ring->push(lane.waiting.front())) {
        lane.waiting.pop_front();
        lane.ring_bell = true;
    }
    if (lane.ring_bell) lane.bell->ring();
    lane.ring_bell = false;
}

}  // namespace

CommandDispatcher::CommandDispatcher(std::span<PlaneRings* const> workers, RouteRings& routes) : routes_{.ring = &routes.commands, .bell = &routes.writer_bell} {
    for (PlaneRings* rings : workers) workers_.push_back({.ring = &rings->commands, .bell = &rings->worker_bell});
}

template <class Ring>
void CommandDispatcher::put(Lane<Ring>& lane, const typename Ring::value_type& command) {
    lane.ring_bell = true;
    if (lane.waiting.empty() && lane.ring->push(command)) return;
    lane.waiting.push_back(command);
    ++delayed_;
}

void CommandDispatcher::send(const Command& command) {
    if (const auto share = for_route_writer(command)) put(routes_, *share);
    if (!is_for_workers(command)) return;
    if (const auto* install = std::get_if<InstallInboundSa>(&command)) {
        put(workers_.at(spi_layout::worker(install->spi).value), command);
    } else if (const auto* remove = std::get_if<RemoveInboundSa>(&command)) {
        put(workers_.at(spi_layout::worker(remove->spi).value), command);
    } else {
        for (auto& lane : workers_) put(lane, command);
    }
}

void CommandDispatcher::flush() {
    for (auto& lane : workers_) flush_lane(lane);
    flush_lane(routes_);
}

std::size_t CommandDispatcher::waiting() const {
    std::size_t count = routes_.waiting.size();
    for (const auto& lane : workers_) count += lane.waiting.size();
    return count;
}

}  // namespace nave::runtime
