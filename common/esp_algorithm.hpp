// The suites that ESP protects packets with, and the sizes that follow from each.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nave {

/// AEADs: RFC 4106, RFC 7634. AES-CBC (RFC 3602) with the HMAC of RFC 4868 whose ICV is half the hash. Those that do not encrypt: the same
/// HMACs alone (RFC 2410), and AES-GMAC (ENCR_NULL_AUTH_AES_GMAC of RFC 4543), which is AES-GCM with everything authenticated and nothing encrypted.
enum class EspAlgorithm : std::uint8_t {
    aes_gcm_128, aes_gcm_256, chacha20_poly1305,
    aes_cbc_128_sha256, aes_cbc_128_sha384, aes_cbc_128_sha512, aes_cbc_256_sha256, aes_cbc_256_sha384, aes_cbc_256_sha512,
    null_sha256, null_sha384, null_sha512, aes_gmac_128, aes_gmac_256
};

/// Bytes of a suite's keys and of what it adds to a packet.
struct EspSizes {
    std::uint8_t encryption_key, salt, integrity_key;
    std::uint8_t iv, icv;
    std::uint8_t alignment;  // of the ciphertext, a power of two: AEADs need only RFC 4303 §2.4's four

    /// Key material of one direction, in the order in which it is taken (RFC 7296 §2.17; salts: RFC 4106 §8.1, RFC 4543 §5.1, RFC 7634 §2).
    constexpr std::size_t keymat() const { return std::size_t{encryption_key} + salt + integrity_key; }
    /// One algorithm does all (RFC 4303 §3.2.3), which AES-GMAC counts among.
    constexpr bool is_aead() const { return integrity_key == 0; }
};

constexpr EspSizes sizes_of(EspAlgorithm algorithm) {
    const auto aead = [](std::uint8_t key) { return EspSizes{key, 4, 0, 8, 16, 4}; };
    const auto null = [](std::uint8_t hash) { return EspSizes{0, 0, hash, 0, static_cast<std::uint8_t>(hash / 2), 4}; };
    const auto cbc = [](std::uint8_t key, std::uint8_t hash) { return EspSizes{key, 0, hash, 16, static_cast<std::uint8_t>(hash / 2), 16}; };
    switch (algorithm) {
    case EspAlgorithm::aes_gcm_128:
    case EspAlgorithm::aes_gmac_128:       return aead(16);
    case EspAlgorithm::aes_gcm_256:
    case EspAlgorithm::aes_gmac_256:
    case EspAlgorithm::chacha20_poly1305:  return aead(32);
    case EspAlgorithm::aes_cbc_128_sha256: return cbc(16, 32);
    case EspAlgorithm::aes_cbc_128_sha384: return cbc(16, 48);
    case EspAlgorithm::aes_cbc_128_sha512: return cbc(16, 64);
    case EspAlgorithm::aes_cbc_256_sha256: return cbc(32, 32);
    case EspAlgorithm::aes_cbc_256_sha384: return cbc(32, 48);
    case EspAlgorithm::aes_cbc_256_sha512: return cbc(32, 64);
    case EspAlgorithm::null_sha256:        return null(32);
    case EspAlgorithm::null_sha384:        return null(48);
    case EspAlgorithm::null_sha512:        return null(64);
    }
    return {};
}

/// False for a suite that proves where packets come from and lets everybody on the path read them.
constexpr bool encrypts(EspAlgorithm algorithm) { return algorithm < EspAlgorithm::null_sha256; }

inline constexpr std::size_t kEspKeymatMax = sizes_of(EspAlgorithm::aes_cbc_256_sha512).keymat();
inline constexpr std::size_t kEspIcvMax = sizes_of(EspAlgorithm::aes_cbc_256_sha512).icv;

}  // namespace nave
