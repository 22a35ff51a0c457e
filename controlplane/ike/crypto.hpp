// What IKE computes with keys, as plain functions; key exchange is in key_exchange.hpp. Of IKE's files those named crypto* know OpenSSL.
#pragma once

#include "common/bytes.hpp"
#include "common/random.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/proposal.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

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
/// Bytes taken from the key material: the key, with AEAD followed by the 4-byte salt (RFC 5282 §7.1, RFC 7634 §2).
std::size_t encryption_key_size(IkeEncryption algorithm);

inline constexpr std::size_t kAeadTagSize = 16, kAeadNonceSize = 12, kAesBlockSize = 16;
/// AES-GCM or ChaCha20-Poly1305, with the key without its salt: ciphertext followed by the tag.
Bytes aead_seal(IkeEncryption algorithm, ByteView key, ByteView nonce, ByteView associated, ByteView plaintext);
/// Nothing if the tag is not genuine.
std::optional<Bytes> aead_open(IkeEncryption algorithm, ByteView key, ByteView nonce, ByteView associated, ByteView sealed);
/// AES-CBC without padding of its own; the input is a multiple of kAesBlockSize.
Bytes aes_cbc_encrypt(ByteView key, ByteView iv, ByteView plaintext);
Bytes aes_cbc_decrypt(ByteView key, ByteView iv, ByteView ciphertext);

/// The operating system's and OpenSSL's random generator.
class SystemRandom final : public Random {
public:
    void fill(std::span<std::uint8_t> bytes) override;
};

}  // namespace nave::ike
