// The way of a received packet through the parts of a node.
#include "controlplane/nhrp/receiver.hpp"

#include "controlplane/nhrp/replies.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::nhrp {
namespace {

ErrorCode error_for(DecodeError error) {
    switch (error) {
    case DecodeError::bad_extensions: return ErrorCode::invalid_extension;
    case DecodeError::too_long: return ErrorCode::sdu_size_exceeded;
    default: return ErrorCode::protocol_error;
    }
}

/// 10.0.0.255 of 10.0.0.0/24: where OpenNHRP's clients send their first registration.
IpAddress broadcast_of(const Prefix& subnet) {
    return IpAddress::v4(subnet.address.v4_host() | static_cast<std::uint32_t>((std::uint64_t{1} << (32 - subnet.length)) - 1));
}

}  // namespace

void Receiver::on_packet(PeerId from, ByteView bytes, TimePoint now, Outbox& out) {
    parts_.context.counters.add(Counter::received);
    auto packet = admit(from, bytes, now, out);
    if (!packet) return;
    const Received received{from, bytes, std::move(*packet)};
    // A reply travels back to the source of its request.
    const IpAddress& target = is_reply(received.packet.type) ? received.packet.source_protocol : received.packet.destination_protocol;
    const Route route = parts_.context.directory.route(target);
    if (is_for_us(received.packet, route)) on_local(received, now, out);
    else if (const auto* next = std::get_if<PeerRoute>(&route)) parts_.transit.forward(received, *next, now, out);
    else on_nowhere(received, now, out);
}

std::optional<Packet> Receiver::admit(PeerId from, ByteView bytes, TimePoint now, Outbox& out) {
    Context& context = parts_.context;
    auto packet = decode(bytes);
    if (!packet) {
        const auto [error, offset] = packet.error();
        context.counters.add(error == DecodeError::bad_checksum ? Counter::bad_checksum : Counter::malformed);
        log(out, Severity::notice, fmt::format("malformed-{}", from.value), fmt::format("packet from peer {} dropped: {}", from.value, name(error)));
        // Of a packet whose checksum is wrong nothing can be believed, its source included.
        if (error != DecodeError::bad_checksum) context.send_error(from, bytes, error_for(error), offset, now, out);
        return std::nullopt;
    }
    if (packet->families.protocol != context.own.value.family()) {
        context.counters.add(Counter::malformed);
        return std::nullopt;
    }
    // Errors come without authentication from FRR; they count only if they quote an outstanding request of ours.
    if (packet->type != PacketType::error_indication && !context.is_authentic(*packet)) {
        context.counters.add(Counter::authentication_failed);
        log(out, Severity::warning, fmt::format("authentication-{}", from.value),
            fmt::format("{} from {} dropped: wrong authentication word", name(packet->type), packet->source_protocol.to_string()));
        context.send_error(from, bytes, ErrorCode::authentication_failure, 0, now, out);
        return std::nullopt;
    }
    // Ours came back, or somebody uses our address. Who registers with it must be told, and is refused.
    if (is_request(packet->type) && context.is_own(packet->source_protocol)) {
        context.counters.add(Counter::loop_detected);
        const bool is_to_be_told = packet->type == PacketType::registration_request && !context.directory.is_server(from);
        if (!is_to_be_told || !is_for_us(*packet, context.directory.route(packet->destination_protocol))) return std::nullopt;
    }
    return std::move(*packet);
}

bool Receiver::is_for_us(const Packet& packet, const Route& route) const {
    const Context& context = parts_.context;
    const IpAddress& target = is_reply(packet.type) ? packet.source_protocol : packet.destination_protocol;
    if (context.is_own(target) || std::holds_alternative<LocalRoute>(route)) return true;
    if (packet.type != PacketType::registration_request) return false;
    // A client that does not know its server names itself, nobody, or the subnet's broadcast address (OpenNHRP).
    return target == packet.source_protocol || target.is_unspecified() || (target.is_v4() && target == broadcast_of(context.own_subnet()));
}

void Receiver::on_local(const Received& received, TimePoint now, Outbox& out) {
    switch (received.packet.type) {
    case PacketType::resolution_request: return on_resolution_request(received, now, out);
    case PacketType::resolution_reply: return on_resolution_reply(received, now, out);
    case PacketType::registration_request: return on_registration_request(received, now, out);
    case PacketType::registration_reply:
        if (!parts_.registrar.on_reply(received, now, out)) parts_.context.counters.add(Counter::unexpected_reply);
        return;
    case PacketType::purge_request: return on_purge_request(received, now, out);
    case PacketType::purge_reply:
        if (!parts_.purger.on_answer(received.from, received.packet.request_id)) parts_.context.counters.add(Counter::unexpected_reply);
        return;
    case PacketType::error_indication: return on_error_indication(received, now, out);
    case PacketType::traffic_indication: return on_traffic_indication(received, now, out);
    }
}

void Receiver::on_resolution_request(const Received& received, TimePoint now, Outbox& out) {
    const Context& context = parts_.context;
    const bool is_answered = parts_.responder.on_request(received, now, out);
    if (is_answered && context.settings.introductions && context.directory.is_server(received.from))
        parts_.introductions.expect(TunnelAddress{received.packet.source_protocol}, now, out);
}

void Receiver::on_registration_request(const Received& received, TimePoint now, Outbox& out) {
    const Context& context = parts_.context;
    if (context.settings.introductions && !context.directory.is_server(received.from)) return parts_.introductions.on_registration(received, now, out);
    parts_.bindings.on_registration(received, {}, now, out);
}

void Receiver::on_resolution_reply(const Received& received, TimePoint now, Outbox& out) {
    Context& context = parts_.context;
    const Packet& reply = received.packet;
    const bool permitted = std::ranges::all_of(reply.clients, [&](const ClientInfo& client) {
        return client.code != CieCode::success || context.directory.may_answer(received.from, client.answers_for(reply.destination_protocol));
    });
    if (permitted) {
        parts_.resolver.on_reply(received, now, out);
        return parts_.introductions.review(now, out);
    }
    refuse_to_believe(context, received, out);
}

void Receiver::on_purge_request(const Received& received, TimePoint now, Outbox& out) {
    Context& context = parts_.context;
    const Packet& request = received.packet;
    if (!extensions_are_acceptable(context, received, now, out)) return;
    context.counters.add(Counter::purges_received);
    for (const auto& client : request.clients) {
        const Prefix prefix = client.prefix(request.source_protocol);
        parts_.bindings.purge(received.from, prefix, now, out);
        parts_.of_hubs.purge(received.from, prefix, out);
        parts_.resolver.purge(received.from, prefix, out);
        if (context.directory.is_server(received.from)) parts_.vouchers.purge(prefix);
    }
    if ((request.flags & flag::purge_no_reply) != 0) return;
    Packet reply = make_reply(context, received, PacketType::purge_reply, request.destination_protocol);
    reply.flags = request.flags;
    reply.clients = request.clients;
    context.send(received.from, std::move(reply), out);
}

void Receiver::on_error_indication(const Received& received, TimePoint now, Outbox& out) {
    parts_.context.counters.add(Counter::errors_received);
    const auto about = outline(received.packet.quoted);
    const std::uint16_t code = received.packet.error_code;
    bool ours = false;
    if (about && about->source_protocol == parts_.context.own.value) {
        if (about->type == PacketType::resolution_request) ours = parts_.resolver.on_error(received.from, about->request_id, code, now, out);
        if (about->type == PacketType::registration_request) ours = parts_.registrar.on_error(received.from, about->request_id, code, out);
        if (about->type == PacketType::purge_request) ours = parts_.purger.on_answer(received.from, about->request_id);
    }
    if (!ours) return parts_.context.counters.add(Counter::unexpected_error);
    parts_.introductions.review(now, out);
}

void Receiver::on_traffic_indication(const Received& received, TimePoint now, Outbox& out) {
    // The destination is the source of the traffic, because that is where the indication had to go; the packet says the rest.
    const auto addresses = inner_addresses(received.packet.quoted);
    if (!addresses || !parts_.context.settings.shortcut) return parts_.context.counters.add(Counter::unusable_indication);
    if (!parts_.context.directory.is_server(received.from)) return parts_.context.counters.add(Counter::not_permitted);
    parts_.resolver.resolve(addresses->destination, now, out);
}

void Receiver::on_nowhere(const Received& received, TimePoint now, Outbox& out) {
    Context& context = parts_.context;
    const Packet& packet = received.packet;
    context.counters.add(Counter::no_route);
    if (!is_request(packet.type)) return;
    // We would know a station of our own tunnel if it were registered: that is an answer, not an error (code 12).
    if (packet.type == PacketType::resolution_request && context.settings.server && context.own_subnet().contains(packet.destination_protocol))
        return on_resolution_request(received, now, out);
    context.send_error(received.from, received.bytes, ErrorCode::protocol_address_unreachable, 0, now, out);
}

}  // namespace nave::nhrp
