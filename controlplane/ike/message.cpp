// The IKE header and whole messages.
#include "controlplane/ike/message.hpp"

#include <cassert>
#include <fmt/format.h>

namespace nave::ike {

namespace {

constexpr std::uint8_t kFlagInitiator = 0x08, kFlagVersion = 0x10, kFlagResponse = 0x20;
constexpr std::size_t kLengthOffset = 24;

}  // namespace

std::expected<Header, DecodeError> decode_header(ByteView message) {
    ByteReader in{message};
    Header header;
    header.initiator_spi = in.u64();
    header.responder_spi = in.u64();
    header.first = PayloadType{in.u8()};
    const std::uint8_t version = in.u8();
    header.major_version = version >> 4;
    header.minor_version = version & 0x0f;
    header.exchange = ExchangeType{in.u8()};
    const std::uint8_t flags = in.u8();
    header.from_initiator = flags & kFlagInitiator;
    header.higher_version = flags & kFlagVersion;
    header.response = flags & kFlagResponse;
    header.message_id = in.u32();
    const std::uint32_t length = in.u32();
    if (in.failed()) return std::unexpected{DecodeError{Malformed::truncated}};
    if (length != message.size()) return std::unexpected{DecodeError{Malformed::wrong_message_length}};
    return header;
}

std::expected<Message, DecodeError> decode_message(ByteView message) {
    const auto header = decode_header(message);
    if (!header) return std::unexpected{header.error()};
    if (header->major_version != 2) return std::unexpected{DecodeError{Malformed::major_version}};
    auto payloads = decode_payload_chain(header->first, message.subspan(Header::kSize));
    if (!payloads) return std::unexpected{payloads.error()};
    return Message{*header, std::move(*payloads)};
}

void encode_header(const Header& header, PayloadType first, ByteWriter& out) {
    out.u64(header.initiator_spi);
    out.u64(header.responder_spi);
    out.u8(static_cast<std::uint8_t>(first));
    out.u8(static_cast<std::uint8_t>(header.major_version << 4 | (header.minor_version & 0x0f)));
    out.u8(static_cast<std::uint8_t>(header.exchange));
    out.u8(static_cast<std::uint8_t>((header.from_initiator ? kFlagInitiator : 0) | (header.higher_version ? kFlagVersion : 0) |
                                     (header.response ? kFlagResponse : 0)));
    out.u32(header.message_id);
    out.u32(0);
}

Bytes encode_message(const Header& header, std::span<const Payload> payloads) {
    ByteWriter out;
    encode_header(header, payloads.empty() ? PayloadType::none : type_of(payloads.front()), out);
    encode_payload_chain(payloads, out);
    out.patch_u32(kLengthOffset, static_cast<std::uint32_t>(out.size()));
    return out.take();
}

namespace {

std::string exchange_name(ExchangeType exchange) {
    switch (exchange) {
    case ExchangeType::ike_sa_init:      return "IKE_SA_INIT";
    case ExchangeType::ike_auth:         return "IKE_AUTH";
    case ExchangeType::create_child_sa:  return "CREATE_CHILD_SA";
    case ExchangeType::informational:    return "INFORMATIONAL";
    case ExchangeType::ike_intermediate: return "IKE_INTERMEDIATE";
    case ExchangeType::ike_followup_ke:  return "IKE_FOLLOWUP_KE";
    case ExchangeType::ike_session_resume: return "IKE_SESSION_RESUME";
    }
    return fmt::format("exchange {}", static_cast<unsigned>(exchange));
}

/// As the figures of RFC 7296 §1 write it.
std::string payload_name(const Payload& payload) {
    if (const auto* notify = std::get_if<Notify>(&payload)) return "N(" + to_string(notify->type) + ")";
    switch (type_of(payload)) {
    case PayloadType::security_association:        return "SA";
    case PayloadType::key_exchange:                return "KE";
    case PayloadType::identification_initiator:    return "IDi";
    case PayloadType::identification_responder:    return "IDr";
    case PayloadType::certificate:                 return "CERT";
    case PayloadType::certificate_request:         return "CERTREQ";
    case PayloadType::authentication:              return "AUTH";
    case PayloadType::nonce:                       return "No";
    case PayloadType::notify:                      return "N";
    case PayloadType::delete_:                     return "D";
    case PayloadType::vendor_id:                   return "V";
    case PayloadType::traffic_selectors_initiator: return "TSi";
    case PayloadType::traffic_selectors_responder: return "TSr";
    case PayloadType::encrypted:                   return "SK";
    case PayloadType::encrypted_fragment:          return "SKF";
    case PayloadType::configuration:               return "CP";
    case PayloadType::extensible_authentication:   return "EAP";
    case PayloadType::none:                        break;
    }
    return fmt::format("payload {}", static_cast<unsigned>(type_of(payload)));
}

}  // namespace

std::string describe(const Header& header, std::span<const Payload> payloads) {
    std::string text = fmt::format("{} {} {} [", exchange_name(header.exchange), header.response ? "response" : "request", header.message_id);
    for (const Payload& payload : payloads) text += " " + payload_name(payload);
    return text + " ]";
}

}  // namespace nave::ike
