// The operator's side: what is shown of the overlay, and which peers a text names.
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::overlay {

namespace {
std::chrono::seconds seconds_between(TimePoint from, TimePoint to) { return std::chrono::duration_cast<std::chrono::seconds>(to - from); }

std::string nat_words(bool ours, bool theirs) { return ours ? (theirs ? "both" : "us") : (theirs ? "peer" : "none"); }

bool is_named(const Peer& peer, std::string_view text) {
    if (text == "all" || peer.identity.to_string() == text) return true;
    if (std::ranges::any_of(peer.tunnel_addresses, [&](const TunnelAddress& address) { return address.value.to_string() == text; })) return true;
    return std::ranges::any_of(peer.associations, [&](const Association& each) { return each.remote.address.value.to_string() == text || each.remote.to_string() == text; });
}

std::string via_words(const Rib::Match& match, const Peers& peers) {
    using Kind = RouteTarget::Kind;
    switch (match.target.kind) {
    case Kind::peer: {
        const Peer* peer = peers.find(PeerId{match.target.index});
        return fmt::format("{} ({})", match.next_hop.value.to_string(), peer ? peer->identity.to_string() : "unknown");
    }
    case Kind::adjacency: return "inside";
    case Kind::twin: return "kernel";
    case Kind::reject: return "reject";
    }
    return "unknown";
}

/// Whom we try to meet through both our NATs, or tried in vain: no peer is there, so traffic goes through the hub.
void append_sought(const TunnelState& home, const Peers& peers, std::vector<PeerView>& rows) {
    for (const auto& [contact, attempt] : home.attempts) {
        const auto is_found = [&](const Peer* peer) { return peer->tunnel == home.tunnel.id && peer->holds(attempt.holder); };
        if (!is_rendezvous(contact) || std::ranges::any_of(peers.live(), is_found)) continue;
        const bool is_under_way = attempt.start_at || attempt.sa;
        PeerView row;
        row.tunnel = home.tunnel.name, row.tunnel_addresses = {attempt.holder.value.to_string()}, row.nbma = contact.to_string(), row.nat = nat_words(true, true);
        row.role = "spoke", row.path = is_under_way ? "punching" : attempt.unanswered ? "nat-blocked" : "hub", row.ike_state = "none", row.sa_state = "none";
        rows.push_back(std::move(row));
    }
}
}  // namespace

std::size_t Gateway::clear_peer(std::string_view text, TimePoint now, Outbox& out) {
    std::size_t cleared = 0;
    for (const Peer* peer : impl_->peers.live()) {
        if (!is_named(*peer, text)) continue;
        ++cleared;
        Impl::log(out, ike::Severity::notice, "clear", fmt::format("peer {} is cleared by the operator", peer->identity.to_string()));
        for (const Association& association : std::vector<Association>{peer->associations})
            impl_->close(association.sa, ike::DownReason::closed_by_us, false, now, out);
    }
    return cleared;
}

std::vector<PeerView> Gateway::peers(TimePoint now) const {
    std::map<ike::SaId, std::string> states;
    for (const ike::SaView& sa : impl_->endpoint.snapshot()) states[sa.sa] = sa.state;
    std::vector<PeerView> rows;
    for (const Peer* peer : std::as_const(impl_->peers).live()) {
        const TunnelState& home = impl_->tunnel(peer->tunnel);
        PeerView row;
        row.peer = peer->id, row.tunnel = home.tunnel.name, row.identity = peer->identity.to_string(), row.group = peer->group.value, row.nhrp_group = peer->nhrp_group;
        for (const TunnelAddress& address : peer->tunnel_addresses) row.tunnel_addresses.push_back(address.value.to_string());
        for (const Prefix& prefix : peer->bindings)
            if (!home.access.is_tunnel_address(prefix)) row.prefixes.push_back(prefix.to_string());
        for (const auto& [prefix, shortcut] : home.shortcuts)
            if (shortcut.peer == peer->id && !std::ranges::count(peer->bindings, prefix)) row.prefixes.push_back(prefix.to_string());
        if (const Association* association = peer->best_association()) {
            row.nbma = association->remote.to_string();
            row.nat = nat_words(association->local_behind_nat, association->remote_behind_nat);
            row.ike_state = states[association->sa];
        }
        row.role = peer->role == Role::hub ? "hub" : "spoke";
        row.path = !home.is_spoke() || peer->role == Role::hub || home.active_through(peer->id) > 0 ? "direct" : "hub";
        row.sa_state = peer->carries_traffic() ? "up" : "none";
        row.uptime = seconds_between(peer->since, now);
        row.packets_in = peer->in.packets, row.bytes_in = peer->in.bytes, row.packets_out = peer->out.packets, row.bytes_out = peer->out.bytes;
        row.rates = peer->rates, row.rate_counts = peer->rate_counts;
        rows.push_back(std::move(row));
    }
    for (const auto& home : impl_->tunnels) append_sought(*home, impl_->peers, rows);
    return rows;
}

std::vector<NhrpView> Gateway::nhrp(TimePoint now) const {
    std::vector<NhrpView> rows;
    const auto words = [](const auto& address) { return address ? address->value.to_string() : std::string{}; };
    for (const auto& home : impl_->tunnels) {
        const nhrp::Snapshot snapshot = home->node.snapshot();
        for (const auto& entry : snapshot.registrations) {
            const bool is_hub = entry.nhs.value < home->hubs.size();
            const Peer* peer = impl_->peers.find(entry.peer);
            rows.push_back({home->tunnel.name, is_hub ? "registration" : "introduction", Prefix::host(home->tunnel.address.value).to_string(), words(entry.hub),
                            is_hub ? words(home->hubs[entry.nhs.value].nbma) : "", peer ? peer->identity.to_string() : "",
                            std::string{nhrp::name(entry.state)}, entry.next_request ? std::optional{seconds_between(now, *entry.next_request)} : std::nullopt});
        }
        for (const auto& entry : snapshot.cache) {
            const auto shortcut = home->shortcuts.find(entry.prefix);
            const bool is_shortcut = entry.kind == nhrp::CacheKind::shortcut && shortcut != home->shortcuts.end();
            const auto holder = is_shortcut ? shortcut->second.peer : entry.peer;
            const Peer* peer = holder ? impl_->peers.find(*holder) : nullptr;
            rows.push_back({home->tunnel.name, std::string{nhrp::name(entry.kind)}, entry.prefix.to_string(), words(entry.next_hop), words(entry.nbma),
                            !entry.holder.empty() ? entry.holder : peer ? peer->identity.to_string() : "", is_shortcut ? std::string{name(shortcut->second.state)} : "valid",
                            seconds_between(now, entry.expires), entry.group});
        }
        for (const auto& entry : snapshot.pending)
            rows.push_back({home->tunnel.name, "pending", Prefix::host(entry.destination).to_string(), "", "", "",
                            fmt::format("attempt {}", entry.attempts), seconds_between(now, entry.next_request)});
    }
    return rows;
}

std::vector<IkeView> Gateway::ike(TimePoint now) const {
    std::vector<IkeView> rows;
    for (const ike::SaView& sa : impl_->endpoint.snapshot()) {
        const bool is_known = sa.remote_identity.has_value();  // before, and after its end, an association has no age
        rows.push_back({sa.remote_identity ? sa.remote_identity->to_string() : "", sa.state, sa.local.to_string(), sa.remote.to_string(), sa.ike_proposal,
                        sa.initiator ? "initiator" : "responder", nat_words(sa.local_behind_nat, sa.remote_behind_nat), fmt::format("{:016x}", sa.initiator_spi),
                        fmt::format("{:016x}", sa.responder_spi), is_known ? seconds_between(sa.established_at, now) : std::chrono::seconds{0},
                        is_known ? seconds_between(now, sa.rekey_at) : std::chrono::seconds{0}});
    }
    return rows;
}

std::vector<SaView> Gateway::sas(TimePoint now) const {
    std::vector<SaView> rows;
    for (const ike::SaView& sa : impl_->endpoint.snapshot()) {
        const Peer* peer = impl_->peers.find(sa.sa);
        const Association* association = peer ? peer->association(sa.sa) : nullptr;
        if (!association) continue;
        for (const auto& child : sa.children) {
            const auto ours = std::ranges::find(association->children, child.child, &Child::id);
            if (ours == association->children.end()) continue;
            SaView row{peer->identity.to_string(), "in", fmt::format("{:08x}", child.inbound.value), child.proposal, child.mode == EspMode::transport ? "transport" : "tunnel",
                       child.esn, ours->in.packets, ours->in.bytes, seconds_between(child.established_at, now), seconds_between(now, child.rekey_at),
                       child.resource ? std::optional{child.resource->value} : std::nullopt};
            rows.push_back(row);
            row.direction = "out", row.spi = fmt::format("{:08x}", child.outbound.value), row.packets = ours->out.packets, row.bytes = ours->out.bytes;
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::vector<RouteView> Gateway::routes() const {
    std::vector<RouteView> rows;
    for (const auto& [table, inside] : impl_->insides)
        for (const Rib::Match& match : inside.rib.routes())
            rows.push_back({impl_->tunnel(match.tunnel).tunnel.name, match.prefix.to_string(), via_words(match, impl_->peers), std::string{name(match.source)}});
    return rows;
}

std::vector<std::pair<std::string, std::uint64_t>> Gateway::counters() const {
    std::vector<std::pair<std::string, std::uint64_t>> rows;
    for (const auto& [name, value] : impl_->endpoint.counters()) rows.emplace_back("ike-" + name, value);
    std::map<std::string, std::uint64_t> of_nodes;
    for (const auto& home : impl_->tunnels)
        for (const auto& [name, value] : home->node.snapshot().counters) of_nodes["nhrp-" + std::string{name}] += value;
    rows.insert(rows.end(), of_nodes.begin(), of_nodes.end());
    rows.insert(rows.end(), impl_->counts.begin(), impl_->counts.end());
    rows.emplace_back("overlay-spis-in-use", impl_->spis.in_use());
    rows.emplace_back("overlay-outbound-slots-in-use", impl_->peers.outbound_in_use());
    rows.emplace_back("overlay-peer-slots-in-use", impl_->peers.slots_in_use());
    rows.emplace_back("overlay-slots-exhausted", impl_->spis.exhausted() + impl_->peers.exhausted());
    return rows;
}

}  // namespace nave::overlay
