// Requests, responses and their bytes.
#include "controlplane/ike/exchange.hpp"

#include "common/headers.hpp"
#include "controlplane/ike/fragmentation.hpp"
#include "controlplane/ike/trace.hpp"

#include <limits>

namespace nave::ike {
namespace {

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kUdpHeader = 8, kMarker = 4;

std::size_t marker_size(const NbmaEndpoint& local) { return local.port == kUdpPortIke ? 0 : kMarker; }

/// What a message may measure. A peer that did not say that it takes fragments gets every message whole.
std::size_t size_max(const Context& context, const IkeSa& ike, const NbmaEndpoint& local) {
    if (!ike.fragments) return std::numeric_limits<std::size_t>::max();
    return context.settings.packet_size_max - (local.address.value.is_v4() ? kIpv4Header : kIpv6Header) - kUdpHeader - marker_size(local);
}

Header header_of(const IkeSa& ike, ExchangeType exchange, std::uint32_t message_id, bool response) {
    return {.initiator_spi = ike.initiator_spi,
            .responder_spi = ike.responder_spi,
            .exchange = exchange,
            .from_initiator = ike.role == Role::initiator,
            .response = response,
            .message_id = message_id};
}

}  // namespace

void send_message(Context& context, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView message) {
    trace_plain(context, local, remote, message);
    Bytes payload;
    const std::size_t marker = marker_size(local);
    payload.reserve(marker + message.size());
    payload.resize(marker);
    payload.insert(payload.end(), message.begin(), message.end());
    context.out.push_back(SendDatagram{local, remote, std::move(payload)});
}

void send_messages(Context& context, const NbmaEndpoint& local, const NbmaEndpoint& remote, const std::vector<Bytes>& messages) {
    if (messages.size() > 1) context.count("sent-in-fragments");
    for (const Bytes& message : messages) send_message(context, local, remote, message);
}

void repeat_request(Context& context, const Association& association, const IkeSa& ike) {
    context.count("requests-repeated");
    send_messages(context, association.local, association.remote, ike.outstanding->messages);
}

void send_request(Context& context, const Association& association, IkeSa& ike, ExchangeType exchange, const std::vector<Payload>& payloads, Purpose purpose,
                  int tries) {
    const Header header = header_of(ike, exchange, ike.next_request_id++, false);
    trace_sealed(context, association.local, association.remote, header, payloads);
    std::vector<Bytes> messages = seal_to_fit(header, payloads, ike.outgoing_keys(), context.random, size_max(context, ike, association.local));
    ike.outstanding = transmission_of(std::move(messages), context.settings.retransmit_first, tries, context.now);
    ike.purpose = std::move(purpose);
    ike.response_parts.forget();
    send_messages(context, association.local, association.remote, ike.outstanding->messages);
}

void send_response(Context& context, IkeSa& ike, const Arrival& request, const std::vector<Payload>& payloads) {
    const Header header = header_of(ike, request.header.exchange, request.header.message_id, true);
    trace_sealed(context, request.local, request.remote, header, payloads);
    ike.last_response = seal_to_fit(header, payloads, ike.outgoing_keys(), context.random, size_max(context, ike, request.local));
    ike.expected_request_id = request.header.message_id + 1;
    ike.answered_keys.reset();
    ike.request_parts.forget();
    send_messages(context, request.local, request.remote, ike.last_response);
}

void send_refusal(Context& context, IkeSa& ike, const Arrival& request, NotifyType type, Bytes data) {
    send_response(context, ike, request, {Notify{.type = type, .data = std::move(data)}});
}

void send_stateless(Context& context, const Arrival& request, Notify notify) {
    const Header header{.initiator_spi = request.header.initiator_spi,
                        .exchange = request.header.exchange,
                        .response = true,
                        .message_id = request.header.message_id};
    const std::vector<Payload> payloads{std::move(notify)};
    send_message(context, request.local, request.remote, encode_message(header, payloads));
}

}  // namespace nave::ike
