// Forwarding: guards first, then the changes that a transit server makes.
#include "controlplane/nhrp/transit.hpp"

#include "controlplane/nhrp/rendezvous.hpp"
#include "controlplane/nhrp/replies.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::nhrp {
namespace {

constexpr std::size_t kGrowthMax = 144;  // a transit entry, a NAT entry, a rendezvous and the authentication, of IPv6

std::uint16_t transit_list_of(PacketType type) { return is_reply(type) ? extension_type::reverse_transit : extension_type::forward_transit; }

}  // namespace

void Transit::forward(const Received& received, const PeerRoute& next, TimePoint now, Outbox& out) {
    if (!may_pass(received, next, now, out)) return;
    Packet packet = received.packet;
    --packet.hop_count;
    fill_nat_extension(received, packet);
    say_where_it_is(received, packet);
    append_to_transit_list(next.peer, packet);
    record_answers(packet, now);
    context_.counters.add(Counter::forwarded);
    context_.send(next.peer, std::move(packet), out);
}

bool Transit::may_pass(const Received& received, const PeerRoute& next, TimePoint now, Outbox& out) {
    const Packet& packet = received.packet;
    // A hub would take it for the word of the hub that brings it.
    const bool would_pass_for_ours = packet.type == PacketType::registration_request && context_.directory.is_server(next.peer);
    if (!context_.settings.server || would_pass_for_ours) {
        refuse(received, Counter::not_a_server, ErrorCode::protocol_address_unreachable, now, out);
        return false;
    }
    if (packet.hop_count <= 1) {
        refuse(received, Counter::hop_count_exceeded, ErrorCode::hop_count_exceeded, now, out);
        return false;
    }
    if (next.peer == received.from || has_loop(packet)) {
        refuse(received, Counter::loop_detected, ErrorCode::loop_detected, now, out);
        return false;
    }
    if (received.bytes.size() + kGrowthMax > kPacketBytesMax) {
        refuse(received, Counter::too_large, ErrorCode::sdu_size_exceeded, now, out);
        return false;
    }
    // A hub brings what many ask.
    if (packet.type == PacketType::resolution_request && !context_.directory.is_server(received.from) && !resolutions_.take(received.from, now)) {
        context_.counters.add(Counter::resolutions_policed);
        log(out, Severity::warning, fmt::format("resolutions-policed-{}", received.from.value),
            fmt::format("{} asks for more than is passed on for one station; it asks again", packet.source_protocol.to_string()));
        return false;
    }
    if (!comes_from_its_source(received)) {
        context_.counters.add(Counter::spoofed_source);
        log(out, Severity::warning, fmt::format("spoofed-source-{}", received.from.value),
            fmt::format("{} in the name of {} from another peer dropped", name(packet.type), packet.source_protocol.to_string()));
        return false;
    }
    if (!is_permitted(received)) {
        refuse_to_believe(context_, received, out);
        return false;
    }
    return true;
}

/// A request in another's name would make the egress contact, and tell, the wrong one. A registration may come from a
/// station that is not registered yet; the server it is for decides. A hub may bring what a spoke
/// of ours asked it, unless the list is missing that shows whether it went in a circle.
bool Transit::comes_from_its_source(const Received& received) const {
    const PacketType type = received.packet.type;
    if (type != PacketType::resolution_request && type != PacketType::purge_request) return true;
    const Route route = context_.directory.route(received.packet.source_protocol);
    const auto* back = std::get_if<PeerRoute>(&route);
    const bool is_hubs_word = context_.directory.is_server(received.from) && find(received.packet.extensions, extension_type::forward_transit);
    return back && (back->peer == received.from || is_hubs_word);
}

bool Transit::is_permitted(const Received& received) const {
    const Packet& packet = received.packet;
    if (packet.type != PacketType::resolution_reply && packet.type != PacketType::purge_request) return true;
    return std::ranges::all_of(packet.clients, [&](const ClientInfo& client) {
        if (client.code != CieCode::success) return true;
        if (packet.type == PacketType::purge_request) return context_.directory.may_answer(received.from, client.prefix(packet.source_protocol));
        const Prefix answered = client.answers_for(packet.destination_protocol);
        const IpAddress next_hop = client.protocol.value_or(packet.destination_protocol);
        const auto is_its_own = [&](const Prefix& prefix) { return context_.directory.may_answer(received.from, prefix) && leads_to(received.from, prefix); };
        return is_its_own(answered) && is_its_own(Prefix::host(next_hop));
    });
}

/// A spoke that answers for more than we route to it would draw what others register later.
bool Transit::leads_to(PeerId peer, const Prefix& prefix) const {
    if (context_.directory.is_server(peer)) return true;
    const Route route = context_.directory.route(prefix.address);
    const auto* next = std::get_if<PeerRoute>(&route);
    return next && next->peer == peer && next->prefix.contains(prefix);
}

bool Transit::has_loop(const Packet& packet) const {
    const auto passed = client_list(packet, transit_list_of(packet.type));
    return passed && std::ranges::any_of(*passed, [&](const ClientInfo& client) { return client.protocol == context_.own.value; });
}

void Transit::refuse(const Received& received, Counter counter, ErrorCode code, TimePoint now, Outbox& out) {
    context_.counters.add(counter);
    log(out, Severity::info, fmt::format("transit-{}", received.from.value),
        fmt::format("{} {} -> {} not forwarded: {}", name(received.packet.type), received.packet.source_protocol.to_string(),
                    received.packet.destination_protocol.to_string(), name(code)));
    context_.send_error(received.from, received.bytes, code, 0, now, out);
}

/// As FRR: an empty NAT extension gets the address of the station that the packet is about, when we are its first hop and
/// see it behind a NAT.
void Transit::fill_nat_extension(const Received& received, Packet& packet) const {
    const auto* nat = find(packet.extensions, extension_type::nat_address);
    const NbmaAddress observed = context_.directory.observed_nbma(received.from);
    if (!nat || !nat->value.empty() || !is_first_hop(packet) || observed.value.family() != packet.families.nbma) return;
    if (packet.type == PacketType::resolution_request && packet.source_nbma && *packet.source_nbma != observed)
        add_nat_entry(packet, observed, packet.source_protocol, 0);
    if (packet.type != PacketType::resolution_reply || packet.clients.empty()) return;
    const ClientInfo& responder = packet.clients.front();
    if (responder.nbma && responder.protocol && *responder.nbma != observed) add_nat_entry(packet, observed, *responder.protocol, 0);
}

/// Of a station that is no hub we say what we see ourselves.
void Transit::say_where_it_is(const Received& received, Packet& packet) const {
    if (context_.directory.is_server(received.from)) return;
    const bool is_answer = packet.type == PacketType::resolution_reply && !packet.clients.empty();
    const IpAddress station = is_answer ? packet.clients.front().protocol.value_or(packet.destination_protocol) : packet.source_protocol;
    const auto observed = context_.directory.observed_behind_nat(received.from);
    fill_rendezvous(packet, observed ? std::optional{Rendezvous{*observed, station}} : std::nullopt);
}

void Transit::append_to_transit_list(PeerId next, Packet& packet) const {
    // Who does not understand a compulsory extension may pass the packet on, but not claim to have served it (§5.3).
    const bool understood = std::ranges::all_of(packet.extensions, [](const Extension& e) { return !e.compulsory || is_understood(e.type); });
    auto* list = find(packet.extensions, transit_list_of(packet.type));
    if (!understood || !list) return;
    const Bytes entry = encode_client_list({context_.own_client(next, packet.families.nbma)});
    list->value.insert(list->value.end(), entry.begin(), entry.end());
}

void Transit::record_answers(const Packet& reply, TimePoint now) {
    if (reply.type != PacketType::resolution_reply || reply.clients.empty()) return;
    const ClientInfo& client = reply.clients.front();
    if (client.code != CieCode::success || !client.protocol) return;
    purger_.record(reply.source_protocol, client.answers_for(reply.destination_protocol), TunnelAddress{*client.protocol}, now + client.holding_time);
}

}  // namespace nave::nhrp
