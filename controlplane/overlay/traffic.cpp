// What the dataplane counts and reports: liveness, unused shortcuts, rekeys at limits, peers that moved behind a NAT.
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace nave::overlay {

namespace {
// We send and hear nothing: whoever waits for an answer shall not wait for the whole liveness interval.
constexpr Duration kDeafAfter = std::chrono::seconds{2}, kProbeInterval = std::chrono::seconds{5};
constexpr Duration kFollowInterval = std::chrono::seconds{5};  // between two changes of path that only packets show

/// What was added since the last reading. A count below the last one belongs to a new SA in the same slot.
Traffic advance(Traffic& last, const SaCounters& counters) {
    const Traffic now{counters.packets.read(), counters.bytes.read()};
    const bool restarted = now.packets < last.packets;
    const Traffic added{restarted ? now.packets : now.packets - last.packets, restarted || now.bytes < last.bytes ? now.bytes : now.bytes - last.bytes};
    last = now;
    return added;
}

/// True if more data than ever seen has passed; NHRP's own packets do not count as use.
bool has_new_data(const Traffic& total, std::uint64_t nhrp, std::uint64_t& seen) {
    const std::uint64_t data = total.packets > nhrp ? total.packets - nhrp : 0;
    if (data <= seen) return false;
    seen = data;
    return true;
}
RateCounts rate_counts(PeerId peer, const Counters& counters) {
    RateCounts sum;
    for (const WorkerCounters& worker : counters.workers) {
        const PeerRateCounters& each = worker.peers.at(peer.value);
        sum.shaped_bytes += each.shaped_bytes.read();
        sum.policed += each.policed.read();
        for (std::size_t i = 0; i < kTrafficClasses; ++i) sum.shaper_drops[i] += each.shaper_drops[i].read();
    }
    return sum;
}
}  // namespace

bool Gateway::sends_under(Spi spi, const NbmaAddress& remote) {
    const bool is_known = std::ranges::any_of(impl_->peers.live(), [&](const Peer* peer) {
        return std::ranges::any_of(peer->associations, [&](const Association& each) {
            return each.remote.address == remote && std::ranges::any_of(each.children, [&](const Child& child) { return child.outbound && child.outbound_spi == spi; });
        });
    });
    if (!is_known) impl_->count("overlay-packet-too-big-made-up");
    return is_known;
}

void Gateway::Impl::read_counters(Peer& peer, const Counters& counters, TimePoint now) {
    if (peer.rates != RateLimits{}) peer.rate_counts = rate_counts(peer.id, counters);
    for (Association& association : peer.associations) {
        bool heard = false;
        for (Child& child : association.children) {
            if (child.inbound) {
                const Traffic added = advance(child.in, counters.inbound.at(spi_layout::slot(*child.inbound).value));
                heard = heard || added.packets > 0;
                peer.in += added;
            }
            if (!child.outbound) continue;
            const Traffic added = advance(child.out, counters.outbound.at(child.outbound->value));
            if (added.packets > 0) association.sent_at = now;
            peer.out += added;
        }
        if (heard) association.heard_at = now;
        if (heard) endpoint.traffic_seen(association.sa, now);
    }
    if (has_new_data(peer.in, peer.nhrp_in, peer.data_in_seen)) peer.last_data_in = now;
    if (!has_new_data(peer.out, peer.nhrp_out, peer.data_out_seen)) return;
    peer.last_data_out = now;
    TunnelState& home = tunnel(peer.tunnel);
    for (const auto& [prefix, shortcut] : home.shortcuts)
        if (shortcut.peer == peer.id) home.node.shortcut_used(prefix);
}

void Gateway::Impl::probe_if_deaf(Peer& peer, TimePoint now, Outbox& out) {
    if (!peer.active) return;
    const Association* association = peer.association(*peer.active);
    const bool is_deaf = association && association->sent_at == now && now - association->heard_at >= kDeafAfter;
    if (is_deaf && now - association->probed_at >= kProbeInterval) probe(peer, now, out);
}

void Gateway::Impl::probe(Peer& peer, TimePoint now, Outbox& out) {
    Association* association = peer.active ? peer.association(*peer.active) : nullptr;
    if (!association) return;
    association->probed_at = now;
    ike::Outbox actions;
    endpoint.probe(association->sa, now, actions);
    run_ike(std::move(actions), now, out);
}

void Gateway::Impl::close_if_idle(Peer& peer, TimePoint now, Outbox& out) {
    TunnelState& home = tunnel(peer.tunnel);
    if (!home.is_spoke() || peer.role == Role::hub || peer.leaving) return;
    const Duration limit = home.tunnel.shortcut_idle;
    if (now - peer.last_data_out < limit) return;
    remove_shortcuts_through(home, peer.id, "unused", out);
    if (now - peer.last_data_in < limit || now - peer.since < limit) return;
    log(out, ike::Severity::notice, "peer-" + peer.identity.to_string(), fmt::format("{}: closing the unused direct path to {}", home.tunnel.name, peer.identity.to_string()));
    for (const Association& association : std::vector<Association>{peer.associations})
        close(association.sa, ike::DownReason::closed_by_us, false, now, out);
}

/// A key that differs at one end looks like silence at the other.
void Gateway::Impl::tell_wrong_keys(const Counters& counters, Outbox& out) {
    std::uint64_t dropped = 0;
    for (const WorkerCounters& worker : counters.workers) dropped += worker.drops[std::to_underlying(Drop::gre_wrong_key)].read();
    if (dropped > wrong_keys)
        log(out, ike::Severity::warning, "gre-key", fmt::format("{} packets with another GRE key than that of their peer's tunnel were dropped: compare key of the tunnel at "
                                                                "both ends", dropped - wrong_keys));
    wrong_keys = dropped;
}

void Gateway::Impl::handle(const SaNearLimit& near, TimePoint now, Outbox& out) {
    const Peer* peer = peers.find(near.peer);
    if (!peer) return;
    for (const Association& association : peer->associations) {
        for (const Child& child : association.children) {
            const bool is_it = near.direction == Direction::inbound ? child.inbound == near.spi : child.outbound == near.slot;
            if (!is_it || !child.inbound) continue;
            ike::Outbox actions;
            endpoint.rekey_child(association.sa, *child.inbound, now, actions);
            return run_ike(std::move(actions), now, out);
        }
    }
}

void Gateway::Impl::handle(const InboundSaUsed& used, TimePoint now, Outbox& out) {
    const Peer* peer = peers.find(used.peer);
    if (!peer) return;
    for (const Association& association : peer->associations) {
        for (const Child& child : association.children) {
            if (child.inbound != used.spi) continue;
            ike::Outbox actions;
            endpoint.inbound_used(association.sa, used.spi, now, actions);
            run_ike(std::move(actions), now, out);
            return begin_introduction(tunnel(peer->tunnel), used.peer, now, out);
        }
    }
}

void Gateway::Impl::handle(const PeerMoved& moved, TimePoint now, Outbox& out) {
    Peer* peer = peers.find(moved.peer);
    if (!peer || !peer->active) return;
    const Association* association = peer->association(*peer->active);
    // RFC 7296 §2.23: only a peer behind a NAT may move without telling IKE.
    if (!association || !association->remote_behind_nat || !association->encapsulated) return;
    const bool is_active = std::ranges::any_of(association->children, [&](const Child& child) { return child.inbound == moved.spi; });
    if (!is_active || now - peer->path_followed_at < kFollowInterval) return;
    peer->path_followed_at = now;
    count("overlay-paths-followed");
    // By way of IKE, whose own messages have to follow as well; it tells where the path leads now.
    ike::Outbox actions;
    endpoint.peer_moved(association->sa, moved.seen, now, actions);
    run_ike(std::move(actions), now, out);
}

}  // namespace nave::overlay
