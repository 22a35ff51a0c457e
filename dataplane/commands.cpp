// Commands, one function for each kind that does more than change a table.
#include "dataplane/commands.hpp"

#include <type_traits>

namespace nave::dataplane {

namespace {

void reset(SaCounters& counters) {
    counters.packets.set(0);
    counters.bytes.set(0);
}

struct Executor {
    WorkerState& worker;

    /// Commands that only change a table.
    template <class Plain>
    bool operator()(const Plain& command) {
        return worker.tables.update(command);
    }
    bool operator()(const InstallInboundSa& command) {
        if (!worker.tables.update(command, worker.crypto)) return false;
        reset(worker.all_counters.inbound[spi_layout::slot(command.spi).value]);
        return true;
    }
    bool operator()(const InstallOutboundSa& command) {
        if (!worker.tables.update(command, worker.crypto)) return false;
        if (command.owner == worker.id) reset(worker.all_counters.outbound[command.slot.value]);
        return true;
    }
    // An acknowledgement is due even if there was nothing: the control plane waits for it before it uses the slot again.
    bool operator()(const RemoveInboundSa& command) {
        const bool found = worker.tables.update(command);
        if (spi_layout::worker(command.spi) == worker.id) worker.emit(SaRemoved{Direction::inbound, spi_layout::slot(command.spi), command.spi});
        return found || spi_layout::worker(command.spi) != worker.id;
    }
    bool operator()(const RemoveOutboundSa& command) {
        // Goes to every worker, so that none sends any more; the owner answers.
        if (const auto spi = worker.tables.update(command)) worker.emit(SaRemoved{Direction::outbound, command.slot, *spi});
        return true;
    }
    bool operator()(const SetPeerRate& command) {
        if (!worker.tables.update(command)) return false;
        worker.shaper.set_rate(command.peer, command.to, worker.now);
        worker.peer_policer.set_rate(command.peer, command.from);
        return true;
    }
    bool operator()(const RemovePeer& command) {
        const bool found = worker.tables.update(command);
        if (found) forget_rates(command.peer);
        worker.emit(PeerRemoved{command.peer, command.removal, worker.id});
        return found;
    }
    bool operator()(const RemoveAdjacency& command) {
        const bool found = worker.tables.update(command);
        worker.emit(AdjacencyRemoved{command.adjacency, command.removal, worker.id});
        return found;
    }
    /// The next peer in the slot begins without.
    void forget_rates(PeerId peer) {
        worker.shaper.forget(peer, worker.drops);
        worker.peer_policer.set_rate(peer, 0);
        worker.counters.peers[peer.value].reset();
    }
    // The route writer's business.
    bool operator()(const SetRoute&) { return false; }
    bool operator()(const RemoveRoute&) { return false; }
    bool operator()(const ShutDown&) { return true; }
};

}  // namespace

void execute(const Command& command, WorkerState& worker) {
    if (!std::visit(Executor{worker}, command)) worker.counters.commands_refused.add(1);
}

}  // namespace nave::dataplane
