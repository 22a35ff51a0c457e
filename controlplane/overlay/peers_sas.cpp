// The ESP SAs of the peers: which one carries the traffic, and what the dataplane is told in which order.
#include "controlplane/overlay/peers.hpp"

#include <algorithm>

namespace nave::overlay {

Association* Peers::association(ike::SaId sa, Peer** peer) {
    *peer = find(sa);
    return *peer ? (*peer)->association(sa) : nullptr;
}

Child& Peers::child(Association& association, ike::ChildId id, TimePoint now) {
    for (Child& each : association.children)
        if (each.id == id) return each;
    Child& made = association.children.emplace_back();
    made.id = id, made.since = now;
    return made;
}

void Peers::install_inbound(const ike::InstallInbound& install, std::uint16_t replay_window, TimePoint now, Outbox& out) {
    Peer* peer = nullptr;
    Association* owner = association(install.sa, &peer);
    if (!owner) return spis_.release(install.spi);
    Child& pair = child(*owner, install.child, now);
    pair.inbound = install.spi, pair.algorithm = install.algorithm, pair.mode = install.mode, pair.esn = install.esn, pair.for_one_worker = install.resource.has_value();
    out.push_back(Dataplane{InstallInboundSa{install.spi, peer->id, install.algorithm, install.mode, install.esn, replay_window, install.limits, install.keymat}});
}

bool Peers::install_outbound(const ike::InstallOutbound& install, TimePoint now, Outbox& out) {
    Peer* peer = nullptr;
    Association* owner = association(install.sa, &peer);
    if (!owner) return true;
    const auto slot = outbound_.take();
    if (!slot) return install.resource.has_value();
    if (install.resource) {
        // Beside whatever SA the peer's traffic uses: it changes nothing for the other workers.
        Child& own = child(*owner, install.child, now);
        own.outbound = SaSlot{*slot}, own.outbound_spi = install.spi, own.out = {};
        const WorkerId worker{static_cast<std::uint8_t>(install.resource->value % workers_)};
        out.push_back(Dataplane{InstallOutboundSa{SaSlot{*slot}, worker, install.spi, peer->id, install.algorithm, install.mode, install.esn, install.limits,
                                                  install.keymat, true}});
        return true;
    }
    const WorkerId worker{next_owner_};
    next_owner_ = static_cast<std::uint8_t>((next_owner_ + 1) % workers_);
    const InstallOutboundSa command{SaSlot{*slot}, worker, install.spi, peer->id, install.algorithm, install.mode, install.esn, install.limits, install.keymat};
    child(*owner, install.child, now);

    const Association* other = peer->active && peer->active != install.sa ? peer->association(*peer->active) : nullptr;
    const bool crossing = other && other->initiator != owner->initiator && other->remote.address == owner->remote.address && now - other->since < kCrossingWindow;
    if (crossing && peer->active_child) {
        // Both ends started at once; IKE gives up one of the two soon. Both hold both, so either will do until then,
        // and an SA that was never used can still take over without a gap.
        if (owner->standby) outbound_.give_back(owner->standby->slot.value);
        owner->standby = command, owner->standby_child = install.child;
        return true;
    }
    if (other) {
        for (Association& each : peer->associations) {
            if (each.sa == install.sa || each.replaced) continue;
            each.replaced = true;
            replaced_.push_back(each.sa);
        }
    }
    use(*peer, *owner, command, install.child, out);
    return true;
}

void Peers::use(Peer& peer, Association& association, const InstallOutboundSa& command, ike::ChildId id, Outbox& out) {
    if (peer.active != association.sa && peer.associations.size() > 1) reach(peer, association, out);
    Child& pair = child(association, id, association.since);
    pair.outbound = command.slot, pair.outbound_spi = command.spi, pair.out = {};
    peer.active = association.sa, peer.active_child = id;
    association.replaced = false;
    out.push_back(Dataplane{command});
}

void Peers::replace_active(Peer& peer, Outbox& out) {
    peer.active.reset(), peer.active_child.reset();
    for (Association& each : peer.associations) {
        if (!each.standby) continue;
        const InstallOutboundSa command = *each.standby;
        each.standby.reset();
        return use(peer, each, command, each.standby_child, out);
    }
    // An outbound SA that was in use cannot be taken up again under the same key (its numbers would repeat): ask for a new one.
    for (auto each = peer.associations.rbegin(); each != peer.associations.rend(); ++each) {
        for (const Child& pair : each->children) {
            if (!pair.inbound || pair.for_one_worker) continue;
            peer.active = each->sa;
            each->replaced = false;
            reach(peer, *each, out);
            rekeys_.emplace_back(each->sa, *pair.inbound);
            return;
        }
    }
}

void Peers::remove_inbound(ike::SaId sa, Spi spi, TimePoint now, Outbox& out) {
    Peer* peer = nullptr;
    Association* owner = association(sa, &peer);
    if (!owner) return;
    for (Child& each : owner->children)
        if (each.inbound == spi) drop_inbound(*peer, each, peer->associations.size() == 1, now, out);
    std::erase_if(owner->children, [](const Child& each) { return !each.inbound && !each.outbound; });
}

void Peers::remove_outbound(ike::SaId sa, ike::ChildId id, TimePoint now, Outbox& out) {
    Peer* peer = nullptr;
    Association* owner = association(sa, &peer);
    if (!owner) return;
    if (owner->standby && owner->standby_child == id) {
        outbound_.give_back(owner->standby->slot.value);
        owner->standby.reset();
        return;
    }
    const auto found = std::ranges::find(owner->children, id, &Child::id);
    if (found == owner->children.end()) return;
    Child gone = *found;
    found->outbound.reset();
    std::erase_if(owner->children, [](const Child& each) { return !each.inbound && !each.outbound; });
    if (peer->active == sa && peer->active_child == id) replace_active(*peer, out);
    drop_outbound(*peer, gone, now, out);
}

void Peers::drop_inbound(Peer& peer, Child& pair, bool at_once, TimePoint now, Outbox& out) {
    if (!pair.inbound) return;
    inbound_going_[*pair.inbound] = {peer.id, plan(now + (at_once ? kAskAgainAfter : kInboundLingers)), at_once};
    ++peer.acknowledgements_due;
    if (at_once) out.push_back(Dataplane{RemoveInboundSa{*pair.inbound}});
    pair.inbound.reset();
}

void Peers::drop_outbound(Peer& peer, Child& pair, TimePoint now, Outbox& out) {
    if (!pair.outbound) return;
    outbound_going_[*pair.outbound] = {peer.id, plan(now + kAskAgainAfter)};
    ++peer.acknowledgements_due;
    out.push_back(Dataplane{RemoveOutboundSa{*pair.outbound, peer.id}});
    pair.outbound.reset();
}

}  // namespace nave::overlay
