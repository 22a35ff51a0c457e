// The thread that alone changes the route tables: carries out what the control plane sends over a ring of its own.
#pragma once

#include "common/counters.hpp"
#include "common/plane_rings.hpp"
#include "dataplane/route_tables.hpp"

namespace nave::dataplane {

/// A thread apart from the workers, so that no change, however large (a /1 is 32 MB to write), keeps packets waiting. Changes are
/// made in the order of the commands. A removal of a peer or neighbour is acknowledged when all changes before it are made.
class RouteWriter {
public:
    /// All three outlive the writer.
    RouteWriter(RouteTables& routes, RouteRings& rings, RouteCounters& counters) : routes_{routes}, rings_{rings}, counters_{counters} {}

    enum class Round : std::uint8_t {
        idle,     // nothing is left in the ring
        more,     // there may be more
        waiting,  // the next change waits for the workers
    };
    /// Carries out commands that wait, a bounded number. The writer's thread, or a test's instead of it.
    Round work();
    /// Works until the command ShutDown, sleeps when there is nothing to do. To be run by a thread of its own: names it, blocks signals.
    void run();

private:
    /// False when it has to wait.
    bool execute(const RouteCommand& command);
    bool count(RouteTables::Outcome outcome);
    void emit(const Event& event);

    RouteTables& routes_;
    RouteRings& rings_;
    RouteCounters& counters_;
    bool waiting_ = false, event_sent_ = false, stopping_ = false;
};

}  // namespace nave::dataplane
