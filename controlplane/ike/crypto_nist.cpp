// P-256, P-384 and P-521 (RFC 5903) on OpenSSL.
#include "controlplane/ike/crypto_groups.hpp"
#include "controlplane/ike/crypto_openssl.hpp"

#include <openssl/err.h>
#include <openssl/objects.h>

namespace nave::ike {

namespace {

using openssl::require;

/// Made once for the process, never changed later.
struct NistCurves {
    openssl::Curve p256 = load(NID_X9_62_prime256v1), p384 = load(NID_secp384r1), p521 = load(NID_secp521r1);

    static const NistCurves& get() {
        static const NistCurves instance;
        return instance;
    }

private:
    NistCurves() = default;

    static openssl::Curve load(int id) {
        openssl::Curve found{EC_GROUP_new_by_curve_name(id)};
        require(found != nullptr, "find an elliptic curve");
        return found;
    }
};

struct NistCurve {
    const EC_GROUP* group;
    std::size_t size;  // of a coordinate and of the order, in bytes
};
NistCurve nist_curve(Group group) {
    if (group == Group::p256) return {NistCurves::get().p256.get(), 32};
    if (group == Group::p384) return {NistCurves::get().p384.get(), 48};
    require(group == Group::p521, "compute on a NIST curve of another kind");
    return {NistCurves::get().p521.get(), 66};
}

/// 1 to order - 1, from 16 more bytes than the order has, so that the bias of the reduction is below 2^-128 (FIPS 186-5 A.2.1).
Secret draw_nist(Group group, Random& random) {
    const NistCurve curve = nist_curve(group);
    Secret wide{curve.size + 16};
    random.fill(wide.writable());
    const openssl::Number value = openssl::secret_number(wide.view()), bound{BN_dup(EC_GROUP_get0_order(curve.group))}, scalar{BN_new()};
    const openssl::NumberContext context{BN_CTX_new()};
    Secret bytes{curve.size};
    require(bound && scalar && context && BN_sub_word(bound.get(), 1) == 1 && BN_mod(scalar.get(), value.get(), bound.get(), context.get()) == 1 &&
                BN_add_word(scalar.get(), 1) == 1 && BN_bn2binpad(scalar.get(), bytes.writable().data(), static_cast<int>(curve.size)) >= 0,
            "draw a private key");
    return bytes;
}

bool admits_nist(Group group, ByteView private_key) {
    const NistCurve curve = nist_curve(group);
    const openssl::Number scalar = openssl::secret_number(private_key);
    return private_key.size() == curve.size && !BN_is_zero(scalar.get()) && BN_cmp(scalar.get(), EC_GROUP_get0_order(curve.group)) < 0;
}

Bytes nist_public(Group group, ByteView private_key) {
    const NistCurve curve = nist_curve(group);
    const openssl::NumberContext context{BN_CTX_new()};
    const openssl::Number scalar = openssl::secret_number(private_key);
    const openssl::Point point{EC_POINT_new(curve.group)};
    Bytes encoded(1 + 2 * curve.size);
    require(context && point && EC_POINT_mul(curve.group, point.get(), scalar.get(), nullptr, nullptr, context.get()) == 1 &&
                EC_POINT_point2oct(curve.group, point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(), encoded.size(), context.get()) == encoded.size(),
            "compute a public key");
    encoded.erase(encoded.begin());  // RFC 5903 §7: the coordinates without the form byte
    return encoded;
}

std::expected<Secret, KeyExchangeError> nist_agree(Group group, ByteView private_key, ByteView, ByteView peer_public) {
    const NistCurve curve = nist_curve(group);
    if (peer_public.size() != 2 * curve.size) return std::unexpected{KeyExchangeError::wrong_length};
    Bytes encoded{std::uint8_t{POINT_CONVERSION_UNCOMPRESSED}};
    encoded.insert(encoded.end(), peer_public.begin(), peer_public.end());
    const openssl::NumberContext context{BN_CTX_new()};
    const openssl::Point peer{EC_POINT_new(curve.group)}, product{EC_POINT_new(curve.group)};
    require(context && peer && product, "make a point");
    // Checks the ranges of both coordinates and the curve's equation; the curves have cofactor 1, so no further check is needed.
    if (EC_POINT_oct2point(curve.group, peer.get(), encoded.data(), encoded.size(), context.get()) != 1) {
        ERR_clear_error();
        return std::unexpected{KeyExchangeError::not_on_curve};
    }
    const openssl::Number scalar = openssl::secret_number(private_key), x{BN_new()};
    Secret shared{curve.size};
    require(x && EC_POINT_mul(curve.group, product.get(), nullptr, peer.get(), scalar.get(), context.get()) == 1 &&
                EC_POINT_get_affine_coordinates(curve.group, product.get(), x.get(), nullptr, context.get()) == 1 &&
                BN_bn2binpad(x.get(), shared.writable().data(), static_cast<int>(shared.size())) >= 0,
            "multiply a point");
    return shared;
}

}  // namespace

const GroupKind kNistCurves{draw_nist, admits_nist, nist_public, nist_agree};

}  // namespace nave::ike
