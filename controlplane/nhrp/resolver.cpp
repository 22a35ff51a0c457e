// Resolution Requests and their replies.
#include "controlplane/nhrp/resolver.hpp"

#include "controlplane/nhrp/rendezvous.hpp"
#include "controlplane/nhrp/replies.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace nave::nhrp {
namespace {

constexpr std::array kRetrySeconds{1, 2, 4, 7};
constexpr std::size_t kFinishedMax = 256;

}  // namespace

void Resolver::resolve(const IpAddress& destination, TimePoint now, Outbox& out) {
    if (!is_usable(destination) || covering(destination)) return;
    if (negative_.contains(destination)) return context_.counters.add(Counter::negative_hits);
    const Route route = context_.directory.route(destination);
    if (std::holds_alternative<LocalRoute>(route) || context_.is_own(destination)) return;
    if (std::holds_alternative<NoRoute>(route)) {
        out.push_back(ResolutionFailed{destination, ResolutionFailure::no_route});
        return;
    }
    start(destination, Purpose::shortcut, now, out);
}

void Resolver::confirm(const IpAddress& destination, TimePoint now, Outbox& out) {
    if (!is_usable(destination) || context_.is_own(destination) || pending_.contains(destination)) return;
    const Route route = context_.directory.way_to_ask(destination);
    const auto* next = std::get_if<PeerRoute>(&route);
    if (!next || !context_.directory.is_server(next->peer)) return;
    const auto confirming = std::ranges::count_if(pending_, [](const auto& entry) { return entry.second.purpose == Purpose::confirmation; });
    if (static_cast<std::size_t>(confirming) >= context_.settings.limits.confirmations) return context_.counters.add(Counter::confirmations_full);
    start(destination, Purpose::confirmation, now, out);
}

bool Resolver::is_usable(const IpAddress& destination) const {
    return Context::is_unicast(destination) && destination.family() == context_.own.value.family();
}

std::optional<TimePoint> Resolver::refused_at(const IpAddress& destination) const {
    const auto found = negative_.find(destination);
    return found == negative_.end() || found->second.reason == ResolutionFailure::unanswered ? std::nullopt : std::optional{found->second.since};
}

void Resolver::start(const IpAddress& destination, Purpose purpose, TimePoint now, Outbox& out) {
    if (const auto under_way = pending_.find(destination); under_way != pending_.end()) {
        if (under_way->second.purpose == Purpose::confirmation) under_way->second.purpose = purpose;
        return;
    }
    if (pending_.size() >= context_.settings.limits.pending) {
        context_.counters.add(Counter::pending_full);
        if (purpose == Purpose::shortcut) out.push_back(ResolutionFailed{destination, ResolutionFailure::limit});
        return;
    }
    Pending& pending = pending_[destination];
    pending = {.request_id = context_.new_request_id([&](std::uint32_t taken) { return destination_of_.contains(taken); }), .purpose = purpose};
    destination_of_[pending.request_id] = destination;
    transmit(destination, pending, now, out);
}

void Resolver::transmit(const IpAddress& destination, Pending& pending, TimePoint now, Outbox& out) {
    retries_.set(destination, now + std::chrono::seconds{kRetrySeconds.at(pending.attempts++)});
    const Route route = context_.directory.way_to_ask(destination);
    const auto* next = std::get_if<PeerRoute>(&route);
    if (!next) return;  // the way to the hub may come back before the last attempt
    Packet packet = context_.originate(PacketType::resolution_request, next->peer, destination);
    packet.flags = flag::source_is_router | flag::authoritative | flag::source_stable | flag::nat;
    packet.request_id = pending.request_id;
    ClientInfo client;
    client.prefix_length = context_.own.value.bit_count();
    client.holding_time = context_.settings.holding_time;
    packet.clients.push_back(client);
    context_.add_request_extensions(packet);
    packet.extensions.push_back({.type = extension_type::nat_address, .compulsory = false, .value = {}});
    if (const auto observed = registrar_.observed()) add_nat_entry(packet, *observed, context_.own.value, context_.own.value.bit_count());
    if (registrar_.arranges_rendezvous(next->peer)) offer_rendezvous(packet);
    pending.asked.insert(next->peer);
    context_.send(next->peer, std::move(packet), out);
}

void Resolver::on_reply(const Received& received, TimePoint now, Outbox& out) {
    const Packet& reply = received.packet;
    const auto asked = destination_of_.find(reply.request_id);
    if (asked == destination_of_.end()) {
        if (std::ranges::find(finished_, reply.request_id) != finished_.end()) return context_.counters.add(Counter::duplicate_reply);
        context_.counters.add(Counter::unexpected_reply);
        return context_.send_error(received.from, received.bytes, ErrorCode::invalid_resolution_reply, 0, now, out);
    }
    const IpAddress destination = asked->second;
    // Who answers straight is known to have seen the request, no more: its yes counts for the destination, its no not at all.
    const bool is_straight = !context_.directory.is_server(received.from) && !pending_.at(destination).asked.contains(received.from);
    const bool is_no = !reply.clients.empty() && reply.clients.front().code != CieCode::success;
    if (reply.destination_protocol != destination || !context_.is_own(reply.source_protocol) || reply.clients.empty() || (is_straight && is_no)) {
        context_.counters.add(Counter::unexpected_reply);
        return context_.send_error(received.from, received.bytes, ErrorCode::invalid_resolution_reply, 0, now, out);
    }
    const ClientInfo& client = reply.clients.front();
    if (is_no) {
        log(out, Severity::info, "resolution",
            fmt::format("resolution of {} refused: {}", destination.to_string(), name(client.code)));
        return fail(destination, ResolutionFailure::refused, now, out);
    }
    const TunnelAddress next_hop{client.protocol.value_or(destination)};
    if (!client.nbma || context_.is_own(next_hop.value) || next_hop.value.is_unspecified() || next_hop.value.is_multicast() || client.holding_time.count() == 0)
        return fail(destination, ResolutionFailure::invalid, now, out);
    const Purpose purpose = pending_.at(destination).purpose;
    finish(destination);
    negative_.erase(destination);
    negative_expiries_.clear(destination);
    const Prefix prefix = narrowed(received.from, destination, client);
    const Shortcut found = shortcut_of(received, client, now);
    if (context_.directory.is_server(received.from)) vouchers_.learn(prefix, {found.next_hop, found.nbma, found.claimed}, now, found.expires - now);
    if (purpose != Purpose::confirmation) store(prefix, found, now, out);
}

Resolver::Shortcut Resolver::shortcut_of(const Received& received, const ClientInfo& client, TimePoint now) const {
    const IpAddress destination = received.packet.destination_protocol;
    const TunnelAddress next_hop{client.protocol.value_or(destination)};
    NbmaAddress nbma = nat_address(received.packet, next_hop.value).value_or(*client.nbma);
    // Straight from a responder that knows nothing of its NAT: the address that its packets show is the one that works.
    if (nbma == *client.nbma && is_first_hop(received.packet)) nbma = context_.directory.observed_nbma(received.from);
    // A hub's word and no one else's: whoever is named there gets packets from us that it may not want.
    const auto rendezvous = registrar_.arranges_rendezvous(received.from) ? rendezvous_with(received.packet, next_hop.value) : std::nullopt;
    if (rendezvous) nbma = rendezvous->address;
    // Not for longer than we ourselves ask others to believe us: a hub that starts anew has forgotten whom to purge.
    const Duration holding_time = std::min(client.holding_time, context_.settings.holding_time);
    return {.next_hop = next_hop,
            .nbma = nbma,
            .claimed = *client.nbma,
            .rendezvous = rendezvous,
            .destination = destination,
            .used = false,
            .expires = now + holding_time};
}

void Resolver::store(const Prefix& prefix, const Shortcut& found, TimePoint now, Outbox& out) {
    const auto known = shortcuts_.find(prefix);
    const bool renewal = known != shortcuts_.end() && known->second.next_hop == found.next_hop && known->second.nbma == found.nbma;
    if (known != shortcuts_.end() && !renewal) drop(prefix, ShortcutEnd::replaced, out);
    if (!shortcuts_.contains(prefix) && shortcuts_.size() >= context_.settings.limits.shortcuts) {
        context_.counters.add(Counter::shortcuts_full);
        out.push_back(ResolutionFailed{found.destination, ResolutionFailure::limit});
        return;
    }
    const Duration holding_time = found.expires - now;
    shortcuts_[prefix] = found;
    dues_.set({Due::expiry, prefix}, now + holding_time);
    dues_.set({Due::renewal, prefix}, now + holding_time * 2 / 3);
    if (renewal) return;
    out.push_back(Resolved{prefix, found.next_hop, found.nbma, found.claimed, holding_time, found.rendezvous});
    log(out, Severity::info, fmt::format("shortcut-{}", prefix.to_string()),
        fmt::format("{} is at {}, {}", prefix.to_string(), found.next_hop.value.to_string(), found.nbma.value.to_string()));
}

Prefix Resolver::narrowed(PeerId from, const IpAddress& destination, const ClientInfo& client) const {
    const Prefix prefix = Prefix::of(destination, client.prefix_length);
    if (!Context::is_narrow(prefix)) return Prefix::host(destination);
    const bool covers_hub = std::ranges::any_of(context_.hubs, [&](const IpAddress& hub) { return prefix.contains(hub); });
    if (covers_hub || prefix.contains(context_.own.value)) return Prefix::host(destination);
    // No hub has checked what a spoke says over its own SA: it may confirm what was known, and else speaks for the host only.
    const Prefix* known = covering(destination);
    const bool is_confirmed = known && known->contains(prefix) && shortcuts_.at(*known).next_hop.value == client.protocol.value_or(destination);
    return is_confirmed || context_.directory.is_server(from) ? prefix : Prefix::host(destination);
}

bool Resolver::on_error(PeerId from, std::uint32_t request_id, std::uint16_t code, TimePoint now, Outbox& out) {
    const auto asked = destination_of_.find(request_id);
    if (asked == destination_of_.end() || !pending_.at(asked->second).asked.contains(from)) return false;
    const IpAddress destination = asked->second;
    log(out, Severity::info, "resolution",
        fmt::format("resolution of {} failed: error {} ({})", destination.to_string(), code, name(static_cast<ErrorCode>(code))));
    fail(destination, code == static_cast<std::uint16_t>(ErrorCode::protocol_address_unreachable) ? ResolutionFailure::unreachable : ResolutionFailure::refused,
         now, out);
    return true;
}

void Resolver::fail(const IpAddress& destination, ResolutionFailure reason, TimePoint now, Outbox& out) {
    const Purpose purpose = pending_.at(destination).purpose;
    finish(destination);
    context_.counters.add(reason == ResolutionFailure::unanswered ? Counter::resolutions_unanswered : Counter::resolutions_refused);
    if (purpose == Purpose::renewal) {
        // Silence leaves the shortcut to its expiry; a no ends it.
        if (const auto* prefix = covering(destination); prefix && reason != ResolutionFailure::unanswered) drop(Prefix{*prefix}, ShortcutEnd::refused, out);
        return;
    }
    if (purpose != Purpose::confirmation || reason != ResolutionFailure::unanswered) remember_negative(destination, reason, now);
    if (purpose == Purpose::shortcut) out.push_back(ResolutionFailed{destination, reason});
}

void Resolver::finish(const IpAddress& destination) {
    const auto found = pending_.find(destination);
    finished_.push_back(found->second.request_id);
    if (finished_.size() > kFinishedMax) finished_.pop_front();
    destination_of_.erase(found->second.request_id);
    retries_.clear(destination);
    pending_.erase(found);
}

void Resolver::on_deadline(TimePoint now, Outbox& out) {
    while (const auto destination = retries_.take_due(now)) {
        Pending& pending = pending_.at(*destination);
        if (pending.attempts < kRetrySeconds.size()) transmit(*destination, pending, now, out);
        else fail(*destination, ResolutionFailure::unanswered, now, out);
    }
    while (const auto destination = negative_expiries_.take_due(now)) negative_.erase(*destination);
    while (const auto due = dues_.take_due(now)) {
        const auto& [what, prefix] = *due;
        if (what == Due::expiry) drop(prefix, ShortcutEnd::expired, out);
        else if (const auto& shortcut = shortcuts_.at(prefix); shortcut.used) start(IpAddress{shortcut.destination}, Purpose::renewal, now, out);
    }
}

std::optional<TimePoint> Resolver::next_deadline() const {
    return earlier(earlier(retries_.next(), dues_.next()), negative_expiries_.next());
}

}  // namespace nave::nhrp
