// One visit for each job, and the way from a sender to it.
#include "controlplane/ike/waiting_room.hpp"

namespace nave::ike {

bool WaitingRoom::queue(const Sender& sender, Datagram datagram) {
    auto& behind = visits_.at(jobs_.at(sender)).behind;
    if (behind.size() >= kBehindMax) return false;
    behind.push_back(std::move(datagram));
    return true;
}

void WaitingRoom::wait_for(JobId job, Visit visit) {
    jobs_.emplace(visit.sender, job);
    visits_.emplace(job, std::move(visit));
}

std::optional<WaitingRoom::Visit> WaitingRoom::leave(JobId job) {
    auto node = visits_.extract(job);
    if (node.empty()) return std::nullopt;
    jobs_.erase(node.mapped().sender);
    return std::move(node.mapped());
}

}  // namespace nave::ike
