// Registrations: accepted, refused with the code that fits, renewed, expired, purged.
#include "controlplane/nhrp/bindings.hpp"

#include "controlplane/nhrp/group.hpp"
#include "controlplane/nhrp/holder.hpp"
#include "controlplane/nhrp/rendezvous.hpp"
#include "controlplane/nhrp/replies.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::nhrp {

void Bindings::on_registration(const Received& received, const std::vector<Prefix>& prohibited, TimePoint now, Outbox& out) {
    if (!extensions_are_acceptable(context_, received, now, out)) return;
    const Packet& request = received.packet;
    Packet reply = make_reply(context_, received, PacketType::registration_reply, context_.own.value);
    reply.flags = static_cast<std::uint16_t>(request.flags & (flag::registration_unique | flag::nat));
    const bool is_hub = context_.settings.relay && context_.directory.is_server(received.from);
    for (ClientInfo client : request.clients) {
        const Prefix prefix = client.prefix(request.source_protocol);
        const bool is_prohibited = std::ranges::find(prohibited, prefix) != prohibited.end();
        const Binding wanted = wanted_by(received, client, now);
        client.code = is_hub
                          ? of_hubs_.add(wanted.peer, prefix, {wanted.next_hop, holder_of(request)}, wanted.expires, out)
                          : register_client(prefix, wanted, is_prohibited, now, out);
        reply.clients.push_back(client);
        // Prefixes come in requests of their own, which say nothing of the group.
        if (!is_hub && client.code == CieCode::success && prefix == Prefix::host(request.source_protocol)) name_group(received.from, group_of(request), out);
    }
    // The second entry tells the client its address as we see it (Cisco's NAT extension).
    const NbmaAddress observed = context_.directory.observed_nbma(received.from);
    if (request.source_nbma && observed != *request.source_nbma)
        add_nat_entry(reply, observed, request.source_protocol, request.source_protocol.bit_count());
    const auto behind_nat = context_.directory.observed_behind_nat(received.from);
    fill_rendezvous(reply, behind_nat ? std::optional{Rendezvous{*behind_nat, request.source_protocol}} : std::nullopt);
    context_.send(received.from, std::move(reply), out);
}

Bindings::Binding Bindings::wanted_by(const Received& received, const ClientInfo& client, TimePoint now) const {
    const Packet& request = received.packet;
    const auto holding_time = client.holding_time.count() == 0 ? context_.settings.holding_time : client.holding_time;
    const NbmaAddress observed = context_.directory.observed_nbma(received.from);
    return {.peer = received.from,
            .next_hop = TunnelAddress{request.source_protocol},
            .nbma = client.nbma.value_or(request.source_nbma.value_or(observed)),
            .observed = observed,
            .unique = (request.flags & flag::registration_unique) != 0,
            .expires = now + holding_time};
}

bool Bindings::holds(PeerId peer, const TunnelAddress& next_hop, const Prefix& prefix) const {
    const auto held = table_.find(prefix);
    return held != table_.end() && held->second.peer == peer && held->second.next_hop == next_hop;
}

CieCode Bindings::register_client(const Prefix& prefix, const Binding& wanted, bool is_prohibited, TimePoint now, Outbox& out) {
    auto code = is_prohibited ? std::optional{CieCode::administratively_prohibited} : refusal(prefix, wanted);
    const bool renewal = is_renewal(prefix, wanted);
    const bool is_policed = !code && !renewal && !changes_.take(wanted.peer, now);
    if (is_policed) code = CieCode::insufficient_resources;
    if (code) {
        context_.counters.add(is_policed ? Counter::bindings_policed : *code == CieCode::insufficient_resources ? Counter::bindings_full : Counter::registrations_refused);
        log(out, Severity::warning, fmt::format("registration-refused-{}", wanted.peer.value),
            fmt::format("registration of {} by {} at {} refused: {}{}", prefix.to_string(), wanted.next_hop.value.to_string(), wanted.observed.value.to_string(),
                        name(*code), is_prohibited ? ", as no hub knows it there" : ""));
        return *code;
    }
    store(prefix, wanted, renewal, now, out);
    return CieCode::success;
}

std::optional<CieCode> Bindings::refusal(const Prefix& prefix, const Binding& wanted) const {
    const bool takes_any = context_.settings.server || context_.settings.introductions;
    const bool is_ours = context_.is_own(wanted.next_hop.value) || prefix.contains(context_.own.value);
    if (!takes_any || is_ours || !Context::is_unicast(prefix.address)) return CieCode::administratively_prohibited;
    // Whoever may not hold the next hop may not hang prefixes on it either.
    if (const auto code = context_.directory.registration_refusal(wanted.peer, Prefix::host(wanted.next_hop.value))) return code;
    if (const auto code = context_.directory.registration_refusal(wanted.peer, prefix)) return code;
    const auto held = table_.find(prefix);
    if (held == table_.end()) {
        const auto station = stations_.find(wanted.peer);
        const std::size_t of_peer = station == stations_.end() ? 0 : station->second.bindings;
        if (table_.size() >= context_.settings.limits.bindings || of_peer >= context_.settings.limits.bindings_per_peer)
            return CieCode::insufficient_resources;
        return std::nullopt;
    }
    // At a spoke a hub has just said who holds it now.
    if (context_.settings.introductions) return std::nullopt;
    // The U bit guards against others; the same authenticated station may move (RFC 2332 §5.2.3 would lock it out).
    const bool same = held->second.peer == wanted.peer || context_.directory.same_identity(held->second.peer, wanted.peer);
    if (same || !(context_.settings.enforce_unique || held->second.unique)) return std::nullopt;
    return CieCode::already_registered;
}

bool Bindings::is_renewal(const Prefix& prefix, const Binding& wanted) const {
    const auto held = table_.find(prefix);
    return held != table_.end() && held->second.peer == wanted.peer && held->second.next_hop == wanted.next_hop && held->second.nbma == wanted.nbma &&
           held->second.observed == wanted.observed && held->second.unique == wanted.unique;
}

void Bindings::store(const Prefix& prefix, const Binding& wanted, bool renewal, TimePoint now, Outbox& out) {
    const auto held = table_.find(prefix);
    if (held != table_.end() && !renewal) {
        if (held->second.peer != wanted.peer || held->second.next_hop != wanted.next_hop) remove(held, BindingEnd::taken_over, now, out);
        else purger_.purge_answers(held->second.next_hop, prefix, now, out);
        if (prefix == Prefix::host(wanted.next_hop.value)) purger_.purge_next_hop(wanted.next_hop, now, out);
    }
    if (!table_.contains(prefix)) ++stations_[wanted.peer].bindings;
    table_[prefix] = wanted;
    expiries_.set(prefix, wanted.expires);
    if (renewal) return;
    out.push_back(BindingAdded{wanted.peer, prefix, wanted.next_hop, wanted.nbma, wanted.unique});
    log(out, Severity::info, fmt::format("bindings-{}", wanted.peer.value),
        fmt::format("{} registered at {} (claims {})", prefix.to_string(), wanted.observed.value.to_string(), wanted.nbma.value.to_string()));
}

void Bindings::name_group(PeerId peer, std::string group, Outbox& out) {
    Station& station = stations_[peer];
    if (station.group == group) return;
    station.group = group;
    out.push_back(GroupNamed{peer, std::move(group)});
}

Bindings::Table::iterator Bindings::remove(Table::iterator entry, BindingEnd reason, TimePoint now, Outbox& out) {
    const auto [prefix, binding] = *entry;
    expiries_.clear(prefix);
    const auto next = table_.erase(entry);
    out.push_back(BindingRemoved{binding.peer, prefix, binding.next_hop, reason});
    if (--stations_[binding.peer].bindings == 0) {
        name_group(binding.peer, {}, out);
        stations_.erase(binding.peer);
    }
    log(out, Severity::info, fmt::format("bindings-{}", binding.peer.value), fmt::format("{} not registered any more: {}", prefix.to_string(), name(reason)));
    if (prefix == Prefix::host(binding.next_hop.value)) purger_.purge_next_hop(binding.next_hop, now, out);
    else purger_.purge_answers(binding.next_hop, prefix, now, out);
    return next;
}

void Bindings::purge(PeerId peer, const Prefix& prefix, TimePoint now, Outbox& out) {
    for (auto entry = table_.begin(); entry != table_.end();) {
        // A next hop that goes takes the prefixes behind it along.
        const bool within = prefix.contains(entry->first) || prefix.contains(entry->second.next_hop.value);
        entry = entry->second.peer == peer && within ? remove(entry, BindingEnd::purged, now, out) : std::next(entry);
    }
}

void Bindings::peer_down(PeerId peer, TimePoint now, Outbox& out) {
    if (!stations_.contains(peer)) return;
    for (auto entry = table_.begin(); entry != table_.end();)
        entry = entry->second.peer == peer ? remove(entry, BindingEnd::peer_down, now, out) : std::next(entry);
}

void Bindings::recheck(PeerId peer, TimePoint now, Outbox& out) {
    for (auto entry = table_.begin(); entry != table_.end();) {
        const bool refused = entry->second.peer == peer && (context_.directory.registration_refusal(peer, entry->first) ||
                                                            context_.directory.registration_refusal(peer, Prefix::host(entry->second.next_hop.value)));
        entry = refused ? remove(entry, BindingEnd::revoked, now, out) : std::next(entry);
    }
}

void Bindings::on_deadline(TimePoint now, Outbox& out) {
    while (const auto prefix = expiries_.take_due(now)) remove(table_.find(*prefix), BindingEnd::expired, now, out);
}

void Bindings::append_to(Snapshot& snapshot) const {
    for (const auto& [prefix, binding] : table_)
        snapshot.cache.push_back({.kind = CacheKind::registered,
                                  .prefix = prefix,
                                  .next_hop = binding.next_hop,
                                  .nbma = binding.observed,
                                  .claimed = binding.nbma,
                                  .peer = binding.peer,
                                  .unique = binding.unique,
                                  .expires = binding.expires,
                                  .group = stations_.at(binding.peer).group});
}

}  // namespace nave::nhrp
