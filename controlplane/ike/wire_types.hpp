// Numbers that IKEv2 messages are made of (RFC 7296 §3, IANA "IKEv2 Parameters"), and why bytes are not a message.
#pragma once

#include <cstdint>
#include <string_view>

namespace nave::ike {

/// Which end of an exchange or of an IKE SA; also which of two twin payloads (IDi/IDr, TSi/TSr).
enum class Role : std::uint8_t { initiator, responder };
constexpr Role other(Role role) { return role == Role::initiator ? Role::responder : Role::initiator; }

enum class ExchangeType : std::uint8_t {
    ike_sa_init = 34, ike_auth = 35, create_child_sa = 36, informational = 37,
    ike_session_resume = 38,  // RFC 5723
    ike_intermediate = 43,  // RFC 9242
    ike_followup_ke = 44,   // RFC 9370
};

enum class PayloadType : std::uint8_t {
    none = 0,
    security_association = 33,
    key_exchange = 34,
    identification_initiator = 35,
    identification_responder = 36,
    certificate = 37,
    certificate_request = 38,
    authentication = 39,
    nonce = 40,
    notify = 41,
    delete_ = 42,
    vendor_id = 43,
    traffic_selectors_initiator = 44,
    traffic_selectors_responder = 45,
    encrypted = 46,
    configuration = 47,
    extensible_authentication = 48,
    encrypted_fragment = 53,  // RFC 7383
};

/// Protocol ID of proposals, notifications and deletions (RFC 7296 §3.3.1).
enum class Protocol : std::uint8_t { none = 0, ike = 1, ah = 2, esp = 3 };

enum class AuthMethod : std::uint8_t {
    rsa_signature = 1,
    shared_key = 2,
    dss_signature = 3,
    ecdsa_p256 = 9,  // with SHA-256; RFC 4754
    ecdsa_p384 = 10,
    ecdsa_p521 = 11,
    null = 13,
    digital_signature = 14,  // RFC 7427
};

/// Why bytes are no IKEv2 message.
enum class Malformed : std::uint8_t {
    truncated,            // shorter than an IKE header, or a field ends outside of its payload
    wrong_message_length, // the header's length is not the datagram's
    major_version,        // answer INVALID_MAJOR_VERSION (RFC 7296 §2.5)
    payload_length,       // a generic payload header's length is below 4 or leads out of the message
    trailing_bytes,       // a payload or the message goes on behind its last field
    too_many_payloads,
    too_many_proposals,
    too_many_transforms,
    too_many_selectors,
    too_many_spis,
    substructure_length,  // a proposal, transform, attribute or selector lies about its length
    substructure_chain,   // "last" and "more" markers or counts of proposals or transforms contradict the bytes
    spi_size,
    nonce_size,           // not 16 to 256 bytes (RFC 7296 §3.9)
    selector_range,       // first address above the last, or ports in reverse that are not OPAQUE
    encrypted_not_last,   // something follows an SK or SKF payload
    nested_encryption,    // SK or SKF inside of SK or SKF
    unsupported_critical, // answer UNSUPPORTED_CRITICAL_PAYLOAD (RFC 7296 §2.5)
};
/// Its name for logs and counters, such as "unsupported-critical".
std::string_view name(Malformed reason);

struct DecodeError {
    Malformed reason;
    PayloadType payload = PayloadType::none;  // in which payload; with unsupported_critical the type to report
    bool operator==(const DecodeError&) const = default;
};

}  // namespace nave::ike
