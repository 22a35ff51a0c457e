// The node: owns the parts and hands each input to those that it concerns.
#include "controlplane/nhrp/node.hpp"

#include "controlplane/nhrp/bindings.hpp"
#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/introductions.hpp"
#include "controlplane/nhrp/purger.hpp"
#include "controlplane/nhrp/receiver.hpp"
#include "controlplane/nhrp/registrar.hpp"
#include "controlplane/nhrp/resolver.hpp"
#include "controlplane/nhrp/responder.hpp"
#include "controlplane/nhrp/transit.hpp"
#include "controlplane/nhrp/vouchers.hpp"

#include <algorithm>

namespace nave::nhrp {
namespace {

constexpr std::uint8_t kIndicationHopCount = 1;    // Cisco rejects 0
constexpr std::size_t kIndicationQuoteMax = 128;   // enough for any header that says who talks to whom

}  // namespace

struct Node::Parts {
    Parts(Settings settings, TunnelAddress own, std::uint8_t subnet_length, Random& random, const Directory& directory)
        : context{std::move(settings), own, subnet_length, random, directory} {}

    Context context;
    Purger purger{context};
    HubBindings of_hubs{context};
    Bindings bindings{context, purger, of_hubs};
    Registrar registrar{context, purger};
    Vouchers vouchers{context};
    Resolver resolver{context, registrar, vouchers};
    Introductions introductions{context, bindings, resolver, vouchers};
    Responder responder{context, purger, registrar};
    Transit transit{context, purger};
    Receiver receiver{{context, purger, bindings, of_hubs, registrar, resolver, responder, transit, vouchers, introductions}};
};

Node::Node(Settings settings, TunnelAddress own_address, std::uint8_t subnet_length, Random& random, const Directory& directory)
    : parts_{std::make_unique<Parts>(std::move(settings), own_address, subnet_length, random, directory)} {}
Node::~Node() = default;
Node::Node(Node&&) noexcept = default;

void Node::set_settings(Settings settings) { parts_->context.settings = std::move(settings); }

void Node::set_own_address(TunnelAddress address, std::uint8_t subnet_length, TimePoint now, Outbox& out) {
    Context& context = parts_->context;
    if (context.own == address) {
        context.subnet_length = subnet_length;
        return;
    }
    parts_->registrar.withdraw_all(out);
    parts_->purger.purge_next_hop(context.own, now, out);
    parts_->resolver.clear(out);
    context.own = address;
    context.subnet_length = subnet_length;
    parts_->registrar.restart(now, out);
}

void Node::set_local_prefixes(std::vector<Prefix> prefixes, TimePoint now, Outbox& out) {
    for (const auto& gone : parts_->registrar.set_prefixes(std::move(prefixes), now))
        parts_->purger.purge_answers(parts_->context.own, gone, now, out);
    parts_->of_hubs.recheck(out);
}

void Node::tell_hubs(const Prefix& prefix, const std::optional<std::string>& holder, TimePoint now) { parts_->registrar.tell(prefix, holder, now); }

void Node::peer_up(PeerId peer, TimePoint now, Outbox& out) { parts_->registrar.peer_up(peer, now, out); }

void Node::peer_down(PeerId peer, TimePoint now, Outbox& out) {
    parts_->registrar.peer_down(peer, out);
    parts_->bindings.peer_down(peer, now, out);
    parts_->of_hubs.peer_down(peer, out);
    parts_->purger.peer_down(peer);
    parts_->resolver.peer_down(peer);
    parts_->introductions.peer_down(peer);
}

void Node::add_next_hop_server(NhsId nhs, PeerId peer, std::optional<TunnelAddress> hub, TimePoint now, Outbox& out) {
    parts_->registrar.add(nhs, peer, hub, now, out);
}

void Node::remove_next_hop_server(NhsId nhs, TimePoint, Outbox& out) { parts_->registrar.remove(nhs, out); }

void Node::on_packet(PeerId from, ByteView bytes, TimePoint now, Outbox& out) { parts_->receiver.on_packet(from, bytes, now, out); }

void Node::resolve(const IpAddress& destination, TimePoint now, Outbox& out) { parts_->resolver.resolve(destination, now, out); }

void Node::relayed(PeerId from, ByteView packet, TimePoint, Outbox& out) {
    Context& context = parts_->context;
    const auto addresses = inner_addresses(packet);
    if (!context.settings.redirect || context.directory.is_server(from)) return;  // another hub tells its spoke itself
    const auto is_local = [](const IpAddress& address) { return address.is_multicast() || address.is_link_local(); };
    if (!addresses || addresses->source.family() != context.own.value.family() || is_local(addresses->source) || is_local(addresses->destination))
        return context.counters.add(Counter::unusable_indication);
    // Deployed peers expect the source of the traffic here, not its destination: it is where the indication must go.
    Packet indication = context.originate(PacketType::traffic_indication, from, addresses->source);
    indication.hop_count = kIndicationHopCount;
    const ByteView quoted = packet.first(std::min(packet.size(), kIndicationQuoteMax));
    indication.quoted.assign(quoted.begin(), quoted.end());
    context.send(from, std::move(indication), out);
}

void Node::shortcut_used(const Prefix& prefix) { parts_->resolver.used(prefix); }

void Node::forget(const Prefix& prefix) { parts_->resolver.forget(prefix); }

void Node::recheck(PeerId peer, TimePoint now, Outbox& out) { parts_->bindings.recheck(peer, now, out); }

void Node::shut_down(TimePoint now, Outbox& out) {
    parts_->purger.purge_next_hop(parts_->context.own, now, out);
    parts_->registrar.shut_down(out);
}

void Node::on_deadline(TimePoint now, Outbox& out) {
    parts_->bindings.on_deadline(now, out);
    parts_->of_hubs.on_deadline(now, out);
    parts_->registrar.on_deadline(now, out);
    parts_->resolver.on_deadline(now, out);
    parts_->purger.on_deadline(now, out);
    parts_->vouchers.on_deadline(now);
}

std::optional<TimePoint> Node::next_deadline() const {
    return earlier(earlier(earlier(parts_->bindings.next_deadline(), parts_->of_hubs.next_deadline()), parts_->registrar.next_deadline()),
                   earlier(earlier(parts_->resolver.next_deadline(), parts_->vouchers.next_deadline()), parts_->purger.next_deadline()));
}

Snapshot Node::snapshot() const {
    Snapshot snapshot;
    snapshot.own_address = parts_->context.own;
    parts_->bindings.append_to(snapshot);
    parts_->of_hubs.append_to(snapshot);
    parts_->registrar.append_to(snapshot);
    parts_->resolver.append_to(snapshot);
    snapshot.answers = parts_->purger.answer_count();
    snapshot.purges = parts_->purger.pending_count();
    for (std::size_t i = 0; i < static_cast<std::size_t>(Counter::count); ++i) {
        const auto counter = static_cast<Counter>(i);
        if (const auto value = parts_->context.counters.value(counter); value != 0) snapshot.counters.emplace_back(name(counter), value);
    }
    return snapshot;
}

}  // namespace nave::nhrp
