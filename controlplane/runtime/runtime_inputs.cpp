// What comes in: from the workers, the kernel and its twins.
#include "controlplane/runtime/runtime_impl.hpp"

#include "controlplane/kernel/datagram.hpp"

#include <fmt/format.h>

namespace nave::runtime {

void Runtime::Impl::drain_rings(TimePoint time) {
    for (PlaneRings* rings : around.rings) {
        rings->events.consume_all([&](const Event& event) { take_event(event, time); });
        for (int i = 0; i < kPacketsPerTurn; ++i) {
            if (!rings->punted.consume_one([&](const PacketMessage& punted) { take_packet(punted, time); })) break;
        }
    }
    around.route_rings.events.consume_all([&](const Event& event) { take_event(event, time); });
}

void Runtime::Impl::take_event(const Event& event, TimePoint time) {
    if (const auto* removed = std::get_if<AdjacencyRemoved>(&event)) return kernel.on_removed(*removed);
    gateway.on_event(event, time, out);
}

void Runtime::Impl::take_packet(const PacketMessage& punted, TimePoint time) {
    switch (punted.punt) {
    case Punt::ike:
    case Punt::ike_of_peer: return take_datagram(punted, time);
    case Punt::nhrp: return gateway.on_nhrp(punted.peer, punted.view(), time, out);
    case Punt::redirect: return gateway.on_redirect(punted.peer, punted.view(), time, out);
    case Punt::local:
        if (const auto too_big = kernel::parse_packet_too_big(punted.view()); too_big && gateway.sends_under(too_big->spi, too_big->remote)) {
            underlay.too_big(*too_big, time, underlay_out);
            perform_underlay();
        }
        return kernel.deliver(punted);
    case Punt::arp:
    case Punt::tunnel:
    case Punt::glean: return kernel.deliver(punted);
    case Punt::count: break;
    }
}

void Runtime::Impl::take_datagram(const PacketMessage& punted, TimePoint time) {
    const auto datagram = kernel::parse_datagram(punted.view());
    if (!datagram) {
        ++counted[fmt::format("underlay-datagram-{}", kernel::name(datagram.error()))];
        return;
    }
    gateway.on_datagram(punted.port, datagram->local, datagram->remote, datagram->payload, time, out);
}

void Runtime::Impl::take_computed(TimePoint time) {
    for (ike::Compute& job : crypto_pool.take_done()) gateway.on_computed(std::move(job), time, out);
}

void Runtime::Impl::take_fetched(TimePoint time) {
    for (const Fetcher::Result& result : fetcher.take()) gateway.on_fetched(ike::FetchId{result.id}, result.content, time, out);
}

void Runtime::Impl::take_resolved(TimePoint time) {
    for (const Resolver::Result& result : resolver.take()) gateway.on_resolved(result.name, result.addresses, time, out);
}

void Runtime::Impl::read_twin(std::size_t twin) {
    for (int i = 0; i < kPacketsPerTurn; ++i) {
        if (!kernel.read(twin, message)) return;
        inject(message);
    }
}

void Runtime::Impl::follow_kernel(TimePoint time) {
    const kernel::Kernel::Report report = kernel.synchronise();
    for (const overlay::Log& line : report.log) log(line.severity, line.key, line.text);
    if (const auto lost = kernel.lost_twin(); lost && !ending) {
        log(ike::Severity::error, "twin", fmt::format("ending because somebody removed the interface {}, the kernel's side of the gateway: start again", *lost));
        ending = true;
        exit_code = 2;
    }
    // Addresses and routes of the underlay first: what the overlay wants sent on them finds its way at once.
    if (report.underlay_changed) underlay.update(kernel.view().underlay, time, underlay_out);
    perform_underlay();
    for (const kernel::Change& change : report.changes) take_change(change, time);
    gateway.routes_followed(out);
    perform(time);
}

void Runtime::Impl::take_change(const kernel::Change& change, TimePoint time) {
    struct Visitor {
        Impl& self;
        TimePoint time;
        void operator()(const Command& command) { self.out.push_back(overlay::Dataplane{command}); }
        void operator()(const kernel::UnderlayAddressChange& change) {
            self.gateway.set_underlay_address(change.port, change.family, change.address, time, self.out);
        }
        void operator()(const kernel::LocalPrefixChange& change) { self.gateway.set_local_prefix(change.tunnel, change.prefix, change.present, time, self.out); }
        void operator()(const kernel::TunnelRouteChange& change) {
            self.gateway.set_tunnel_route(change.tunnel, change.prefix, change.gateway, change.present, time, self.out);
        }
        void operator()(const kernel::InsideRouteChange& change) {
            self.gateway.set_inside_route(change.tunnel, change.prefix, change.target, change.present, time, self.out);
        }
    };
    std::visit(Visitor{*this, time}, change);
}

}  // namespace nave::runtime
