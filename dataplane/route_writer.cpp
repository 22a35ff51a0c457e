// Commands for the route tables, one after the other, and the writer's rests.
#include "dataplane/route_writer.hpp"

#include <csignal>
#include <ctime>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <utility>

namespace nave::dataplane {

namespace {

constexpr int kCommandsPerRound = 256;  // until acknowledgements are told
constexpr long kPauseNanoseconds = 10'000;  // while workers end the turn that they are in

void prepare_thread() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are the control thread's
    pthread_setname_np(pthread_self(), "nave-routes");
    // The kernel may otherwise make each pause 50 microseconds longer.
    constexpr unsigned long kSlackNanoseconds = 1000;
    prctl(PR_SET_TIMERSLACK, kSlackNanoseconds, 0, 0, 0);
}

void pause() {
    const timespec span{.tv_sec = 0, .tv_nsec = kPauseNanoseconds};
    nanosleep(&span, nullptr);
}

}  // namespace

RouteWriter::Round RouteWriter::work() {
    auto& commands = rings_.commands;
    Round round = Round::idle;
    for (int budget = kCommandsPerRound; commands.read_available() > 0; --budget) {
        if (budget == 0) {
            round = Round::more;
            break;
        }
        if (!execute(commands.front())) {
            // Counted once, however often it is tried.
            if (!std::exchange(waiting_, true)) counters_.grace_waits.add(1);
            round = Round::waiting;
            break;
        }
        waiting_ = false;
        commands.pop();
    }
    if (std::exchange(event_sent_, false)) rings_.control_bell->ring();
    return round;
}

bool RouteWriter::execute(const RouteCommand& command) {
    struct Visitor {
        RouteWriter& self;
        bool operator()(const SetRoute& set) { return self.count(self.routes_.set(set.table, set.prefix, set.target)); }
        bool operator()(const RemoveRoute& remove) { return self.count(self.routes_.remove(remove.table, remove.prefix)); }
        bool operator()(const RemovePeer& remove) { return self.emit(PeerRemoved{remove.peer, remove.removal, kRouteWriter}), true; }
        bool operator()(const RemoveAdjacency& remove) { return self.emit(AdjacencyRemoved{remove.adjacency, remove.removal, kRouteWriter}), true; }
        bool operator()(const ShutDown&) { return self.stopping_ = true; }
    };
    return std::visit(Visitor{*this}, command);
}

bool RouteWriter::count(RouteTables::Outcome outcome) {
    switch (outcome) {
    case RouteTables::Outcome::wait: return false;
    case RouteTables::Outcome::done: counters_.changes.add(1); break;
    case RouteTables::Outcome::refused: counters_.refused.add(1); break;
    }
    return true;
}

void RouteWriter::emit(const Event& event) {
    if (rings_.events.push(event)) event_sent_ = true;
    else counters_.events_lost.add(1);
}

void RouteWriter::run() {
    prepare_thread();
    while (!stopping_) {
        switch (work()) {
        case Round::more: break;
        case Round::waiting: pause(); break;
        case Round::idle:
            rings_.writer_bell.announce_sleep();
            if (!stopping_ && rings_.commands.read_available() == 0) {
                pollfd bell{.fd = rings_.writer_bell.descriptor(), .events = POLLIN, .revents = 0};
                poll(&bell, 1, -1);
            }
            rings_.writer_bell.awake();
            break;
        }
    }
}

}  // namespace nave::dataplane
