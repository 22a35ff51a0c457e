// What we propose and accept: IKE and ESP transforms (RFC 7296 §3.3.2, RFC 8247, RFC 8221, RFC 9370) and their choice.
#pragma once

#include "common/plane_messages.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nave::ike {

enum class IkeEncryption : std::uint8_t { aes_gcm_128, aes_gcm_256, chacha20_poly1305, aes_cbc_128, aes_cbc_256 };
enum class Integrity : std::uint8_t { none, hmac_sha256_128, hmac_sha384_192, hmac_sha512_256 };
enum class Prf : std::uint8_t { hmac_sha256, hmac_sha384, hmac_sha512 };
/// IANA transform type 4: Diffie-Hellman groups, and the KEMs of draft-ietf-ipsecme-ikev2-mlkem.
enum class Group : std::uint16_t {
    modp2048 = 14, modp3072 = 15, modp4096 = 16, p256 = 19, p384 = 20, p521 = 21, x25519 = 31, x448 = 32, mlkem512 = 35, mlkem768 = 36, mlkem1024 = 37
};
/// Whether one end encapsulates to the other's public key, so that what the two send is of two kinds.
constexpr bool is_kem(Group group) { return group >= Group::mlkem512 && group <= Group::mlkem1024; }

/// Key exchanges behind the first one, by their places: the transform types ADDKE1 to ADDKE7 of RFC 9370, in whose order they are made.
using AdditionalGroups = std::array<std::optional<Group>, 7>;
constexpr bool has_any(const AdditionalGroups& groups) {
    return std::ranges::any_of(groups, [](const auto& group) { return group.has_value(); });
}
/// Those that are to be made, in order.
std::vector<Group> in_order(const AdditionalGroups& groups);

/// None for an AEAD.
Integrity integrity_of(EspAlgorithm algorithm);

/// "x25519", "p384", "modp3072" ..., or "group-1" for a number that we only know from the wire.
std::string name(Group group);

/// One complete suite for the IKE SA. `integrity` is none exactly with an AEAD.
struct IkeProposal {
    IkeEncryption encryption;
    Integrity integrity;
    Prf prf;
    Group group;
    AdditionalGroups additional{};
    auto operator<=>(const IkeProposal&) const = default;
};

/// One suite for a child SA; `group` asks for a fresh key exchange when the child is rekeyed (PFS), `additional` for more of them behind it.
struct EspProposal {
    EspAlgorithm algorithm;
    bool esn;
    std::optional<Group> group;
    AdditionalGroups additional{};
    auto operator<=>(const EspProposal&) const = default;
};

/// From text such as "aes-gcm-256/prf-sha384/p384", "aes-cbc-256/sha256/prf-sha256/x25519" or, with additional key exchanges,
/// "aes-gcm-256/prf-sha384/x25519/ke1-p384"; nothing if it is none. No key exchange stands in it twice (RFC 9370 §2.2.1), a KEM only
/// behind the first one.
std::optional<IkeProposal> parse_ike_proposal(std::string_view text);
/// From text such as "aes-gcm-256", "chacha20-poly1305/no-esn/x25519/ke1-p384", "aes-cbc-256/sha256/esn", "null/sha256"; ESN is on unless said otherwise.
std::optional<EspProposal> parse_esp_proposal(std::string_view text);
std::string to_string(const IkeProposal& proposal);
std::string to_string(const EspProposal& proposal);

/// Strong and fast ones first: AES-GCM-256 and -128 and ChaCha20-Poly1305 with X25519, P-384, P-256, MODP-3072; CBC + HMAC-SHA2 last, for peers without GCM in IKE.
/// With ML-KEM compiled in, the AEADs with X25519 and then ML-KEM-768 come before all others.
std::vector<IkeProposal> default_ike_proposals();
/// AES-GCM-256, AES-GCM-128, ChaCha20-Poly1305; with ESN preferred and without it accepted; a rekey with a fresh key exchange
/// preferred and without it accepted. AES-CBC with HMAC-SHA2 only for who configures it: every peer of today has an AEAD, which is
/// several times as fast. What does not encrypt never stands here.
std::vector<EspProposal> default_esp_proposals();

}  // namespace nave::ike
