// The body of each payload type, decoded and encoded side by side, and the chain that strings them together (RFC 7296 §3.2).
#include "controlplane/ike/payloads.hpp"

#include <algorithm>
#include <cassert>

namespace nave::ike {

namespace {

using Decoded = std::expected<std::optional<Payload>, Malformed>;  // nothing: a payload to be skipped

constexpr std::size_t kGenericHeader = 4;
constexpr std::uint8_t kCritical = 0x80;

Bytes copy(ByteView view) { return {view.begin(), view.end()}; }

/// A payload whose last field takes all that is left: it can only be too short.
Decoded complete(const ByteReader& in, Payload payload) {
    if (in.failed()) return std::unexpected{Malformed::truncated};
    return payload;
}

Decoded decode_key_exchange(ByteReader in) {  // §3.4
    KeyExchange payload;
    payload.group = Group{in.u16()};
    in.skip(2);
    payload.data = copy(in.take_rest());
    return complete(in, std::move(payload));
}
void encode_body(const KeyExchange& payload, ByteWriter& out) {
    out.u16(static_cast<std::uint16_t>(payload.group));
    out.u16(0);
    out.bytes(payload.data);
}

Decoded decode_identification(ByteReader in, Role role) {  // §3.5
    IdentificationPayload payload;
    payload.role = role;
    payload.identity.type = Identity::Type{in.u8()};
    for (std::uint8_t& byte : payload.reserved) byte = in.u8();
    payload.identity.data = copy(in.take_rest());
    return complete(in, std::move(payload));
}
void encode_body(const IdentificationPayload& payload, ByteWriter& out) {
    out.u8(static_cast<std::uint8_t>(payload.identity.type));
    out.bytes(payload.reserved);
    out.bytes(payload.identity.data);
}

Decoded decode_auth(ByteReader in) {  // §3.8
    AuthPayload payload;
    payload.method = AuthMethod{in.u8()};
    in.skip(3);
    payload.data = copy(in.take_rest());
    return complete(in, std::move(payload));
}
void encode_body(const AuthPayload& payload, ByteWriter& out) {
    out.u8(static_cast<std::uint8_t>(payload.method));
    out.zeros(3);
    out.bytes(payload.data);
}

Decoded decode_nonce(ByteView body) {  // §3.9
    if (body.size() < NoncePayload::kBytesMin || body.size() > NoncePayload::kBytesMax) return std::unexpected{Malformed::nonce_size};
    return NoncePayload{copy(body)};
}
void encode_body(const NoncePayload& payload, ByteWriter& out) { out.bytes(payload.data); }

Decoded decode_notify(ByteReader in) {  // §3.10
    Notify payload;
    payload.protocol = Protocol{in.u8()};
    const std::uint8_t spi_size = in.u8();
    payload.type = NotifyType{in.u16()};
    payload.spi = copy(in.take(spi_size));
    payload.data = copy(in.take_rest());
    return complete(in, std::move(payload));
}
void encode_body(const Notify& payload, ByteWriter& out) {
    assert(payload.spi.size() < 256);
    out.u8(static_cast<std::uint8_t>(payload.protocol));
    out.u8(static_cast<std::uint8_t>(payload.spi.size()));
    out.u16(static_cast<std::uint16_t>(payload.type));
    out.bytes(payload.spi);
    out.bytes(payload.data);
}

Decoded decode_delete(ByteReader in) {  // §3.11
    DeletePayload payload;
    payload.protocol = Protocol{in.u8()};
    const std::size_t spi_size = in.u8();
    const std::size_t count = in.u16();
    if (in.failed()) return std::unexpected{Malformed::truncated};
    const bool whole_sa = payload.protocol == Protocol::ike;
    if (whole_sa ? spi_size != 0 || count != 0 : spi_size != 4) return std::unexpected{Malformed::spi_size};
    if (count > DeletePayload::kSpisMax) return std::unexpected{Malformed::too_many_spis};
    for (std::size_t i = 0; i < count; ++i) payload.spis.push_back(Spi{in.u32()});
    if (in.failed()) return std::unexpected{Malformed::truncated};
    if (!in.at_end()) return std::unexpected{Malformed::trailing_bytes};
    return payload;
}
void encode_body(const DeletePayload& payload, ByteWriter& out) {
    assert(payload.spis.size() <= DeletePayload::kSpisMax);
    out.u8(static_cast<std::uint8_t>(payload.protocol));
    out.u8(payload.protocol == Protocol::ike ? 0 : 4);
    out.u16(static_cast<std::uint16_t>(payload.spis.size()));
    for (const Spi spi : payload.spis) out.u32(spi.value);
}

Decoded decode_fragment(ByteReader in, PayloadType first) {  // RFC 7383 §2.5
    EncryptedFragment payload;
    payload.first = first;
    payload.number = in.u16();
    payload.total = in.u16();
    payload.body = copy(in.take_rest());
    return complete(in, std::move(payload));
}
void encode_body(const EncryptedFragment& payload, ByteWriter& out) {
    out.u16(payload.number);
    out.u16(payload.total);
    out.bytes(payload.body);
}

void encode_body(const SaPayload& payload, ByteWriter& out) { encode_sa(payload, out); }
void encode_body(const TrafficSelectors& payload, ByteWriter& out) { encode_traffic_selectors(payload, out); }
void encode_body(const VendorId& payload, ByteWriter& out) { out.bytes(payload.data); }
void encode_body(const Encrypted& payload, ByteWriter& out) { out.bytes(payload.body); }
void encode_body(const OpaquePayload& payload, ByteWriter& out) { out.bytes(payload.data); }

/// A body decoded by another file, as a payload.
template <class T>
Decoded widen(std::expected<T, Malformed> decoded) {
    if (!decoded) return std::unexpected{decoded.error()};
    return std::move(*decoded);
}

/// `next` is what the generic header names: the payload behind, or for SK and SKF the first one inside.
Decoded decode_body(PayloadType type, PayloadType next, bool critical, ByteView body) {
    switch (type) {
    case PayloadType::security_association:        return widen(decode_sa(body));
    case PayloadType::key_exchange:                return decode_key_exchange(ByteReader{body});
    case PayloadType::identification_initiator:    return decode_identification(ByteReader{body}, Role::initiator);
    case PayloadType::identification_responder:    return decode_identification(ByteReader{body}, Role::responder);
    case PayloadType::certificate:                 return widen(decode_certificate(body));
    case PayloadType::certificate_request:         return widen(decode_certificate_request(body));
    case PayloadType::authentication:              return decode_auth(ByteReader{body});
    case PayloadType::nonce:                       return decode_nonce(body);
    case PayloadType::notify:                      return decode_notify(ByteReader{body});
    case PayloadType::delete_:                     return decode_delete(ByteReader{body});
    case PayloadType::vendor_id:                   return VendorId{copy(body)};
    case PayloadType::traffic_selectors_initiator: return widen(decode_traffic_selectors(body, Role::initiator));
    case PayloadType::traffic_selectors_responder: return widen(decode_traffic_selectors(body, Role::responder));
    case PayloadType::encrypted:                   return Encrypted{next, copy(body)};
    case PayloadType::encrypted_fragment:          return decode_fragment(ByteReader{body}, next);
    case PayloadType::configuration:
    case PayloadType::extensible_authentication:   return OpaquePayload{type, critical, copy(body)};
    case PayloadType::none:                        break;
    }
    if (critical) return std::unexpected{Malformed::unsupported_critical};
    return std::nullopt;
}

bool holds_chain(PayloadType type) { return type == PayloadType::encrypted || type == PayloadType::encrypted_fragment; }

}  // namespace

std::expected<std::vector<Payload>, DecodeError> decode_payload_chain(PayloadType first, ByteView chain) {
    std::vector<Payload> payloads;
    ByteReader in{chain};
    PayloadType type = first;
    for (std::size_t count = 0; type != PayloadType::none; ++count) {
        const auto fail = [type](Malformed reason) { return std::unexpected{DecodeError{reason, type}}; };
        if (count == kPayloadsMax) return fail(Malformed::too_many_payloads);
        const auto next = PayloadType{in.u8()};
        const bool critical = in.u8() & kCritical;
        const std::size_t length = in.u16();
        if (in.failed() || length < kGenericHeader || length - kGenericHeader > in.remaining()) return fail(Malformed::payload_length);
        auto payload = decode_body(type, next, critical, in.take(length - kGenericHeader));
        if (!payload) return fail(payload.error());
        if (*payload) payloads.push_back(std::move(**payload));
        if (holds_chain(type) && !in.at_end()) return fail(Malformed::encrypted_not_last);
        type = holds_chain(type) ? PayloadType::none : next;
    }
    if (!in.at_end()) return std::unexpected{DecodeError{Malformed::trailing_bytes}};
    return payloads;
}

void encode_payload_chain(std::span<const Payload> payloads, ByteWriter& out) {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        const bool last = i + 1 == payloads.size();
        assert(last || !holds_chain(type_of(payloads[i])));
        PayloadType next = last ? PayloadType::none : type_of(payloads[i + 1]);
        if (const auto* encrypted = std::get_if<Encrypted>(&payloads[i])) next = encrypted->first;
        if (const auto* fragment = std::get_if<EncryptedFragment>(&payloads[i])) next = fragment->first;
        const auto* opaque = std::get_if<OpaquePayload>(&payloads[i]);

        const std::size_t start = out.size();
        out.u8(static_cast<std::uint8_t>(next));
        out.u8(opaque && opaque->critical ? kCritical : 0);
        out.u16(0);  // length, patched below
        std::visit([&out](const auto& payload) { encode_body(payload, out); }, payloads[i]);
        const std::size_t length = out.size() - start;
        assert(length <= 0xffff);
        out.patch_u16(start + 2, static_cast<std::uint16_t>(length));
    }
}

PayloadType type_of(const Payload& payload) {
    struct Visitor {
        PayloadType operator()(const SaPayload&) const { return PayloadType::security_association; }
        PayloadType operator()(const KeyExchange&) const { return PayloadType::key_exchange; }
        PayloadType operator()(const IdentificationPayload& id) const {
            return id.role == Role::initiator ? PayloadType::identification_initiator : PayloadType::identification_responder;
        }
        PayloadType operator()(const CertificatePayload&) const { return PayloadType::certificate; }
        PayloadType operator()(const CertificateRequest&) const { return PayloadType::certificate_request; }
        PayloadType operator()(const AuthPayload&) const { return PayloadType::authentication; }
        PayloadType operator()(const NoncePayload&) const { return PayloadType::nonce; }
        PayloadType operator()(const Notify&) const { return PayloadType::notify; }
        PayloadType operator()(const DeletePayload&) const { return PayloadType::delete_; }
        PayloadType operator()(const VendorId&) const { return PayloadType::vendor_id; }
        PayloadType operator()(const TrafficSelectors& selectors) const {
            return selectors.role == Role::initiator ? PayloadType::traffic_selectors_initiator : PayloadType::traffic_selectors_responder;
        }
        PayloadType operator()(const Encrypted&) const { return PayloadType::encrypted; }
        PayloadType operator()(const EncryptedFragment&) const { return PayloadType::encrypted_fragment; }
        PayloadType operator()(const OpaquePayload& opaque) const { return opaque.type; }
    };
    return std::visit(Visitor{}, payload);
}

Bytes IdentificationPayload::signed_body() const {
    ByteWriter out;
    encode_body(*this, out);
    return out.take();
}

const Notify* find_notify(std::span<const Payload> payloads, NotifyType type) {
    for (const Payload& payload : payloads)
        if (const auto* notify = std::get_if<Notify>(&payload); notify && notify->type == type) return notify;
    return nullptr;
}

const Notify* find_error(std::span<const Payload> payloads) {
    for (const Payload& payload : payloads)
        if (const auto* notify = std::get_if<Notify>(&payload); notify && is_error(notify->type)) return notify;
    return nullptr;
}

}  // namespace nave::ike
