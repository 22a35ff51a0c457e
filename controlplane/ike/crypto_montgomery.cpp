// X25519 and X448 (RFC 7748, RFC 8031) on OpenSSL.
#include "controlplane/ike/crypto_groups.hpp"
#include "controlplane/ike/crypto_openssl.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>

namespace nave::ike {

namespace {

using openssl::require;

struct MontgomeryCurve {
    const char* name;
    std::size_t size;  // of a scalar, a public value and the result, in bytes
};
MontgomeryCurve montgomery_curve(Group group) {
    if (group == Group::x25519) return {"X25519", 32};
    require(group == Group::x448, "compute on a Montgomery curve of another kind");
    return {"X448", 56};
}

openssl::Key montgomery_key(const MontgomeryCurve& curve, ByteView private_key, ByteView public_value) {
    const openssl::KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, curve.name, nullptr)};
    OSSL_PARAM parameters[3];
    std::size_t count = 0;
    const auto add = [&](const char* name, ByteView bytes) {
        if (!bytes.empty()) parameters[count++] = OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
    };
    add(OSSL_PKEY_PARAM_PRIV_KEY, private_key);
    add(OSSL_PKEY_PARAM_PUB_KEY, public_value);  // given with the private key, it need not be computed again
    parameters[count] = OSSL_PARAM_construct_end();
    EVP_PKEY* key = nullptr;
    require(context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                EVP_PKEY_fromdata(context.get(), &key, private_key.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, parameters) == 1,
            "load an X25519 or X448 key");
    return openssl::Key{key};
}

/// Any bytes of the right length are a scalar: the function itself sets and clears the bits that it must (RFC 7748 §5).
Secret draw_montgomery(Group group, Random& random) {
    Secret scalar{montgomery_curve(group).size};
    random.fill(scalar.writable());
    return scalar;
}

bool admits_montgomery(Group group, ByteView private_key) { return private_key.size() == montgomery_curve(group).size; }

Bytes montgomery_public(Group group, ByteView private_key) {
    const MontgomeryCurve curve = montgomery_curve(group);
    const openssl::Key key = montgomery_key(curve, private_key, {});
    Bytes public_value(curve.size);
    std::size_t size = public_value.size();
    require(EVP_PKEY_get_raw_public_key(key.get(), public_value.data(), &size) == 1 && size == curve.size, "compute an X25519 or X448 public key");
    return public_value;
}

std::expected<Secret, KeyExchangeError> montgomery_agree(Group group, ByteView private_key, ByteView own_public, ByteView peer_public) {
    const MontgomeryCurve curve = montgomery_curve(group);
    if (peer_public.size() != curve.size) return std::unexpected{KeyExchangeError::wrong_length};
    const openssl::Key own = montgomery_key(curve, private_key, own_public), peer = montgomery_key(curve, {}, peer_public);
    const openssl::KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr)};
    require(context && EVP_PKEY_derive_init(context.get()) == 1 && EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) == 1, "start X25519 or X448");
    Secret shared{curve.size};
    std::size_t size = shared.size();
    // OpenSSL refuses an all-zero result, which RFC 8031 §5 wants refused: the peer's value had a small order.
    if (EVP_PKEY_derive(context.get(), shared.writable().data(), &size) == 1) return shared;
    ERR_clear_error();
    return std::unexpected{KeyExchangeError::zero_result};
}

}  // namespace

const GroupKind kMontgomeryCurves{draw_montgomery, admits_montgomery, montgomery_public, montgomery_agree};

}  // namespace nave::ike
