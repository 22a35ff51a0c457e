// Everything that IKE computes with keys, as plain functions; of IKE's files those named crypto* know OpenSSL.
#pragma once

#include "common/bytes.hpp"
#include "common/random.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/proposal.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace nave::ike {

// All functions may be called from any thread. A failure inside OpenSSL (no memory, no provider) aborts: nothing could go on safely.

/// Output and preferred key size of a PRF in bytes (RFC 4868 §2.1.2).
std::size_t prf_size(Prf algorithm);
/// prf(key, part | part | ...).
Secret prf(Prf algorithm, ByteView key, std::initializer_list<ByteView> parts);

/// Key and checksum size of an integrity algorithm in bytes; 0 for none.
std::size_t integrity_key_size(Integrity algorithm);
std::size_t integrity_size(Integrity algorithm);
/// The truncated HMAC of RFC 4868 §2.
Bytes integrity_checksum(Integrity algorithm, ByteView key, std::initializer_list<ByteView> parts);

/// SHA-1 of the parts, for NAT detection and the names of authorities only (RFC 7296 §2.23, §3.7).
std::array<std::uint8_t, 20> sha1(std::initializer_list<ByteView> parts);

bool is_aead(IkeEncryption algorithm);
/// Bytes taken from the key material: the AES key, with AEAD followed by the 4-byte salt (RFC 5282 §7.1).
std::size_t encryption_key_size(IkeEncryption algorithm);

inline constexpr std::size_t kGcmTagSize = 16, kGcmNonceSize = 12, kAesBlockSize = 16;
/// AES-GCM with a 16- or 32-byte key: ciphertext followed by the tag.
Bytes aes_gcm_seal(ByteView key, ByteView nonce, ByteView associated, ByteView plaintext);
/// Nothing if the tag is not genuine.
std::optional<Bytes> aes_gcm_open(ByteView key, ByteView nonce, ByteView associated, ByteView sealed);
/// AES-CBC without padding of its own; the input is a multiple of kAesBlockSize.
Bytes aes_cbc_encrypt(ByteView key, ByteView iv, ByteView plaintext);
Bytes aes_cbc_decrypt(ByteView key, ByteView iv, ByteView ciphertext);

enum class KeyExchangeError : std::uint8_t { wrong_length, not_on_curve, zero_result };
std::string_view name(KeyExchangeError reason);

bool is_supported(Group group);

/// One end of a Diffie-Hellman exchange: RFC 8031 (X25519) or RFC 5903 (P-256, P-384). A value; wipes its private half.
class DhKeyPair {
public:
    /// Draws the private key from `random` alone, so that a seed replays. The group must be supported.
    static DhKeyPair generate(Group group, Random& random);
    /// From a given private key (32, 32 or 48 bytes); nothing if it is out of the group's range.
    static std::optional<DhKeyPair> from_private(Group group, ByteView private_key);

    Group group() const { return group_; }
    /// As it stands in a KE payload.
    const Bytes& public_value() const { return public_; }
    /// g^ir as the key derivation takes it. The peer's value is checked: length, point on the curve, result not zero.
    std::expected<Secret, KeyExchangeError> shared_secret(ByteView peer_public_value) const;

private:
    DhKeyPair(Group group, Secret private_key, Bytes public_value);
    Group group_;
    Secret private_;
    Bytes public_;
};

/// The operating system's and OpenSSL's random generator.
class SystemRandom final : public Random {
public:
    void fill(std::span<std::uint8_t> bytes) override;
};

}  // namespace nave::ike
