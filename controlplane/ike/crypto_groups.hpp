// The arithmetic behind key exchange, one set of functions for each kind of group; crypto_*.cpp has them on OpenSSL.
#pragma once

#include "controlplane/ike/key_exchange.hpp"

namespace nave::ike {

/// Callers pass a group of this kind only, and a private key that draw() made or admits() let in.
struct GroupKind {
    Secret (*draw)(Group group, Random& random);
    bool (*admits)(Group group, ByteView private_key);
    Bytes (*public_value)(Group group, ByteView private_key);
    std::expected<Secret, KeyExchangeError> (*agree)(Group group, ByteView private_key, ByteView own_public, ByteView peer_public);
    /// Of a KEM: the answering end's whole part, from what draw() gave it. Null for Diffie-Hellman, whose two ends do the same.
    std::expected<KeyExchangeAnswer, KeyExchangeError> (*encapsulate)(Group group, ByteView drawn, ByteView peer_public) = nullptr;
};

extern const GroupKind kMontgomeryCurves;  // X25519, X448
extern const GroupKind kNistCurves;        // P-256, P-384, P-521
extern const GroupKind kModularGroups;     // MODP with 2048, 3072, 4096 bits
/// ML-KEM; null where the OpenSSL of the build has none.
const GroupKind* module_lattice_kems();

}  // namespace nave::ike
