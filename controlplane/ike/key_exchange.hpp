// Key exchange by Diffie-Hellman or KEM: one end's key pair, the other end's answer, and what both ends then share.
#pragma once

#include "common/bytes.hpp"
#include "common/random.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/proposal.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace nave::ike {

// All functions may be called from any thread. A failure inside OpenSSL (no memory, no provider) aborts: nothing could go on safely.

enum class KeyExchangeError : std::uint8_t { wrong_length, not_on_curve, out_of_range, zero_result };
std::string_view name(KeyExchangeError reason);

bool is_supported(Group group);

/// What the answering end sends, and what both then share.
struct KeyExchangeAnswer {
    Bytes public_value;
    Secret shared_secret;
};

/// One end of a Diffie-Hellman exchange: RFC 8031 (X25519, X448), RFC 5903 (P-256, P-384, P-521) or RFC 3526 (MODP); or the end that begins
/// with a KEM, ML-KEM of draft-ietf-ipsecme-ikev2-mlkem. A value; wipes its private half.
class DhKeyPair {
public:
    /// A private key from `random` alone, so that a seed replays; costs nothing. The group must be supported.
    static Secret draw(Group group, Random& random);
    /// From a private key that draw() gives.
    static DhKeyPair generate(Group group, Random& random);
    /// From a given private key: as long as the curve's order, scalar or KEM's seed, at most as long as a modulus; nothing if it is out of the
    /// group's range.
    static std::optional<DhKeyPair> from_private(Group group, ByteView private_key);

    Group group() const { return group_; }
    /// As it stands in a KE payload.
    const Bytes& public_value() const { return public_; }
    /// g^ir as the key derivation takes it, or what the KEM's ciphertext holds. The peer's value is checked as RFC 6989 §2 and RFC 8031 §5 want it: its length, its range or that
    /// the point is on the curve, and that the result is not zero.
    std::expected<Secret, KeyExchangeError> shared_secret(ByteView peer_public_value) const;

private:
    DhKeyPair(Group group, Secret private_key, Bytes public_value);
    Group group_;
    Secret private_;
    Bytes public_;
};

/// The whole part of the end that answers, from what DhKeyPair::draw() gave it: by a key pair of its own or, with a KEM, by encapsulating
/// to the peer's public key, which is checked as FIPS 203 §7.2 wants it.
std::expected<KeyExchangeAnswer, KeyExchangeError> answer_key_exchange(Group group, ByteView drawn, ByteView peer_public_value);

}  // namespace nave::ike
