// Answers to Resolution Requests, byte for byte as FRR's where it has an opinion.
#include "controlplane/nhrp/responder.hpp"

#include "controlplane/nhrp/rendezvous.hpp"
#include "controlplane/nhrp/replies.hpp"

namespace nave::nhrp {

bool Responder::on_request(const Received& received, TimePoint now, Outbox& out) {
    if (!extensions_are_acceptable(context_, received, now, out)) return false;
    const Packet& request = received.packet;
    const auto [code, prefix] = verdict(received);
    Packet reply = make_reply(context_, received, PacketType::resolution_reply, request.destination_protocol);
    reply.flags = static_cast<std::uint16_t>((request.flags & (flag::source_is_router | flag::source_stable)) | flag::authoritative);
    if (auto* nat = find(reply.extensions, extension_type::nat_address)) nat->value.clear();  // it named the requester
    remove_rendezvous(reply);
    const auto rendezvous = rendezvous_of(received);
    if (code != CieCode::success) {
        reply.clients.push_back({.code = code, .nbma = std::nullopt, .protocol = std::nullopt});
        context_.send(received.from, std::move(reply), out);
        return false;
    }
    reply.flags |= flag::destination_stable;
    ClientInfo client = context_.own_client(received.from, request.families.nbma);
    client.prefix_length = prefix.length;
    reply.clients.push_back(client);
    if (const auto observed = registrar_.observed()) add_nat_entry(reply, *observed, context_.own.value, context_.own.value.bit_count());
    if (rendezvous) offer_rendezvous(reply);
    context_.send(received.from, std::move(reply), out);
    // In another's name one could have us knock anywhere and remember everybody.
    if (!context_.directory.is_server(received.from) && !context_.directory.is_station(received.from, request.source_protocol)) {
        context_.counters.add(Counter::spoofed_source);
        return false;
    }
    purger_.record(request.source_protocol, prefix, context_.own, now + context_.settings.holding_time);
    announce_requester(received, prefix, rendezvous, out);
    return true;
}

Responder::Verdict Responder::verdict(const Received& received) const {
    const Packet& request = received.packet;
    const IpAddress& destination = request.destination_protocol;
    const Prefix host = Prefix::host(destination);
    // All underlay addresses in a packet are of one family. Who asks in the other cannot reach us but through the hub, and is told
    // that there is no way, so that it does not ask again and again.
    if (context_.directory.local_nbma(received.from).value.family() != request.families.nbma) return {CieCode::no_binding, host};
    if (context_.is_own(destination)) return {CieCode::success, host};
    const Route route = context_.directory.route(destination);
    const auto* local = std::get_if<LocalRoute>(&route);
    // The tunnel's subnet may be on-link for us, yet another's tunnel address is not ours to answer for.
    if (!local || context_.own_subnet().contains(destination)) return {CieCode::no_binding, host};
    if ((request.flags & flag::resolution_unique) != 0) return {CieCode::not_unique, host};
    return {CieCode::success, Context::is_narrow(local->prefix) ? local->prefix : host};
}

std::optional<NbmaEndpoint> Responder::rendezvous_of(const Received& received) const {
    if (!registrar_.arranges_rendezvous(received.from)) return std::nullopt;
    return rendezvous_with(received.packet, received.packet.source_protocol);
}

void Responder::announce_requester(const Received& received, const Prefix& prefix, const std::optional<NbmaEndpoint>& rendezvous, Outbox& out) const {
    const Packet& request = received.packet;
    auto nbma = nat_address(request, request.source_protocol);
    if (!nbma && is_first_hop(request)) nbma = context_.directory.observed_nbma(received.from);
    if (!nbma) nbma = request.source_nbma;
    if (rendezvous) nbma = rendezvous->address;
    if (nbma) out.push_back(Answered{TunnelAddress{request.source_protocol}, *nbma, prefix, rendezvous});
}

}  // namespace nave::nhrp
