// IKEv2 payloads as values (RFC 7296 §3.4 to §3.14, RFC 7383 §2.5), and chains of them.
#pragma once

#include "common/bytes.hpp"
#include "common/ids.hpp"
#include "controlplane/ike/certificate_payloads.hpp"
#include "controlplane/ike/identity.hpp"
#include "controlplane/ike/notify.hpp"
#include "controlplane/ike/proposal.hpp"
#include "controlplane/ike/sa_payload.hpp"
#include "controlplane/ike/traffic_selector.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <variant>
#include <vector>

namespace nave::ike {

/// `group` may be a number that we do not know; whoever computes with it finds out.
struct KeyExchange {
    Group group{};
    Bytes data{};
    bool operator==(const KeyExchange&) const = default;
};

struct IdentificationPayload {
    Role role{};
    Identity identity{};
    std::array<std::uint8_t, 3> reserved{};  // ignored, but the AUTH of its sender covers them (RFC 7296 §2.15)
    bool operator==(const IdentificationPayload&) const = default;
    /// IDType | RESERVED | data: what AUTH covers.
    Bytes signed_body() const;
};

struct AuthPayload {
    AuthMethod method{};
    Bytes data{};
    bool operator==(const AuthPayload&) const = default;
};

struct NoncePayload {
    static constexpr std::size_t kBytesMin = 16, kBytesMax = 256;
    Bytes data;
    bool operator==(const NoncePayload&) const = default;
};

/// Deletes the IKE SA itself (protocol ike, no SPIs), or child SAs by the SPIs that the sender receives on.
struct DeletePayload {
    static constexpr std::size_t kSpisMax = 256;
    Protocol protocol{};
    std::vector<Spi> spis{};
    bool operator==(const DeletePayload&) const = default;
};

struct VendorId {
    Bytes data;
    bool operator==(const VendorId&) const = default;
};

/// An SK payload, still closed; `first` is the type of the first payload inside. See protected_message.hpp.
struct Encrypted {
    PayloadType first{};
    Bytes body{};  // IV | ciphertext | ICV
    bool operator==(const Encrypted&) const = default;
};

/// An SKF payload, still closed. See fragmentation.hpp.
struct EncryptedFragment {
    PayloadType first{};
    std::uint16_t number = 0, total = 0;
    Bytes body{};
    bool operator==(const EncryptedFragment&) const = default;
};

/// CP and EAP: known types whose content nobody here reads.
struct OpaquePayload {
    PayloadType type{};
    bool critical = false;
    Bytes data{};
    bool operator==(const OpaquePayload&) const = default;
};

using Payload = std::variant<SaPayload, KeyExchange, IdentificationPayload, CertificatePayload, CertificateRequest, AuthPayload, NoncePayload, Notify,
                             DeletePayload, VendorId, TrafficSelectors, Encrypted, EncryptedFragment, OpaquePayload>;

inline constexpr std::size_t kPayloadsMax = 64;  // of one message, inside and outside of SK each

PayloadType type_of(const Payload& payload);

/// A chain from its first payload's type to the end of `chain`. Payloads of unknown types are left out, unless they are critical.
std::expected<std::vector<Payload>, DecodeError> decode_payload_chain(PayloadType first, ByteView chain);
/// Appends the chain; an SK or SKF payload must come last.
void encode_payload_chain(std::span<const Payload> payloads, ByteWriter& out);

/// The first payload of a kind; null if there is none.
template <class T>
const T* find(std::span<const Payload> payloads) {
    for (const Payload& payload : payloads)
        if (const T* found = std::get_if<T>(&payload)) return found;
    return nullptr;
}
/// The payload of a kind that comes in two roles: IdentificationPayload or TrafficSelectors.
template <class T>
const T* find(std::span<const Payload> payloads, Role role) {
    for (const Payload& payload : payloads)
        if (const T* found = std::get_if<T>(&payload); found && found->role == role) return found;
    return nullptr;
}
const Notify* find_notify(std::span<const Payload> payloads, NotifyType type);
/// The first notification that is an error.
const Notify* find_error(std::span<const Payload> payloads);

}  // namespace nave::ike
