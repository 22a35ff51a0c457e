// What goes out: what the overlay and the underlay want done.
#include "controlplane/runtime/runtime_impl.hpp"

#include <utility>

namespace nave::runtime {

void Runtime::Impl::perform(TimePoint time) {
    // Nothing that is performed calls the overlay, so one pass suffices.
    for (const overlay::Action& action : std::exchange(out, {})) perform(action, time);
}

void Runtime::Impl::perform(const overlay::Action& action, TimePoint time) {
    struct Visitor {
        Impl& self;
        TimePoint time;
        void operator()(const overlay::SendDatagram& datagram) { self.underlay.send(datagram, time, self.underlay_out); }
        void operator()(const overlay::SendNhrp& nhrp) {
            if (nhrp.packet.size() > PacketMessage::kBytesMax) {
                ++self.counted["nhrp-too-long"];
                return;
            }
            self.message.inject = PacketMessage::Inject::nhrp;
            self.message.peer = nhrp.peer;
            self.message.set(nhrp.packet);
            self.inject(self.message);
        }
        void operator()(const overlay::Dataplane& dataplane) { self.commands.send(dataplane.command); }
        void operator()(const overlay::ReachPeer& wish) {
            self.underlay.reach(wish, time, self.underlay_out);
            self.routes_suspect |= self.kernel.guard(wish.peer, wish.port, wish.remote.value);
        }
        void operator()(const overlay::ForgetPeer& gone) {
            self.underlay.forget(gone.peer);
            self.routes_suspect |= self.kernel.unguard(gone.peer);
        }
        void operator()(const overlay::KernelRoute& route) {
            if (const auto failure = self.kernel.set_route(route)) self.log(failure->severity, failure->key, failure->text);
        }
        void operator()(const overlay::ResolveHub& wanted) { self.resolver.resolve(wanted.name); }
        void operator()(const overlay::Log& line) { self.log(line.severity, line.key, line.text); }
        void operator()(const ike::Trace& trace) {
            if (self.key_log && !self.key_log->append(trace)) ++self.counted["key-log-lost"];
        }
        void operator()(const ike::FetchRevocation& wanted) { self.fetcher.fetch({wanted.id.value, wanted.url, wanted.body}); }
        void operator()(const ike::Compute& job) { self.crypto_pool.submit(job); }
        void operator()(const ike::KeyLog& keys) {
            if (self.key_log && !self.key_log->append(keys)) ++self.counted["key-log-lost"];
        }
    };
    std::visit(Visitor{*this, time}, action);
    perform_underlay();
}

void Runtime::Impl::perform_underlay() {
    struct Visitor {
        Impl& self;
        void operator()(const Command& command) { self.commands.send(command); }
        void operator()(const kernel::SendFrame& send) {
            if (send.frame.size() > PacketMessage::kBytesMax) {
                ++self.counted["underlay-frame-too-long"];
                return;
            }
            self.message.inject = PacketMessage::Inject::frame;
            self.message.port = send.port;
            self.message.set(send.frame);
            self.inject(self.message);
        }
        void operator()(const kernel::ResolveNeighbour& wanted) { self.kernel.resolve(wanted.port, wanted.address); }
        void operator()(const kernel::Unreachable& found) {
            const auto& port = self.around.config.ports.at(found.port.value);
            const std::string remote = found.remote.to_string();
            self.log(ike::Severity::warning, "unreachable-" + port.name,
                     found.next_hop ? fmt::format("port {}: {} does not answer, the next hop to {}: check the link and the port's gateway", port.name,
                                                  found.next_hop->to_string(), remote)
                                    : fmt::format("port {}: no route to {}: give the port a gateway, or the kernel a route through {}", port.name, remote, port.twin));
        }
    };
    for (const kernel::UnderlayAction& action : std::exchange(underlay_out, {})) std::visit(Visitor{*this}, action);
}

bool Runtime::Impl::inject(const PacketMessage& packet) {
    // Any worker can send anything: SAs that are another's are handed over by the worker itself.
    PlaneRings& rings = *around.rings.front();
    const bool taken = rings.injected.push(packet);
    if (!taken) ++counted["inject-ring-full"];
    rings.worker_bell.ring();
    return taken;
}

}  // namespace nave::runtime
