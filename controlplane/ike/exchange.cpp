// Requests, responses and their bytes.
#include "controlplane/ike/exchange.hpp"

#include "common/headers.hpp"
#include "controlplane/ike/protected_message.hpp"

namespace nave::ike {
namespace {


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
    Bytes payload;
    const std::size_t marker = local.port == kUdpPortIke ? 0 : 4;
    payload.reserve(marker + message.size());
    payload.resize(marker);
    payload.insert(payload.end(), message.begin(), message.end());
    context.out.push_back(SendDatagram{local, remote, std::move(payload)});
}

void repeat_request(Context& context, const Association& association, const IkeSa& ike) {
    context.count("requests-repeated");
    send_message(context, association.local, association.remote, ike.outstanding->message);
}

void send_request(Context& context, const Association& association, IkeSa& ike, ExchangeType exchange, const std::vector<Payload>& payloads, Purpose purpose,
                  int tries) {
    const Header header = header_of(ike, exchange, ike.next_request_id++, false);
    ike.outstanding = transmission_of(seal(header, payloads, ike.outgoing_keys(), context.random), context.settings.retransmit_first, tries, context.now);
    ike.purpose = std::move(purpose);
    send_message(context, association.local, association.remote, ike.outstanding->message);
}

void send_response(Context& context, IkeSa& ike, const Arrival& request, const std::vector<Payload>& payloads) {
    const Header header = header_of(ike, request.header.exchange, request.header.message_id, true);
    ike.last_response = seal(header, payloads, ike.outgoing_keys(), context.random);
    ike.expected_request_id = request.header.message_id + 1;
    send_message(context, request.local, request.remote, ike.last_response);
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
