// ML-KEM (FIPS 203, draft-ietf-ipsecme-ikev2-mlkem) on OpenSSL 3.5; part of the build where that is there.
#include "controlplane/ike/crypto_groups.hpp"
#include "controlplane/ike/crypto_openssl.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>

namespace nave::ike {

namespace {

using openssl::require;

constexpr std::size_t kSeedSize = 64, kEncapsulationSeedSize = 32, kSharedSecretSize = 32;  // of all three

struct Lattice {
    const char* name;
    std::size_t public_size, ciphertext_size;
};
Lattice lattice(Group group) {
    if (group == Group::mlkem512) return {"ML-KEM-512", 800, 768};
    if (group == Group::mlkem768) return {"ML-KEM-768", 1184, 1088};
    require(group == Group::mlkem1024, "compute with a KEM of another kind");
    return {"ML-KEM-1024", 1568, 1568};
}

OSSL_PARAM octets(const char* name, ByteView bytes) { return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size()); }

openssl::Key key_from_seed(const Lattice& kem, ByteView seed) {
    const openssl::KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, kem.name, nullptr)};
    const OSSL_PARAM parameters[] = {octets(OSSL_PKEY_PARAM_ML_KEM_SEED, seed), OSSL_PARAM_construct_end()};
    EVP_PKEY* key = nullptr;
    require(context && EVP_PKEY_keygen_init(context.get()) == 1 && EVP_PKEY_CTX_set_params(context.get(), parameters) == 1 &&
                EVP_PKEY_generate(context.get(), &key) == 1,
            "make an ML-KEM key");
    return openssl::Key{key};
}

/// d | z of FIPS 203 §7.1 in the end that begins; the other one encapsulates with the first half.
Secret draw_seed(Group, Random& random) {
    Secret seed{kSeedSize};
    random.fill(seed.writable());
    return seed;
}

bool admits_seed(Group, ByteView private_key) { return private_key.size() == kSeedSize; }

Bytes encapsulation_key(Group group, ByteView seed) {
    const Lattice kem = lattice(group);
    const openssl::Key key = key_from_seed(kem, seed);
    Bytes public_value(kem.public_size);
    std::size_t size = 0;
    require(EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_PUB_KEY, public_value.data(), public_value.size(), &size) == 1 && size == kem.public_size,
            "write an ML-KEM public key");
    return public_value;
}

/// A ciphertext of the right length always gives a secret; if it is not genuine, one that nobody else has (FIPS 203 §7.3).
std::expected<Secret, KeyExchangeError> decapsulate(Group group, ByteView seed, ByteView, ByteView ciphertext) {
    const Lattice kem = lattice(group);
    if (ciphertext.size() != kem.ciphertext_size) return std::unexpected{KeyExchangeError::wrong_length};
    const openssl::Key key = key_from_seed(kem, seed);
    const openssl::KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
    Secret shared{kSharedSecretSize};
    std::size_t size = shared.size();
    require(context && EVP_PKEY_decapsulate_init(context.get(), nullptr) == 1 &&
                EVP_PKEY_decapsulate(context.get(), shared.writable().data(), &size, ciphertext.data(), ciphertext.size()) == 1 && size == kSharedSecretSize,
            "decapsulate with ML-KEM");
    return shared;
}

/// OpenSSL checks the peer's key as it loads it: all its coefficients are below the modulus (FIPS 203 §7.2).
openssl::Key peer_key(const Lattice& kem, ByteView public_value) {
    const openssl::KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, kem.name, nullptr)};
    OSSL_PARAM parameters[] = {octets(OSSL_PKEY_PARAM_PUB_KEY, public_value), OSSL_PARAM_construct_end()};
    EVP_PKEY* key = nullptr;
    require(context && EVP_PKEY_fromdata_init(context.get()) == 1, "load an ML-KEM key");
    if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) ERR_clear_error();
    return openssl::Key{key};
}

std::expected<KeyExchangeAnswer, KeyExchangeError> encapsulate(Group group, ByteView drawn, ByteView peer_public) {
    const Lattice kem = lattice(group);
    if (peer_public.size() != kem.public_size) return std::unexpected{KeyExchangeError::wrong_length};
    const openssl::Key peer = peer_key(kem, peer_public);
    if (!peer) return std::unexpected{KeyExchangeError::out_of_range};
    const openssl::KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr)};
    // The randomness comes from the caller's source as all of ours does, which in the gateway is OpenSSL's own generator.
    const OSSL_PARAM parameters[] = {octets(OSSL_KEM_PARAM_IKME, drawn.first(kEncapsulationSeedSize)), OSSL_PARAM_construct_end()};
    KeyExchangeAnswer answer{Bytes(kem.ciphertext_size), Secret{kSharedSecretSize}};
    std::size_t ciphertext = answer.public_value.size(), secret = answer.shared_secret.size();
    require(context && EVP_PKEY_encapsulate_init(context.get(), parameters) == 1 &&
                EVP_PKEY_encapsulate(context.get(), answer.public_value.data(), &ciphertext, answer.shared_secret.writable().data(), &secret) == 1 &&
                ciphertext == kem.ciphertext_size && secret == kSharedSecretSize,
            "encapsulate with ML-KEM");
    return answer;
}

constexpr GroupKind kKems{draw_seed, admits_seed, encapsulation_key, decapsulate, encapsulate};

}  // namespace

const GroupKind* module_lattice_kems() { return &kKems; }

}  // namespace nave::ike
