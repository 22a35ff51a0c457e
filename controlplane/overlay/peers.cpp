// The table of peers: who is there, and how one comes and goes; see the header.
#include "controlplane/overlay/peers.hpp"

#include <algorithm>

namespace nave::overlay {

Peers::Peers(std::uint32_t peers_max, std::uint32_t sa_slots, std::uint8_t workers, SpiAllocator& spis)
    : spis_{spis}, ids_{peers_max}, outbound_{sa_slots}, workers_{std::max<std::uint8_t>(workers, 1)}, peers_(peers_max) {}

Peer* Peers::admit(const Admission& admission, const ike::SaUp& up, TimePoint now, Outbox& out) {
    Peer* peer = find(admission.tunnel, up.remote_identity);
    const bool is_new = !peer;
    if (is_new) {
        const auto id = ids_.take();
        if (!id) return nullptr;
        auto& slot = peers_[*id];
        slot = std::make_unique<Peer>();
        peer = slot.get();
        peer->id = PeerId{*id}, peer->tunnel = admission.tunnel, peer->identity = up.remote_identity, peer->since = now;
        peer->last_data_in = peer->last_data_out = now;
        by_identity_[{admission.tunnel, up.remote_identity}] = peer->id;
    }
    peer->role = admission.role, peer->group = admission.group, peer->port = admission.port, peer->subject = up.subject;
    if (admission.role == Role::hub) peer->multicast = true;
    tell(*peer, out);
    limit(*peer, admission.rates, out);

    Association association;
    association.sa = up.sa, association.initiator = up.initiator, association.since = association.heard_at = now;
    association.local_behind_nat = up.local_behind_nat, association.remote_behind_nat = up.remote_behind_nat;
    association.encapsulated = up.encapsulated, association.local = up.local_endpoint, association.remote = up.remote_endpoint;
    peer->associations.push_back(association);
    by_sa_[up.sa] = peer->id;
    if (is_new) reach(*peer, peer->associations.back(), out);
    return peer;
}

void Peers::tell(const Peer& peer, Outbox& out) const {
    SetPeer set{};
    set.peer = peer.id, set.tunnel = peer.tunnel, set.group = peer.group;
    set.any_source = peer.role == Role::hub, set.multicast = peer.multicast;
    const std::size_t count = std::min(peer.sources.size(), SetPeer::kSourcesMax);
    set.source_count = static_cast<std::uint8_t>(count);
    std::copy_n(peer.sources.begin(), count, set.sources.begin());
    out.push_back(Dataplane{set});
}

void Peers::limit(Peer& peer, const RateLimits& rates, Outbox& out) const {
    if (rates == peer.rates) return;
    peer.rates = rates;
    out.push_back(Dataplane{SetPeerRate{peer.id, rates.to.value_or(0), rates.from.value_or(0)}});
}

void Peers::reach(const Peer& peer, const Association& association, Outbox& out) const {
    ReachPeer reach{};
    reach.peer = peer.id, reach.port = peer.port, reach.local = association.local.address, reach.remote = association.remote.address;
    if (association.encapsulated) reach.local_udp_port = association.local.port, reach.remote_udp_port = association.remote.port;
    out.push_back(reach);
}

void Peers::move(Peer& peer, ike::SaId sa, const NbmaEndpoint& local, const NbmaEndpoint& remote, Outbox& out) {
    Association* moved = peer.association(sa);
    if (!moved || (moved->local == local && moved->remote == remote)) return;
    moved->local = local, moved->remote = remote;
    if (peer.active == sa || !peer.active) reach(peer, *moved, out);
}

void Peers::detach(ike::SaId sa, TimePoint now, Outbox& out) {
    Peer* peer = nullptr;
    Association* gone = association(sa, &peer);
    if (!gone) return;
    by_sa_.erase(sa);
    const bool was_active = peer->active == sa;
    if (gone->standby) outbound_.give_back(gone->standby->slot.value);
    std::vector<Child> children = std::move(gone->children);
    std::erase_if(peer->associations, [&](const Association& each) { return each.sa == sa; });
    // The outbound SA of the other association goes in before this one's goes out, so that no packet finds none.
    if (was_active) replace_active(*peer, out);
    for (Child& each : children) {
        drop_outbound(*peer, each, now, out);
        drop_inbound(*peer, each, peer->associations.empty(), now, out);
    }
}

void Peers::leave(Peer& peer, TimePoint now, Outbox& out) {
    if (peer.leaving) return;
    peer.leaving = true;
    if (const auto found = by_identity_.find({peer.tunnel, peer.identity}); found != by_identity_.end() && found->second == peer.id)
        by_identity_.erase(found);
    out.push_back(ForgetPeer{peer.id});
    for (auto& [spi, awaited] : inbound_going_) {
        if (awaited.peer != peer.id || awaited.asked) continue;
        awaited = {peer.id, plan(now + kAskAgainAfter)};
        out.push_back(Dataplane{RemoveInboundSa{spi}});
    }
    if (peer.acknowledgements_due == 0) send_remove(peer, now, out);
}

void Peers::send_remove(Peer& peer, TimePoint now, Outbox& out) {
    peers_going_.insert_or_assign(peer.id, PeerGoing{plan(now + kAskAgainAfter), ++removals_, Acknowledgements{workers_}});
    out.push_back(Dataplane{RemovePeer{peer.id, removals_}});
}

void Peers::acknowledged(PeerId id, TimePoint now, Outbox& out) {
    Peer* peer = find(id);
    if (!peer || peer->acknowledgements_due == 0) return;
    if (--peer->acknowledgements_due == 0 && peer->leaving) send_remove(*peer, now, out);
}

void Peers::on_removed(const SaRemoved& removed, TimePoint now, Outbox& out) {
    if (removed.direction == Direction::inbound) {
        const auto found = inbound_going_.find(removed.spi);
        if (found == inbound_going_.end()) return;
        const PeerId peer = found->second.peer;
        spis_.removed(removed.spi);
        inbound_going_.erase(found);
        return acknowledged(peer, now, out);
    }
    const auto found = outbound_going_.find(removed.slot);
    if (found == outbound_going_.end()) return;
    const PeerId peer = found->second.peer;
    outbound_.give_back(removed.slot.value);
    outbound_going_.erase(found);
    acknowledged(peer, now, out);
}

void Peers::on_removed(const PeerRemoved& removed) {
    const auto found = peers_going_.find(removed.peer);
    if (found == peers_going_.end() || found->second.removal != removed.removal || !found->second.due.mark(removed.by)) return;
    peers_going_.erase(found);
    peers_[removed.peer.value].reset();
    ids_.give_back(removed.peer.value);
}

void Peers::on_deadline(TimePoint now, Outbox& out) {
    if (!sweep_at_ || *sweep_at_ > now) return;
    sweep_at_.reset();
    for (auto& [spi, awaited] : inbound_going_) {
        if (awaited.ask_at <= now) {
            awaited.ask_at = now + kAskAgainAfter, awaited.asked = true;
            out.push_back(Dataplane{RemoveInboundSa{spi}});
        }
        plan(awaited.ask_at);
    }
    for (auto& [slot, awaited] : outbound_going_) {
        if (awaited.ask_at <= now) {
            awaited.ask_at = now + kAskAgainAfter;
            out.push_back(Dataplane{RemoveOutboundSa{slot, awaited.peer}});
        }
        plan(awaited.ask_at);
    }
    for (auto& [id, going] : peers_going_) {
        if (going.ask_at <= now) {
            going.ask_at = now + kAskAgainAfter;
            out.push_back(Dataplane{RemovePeer{id, going.removal}});
        }
        plan(going.ask_at);
    }
}

TimePoint Peers::plan(TimePoint when) {
    sweep_at_ = earlier(sweep_at_, when);
    return when;
}

Peer* Peers::find(PeerId id) { return id.value < peers_.size() ? peers_[id.value].get() : nullptr; }

Peer* Peers::find(ike::SaId sa) {
    const auto found = by_sa_.find(sa);
    return found == by_sa_.end() ? nullptr : find(found->second);
}

Peer* Peers::find(TunnelId tunnel, const ike::Identity& identity) {
    const auto found = by_identity_.find({tunnel, identity});
    return found == by_identity_.end() ? nullptr : find(found->second);
}

std::vector<Peer*> Peers::live() {
    std::vector<Peer*> all;
    for (const auto& [key, id] : by_identity_) all.push_back(find(id));
    return all;
}

std::vector<const Peer*> Peers::live() const {
    std::vector<const Peer*> all;
    for (const auto& [key, id] : by_identity_) all.push_back(find(id));
    return all;
}

}  // namespace nave::overlay
