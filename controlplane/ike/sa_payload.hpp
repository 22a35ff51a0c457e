// The Security Association payload: proposals, transforms and their attributes as on the wire (RFC 7296 §3.3).
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

namespace nave::ike {

/// The last two are the ends of a range: ADDKE1 to ADDKE7 of RFC 9370.
enum class TransformType : std::uint8_t {
    encryption = 1, prf = 2, integrity = 3, key_exchange = 4, extended_sequence_numbers = 5, additional_key_exchange_1 = 6, additional_key_exchange_7 = 12
};
constexpr bool is_additional(TransformType type) { return type >= TransformType::additional_key_exchange_1 && type <= TransformType::additional_key_exchange_7; }

/// Transform IDs that we know (IANA); any other number is decoded too and just never chosen.
namespace transform_id {
inline constexpr std::uint16_t kNull = 11, kAesCbc = 12, kAesGcm16 = 20, kAesGmac = 21, kChaCha20Poly1305 = 28;
inline constexpr std::uint16_t kPrfHmacSha256 = 5, kPrfHmacSha384 = 6, kPrfHmacSha512 = 7;
inline constexpr std::uint16_t kIntegrityNone = 0, kHmacSha256_128 = 12, kHmacSha384_192 = 13, kHmacSha512_256 = 14;
inline constexpr std::uint16_t kKeyExchangeNone = 0, kEsnNo = 0, kEsnYes = 1;
}  // namespace transform_id

struct Transform {
    TransformType type{};
    std::uint16_t id = 0;
    std::optional<std::uint16_t> key_length{};  // bits
    bool unknown_attribute = false;             // then it must not be chosen (RFC 7296 §3.3.6); never encoded
    auto operator<=>(const Transform&) const = default;
};

struct Proposal {
    std::uint8_t number = 1;
    Protocol protocol = Protocol::none;
    Bytes spi{};  // empty, 8 bytes (IKE when rekeying) or 4 (ESP)
    std::vector<Transform> transforms{};
    bool operator==(const Proposal&) const = default;
};

struct SaPayload {
    static constexpr std::size_t kProposalsMax = 64, kTransformsMax = 128;  // per payload, per proposal
    std::vector<Proposal> proposals;
    bool operator==(const SaPayload&) const = default;
};

/// The body behind the generic payload header. Unknown transform types, IDs and attributes are kept, not refused.
std::expected<SaPayload, Malformed> decode_sa(ByteView body);
void encode_sa(const SaPayload& sa, ByteWriter& out);

}  // namespace nave::ike
