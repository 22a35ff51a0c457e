// PRF, integrity, encryption and key agreement on OpenSSL 3.0.
#include "controlplane/ike/crypto.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rand.h>

namespace nave::ike {

namespace {

/// OpenSSL failed where only a broken machine fails: without keys that are surely right, nothing may go on.
void require(bool held, const char* what) {
    if (held) return;
    fmt::print(stderr, "naved: OpenSSL cannot {}\n", what);
    std::abort();
}

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Mac = std::unique_ptr<EVP_MAC, Deleter<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD, Deleter<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, Deleter<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using Curve = std::unique_ptr<EC_GROUP, Deleter<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Deleter<EC_POINT_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_clear_free>>;
using NumberContext = std::unique_ptr<BN_CTX, Deleter<BN_CTX_free>>;

/// Fetching an algorithm from a provider takes as long as using it on a short message: done once for the process, never changed later.
struct Algorithms {
    MacContext hmac_sha256 = hmac("SHA256"), hmac_sha384 = hmac("SHA384"), hmac_sha512 = hmac("SHA512");  // without key: templates
    Digest sha1{EVP_MD_fetch(nullptr, "SHA1", nullptr)};
    Cipher gcm128 = cipher("AES-128-GCM"), gcm256 = cipher("AES-256-GCM"), cbc128 = cipher("AES-128-CBC"), cbc256 = cipher("AES-256-CBC");
    Curve p256 = curve(NID_X9_62_prime256v1), p384 = curve(NID_secp384r1);

    static const Algorithms& get() {
        static const Algorithms instance;
        return instance;
    }

private:
    Algorithms() { require(sha1 != nullptr, "find SHA-1"); }

    static MacContext hmac(const char* digest) {
        const Mac mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
        MacContext context{mac ? EVP_MAC_CTX_new(mac.get()) : nullptr};
        const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0), OSSL_PARAM_construct_end()};
        require(context && EVP_MAC_CTX_set_params(context.get(), parameters) == 1, "find HMAC");
        return context;
    }
    static Cipher cipher(const char* algorithm) {
        Cipher found{EVP_CIPHER_fetch(nullptr, algorithm, nullptr)};
        require(found != nullptr, "find AES");
        return found;
    }
    static Curve curve(int id) {
        Curve found{EC_GROUP_new_by_curve_name(id)};
        require(found != nullptr, "find an elliptic curve");
        return found;
    }
};

Secret hmac(const EVP_MAC_CTX* algorithm, ByteView key, std::initializer_list<ByteView> parts) {
    const MacContext context{EVP_MAC_CTX_dup(algorithm)};
    static constexpr std::uint8_t kEmpty = 0;  // a null key would mean "the key of before"
    require(context && EVP_MAC_init(context.get(), key.empty() ? &kEmpty : key.data(), key.size(), nullptr) == 1, "start an HMAC");
    for (const ByteView part : parts) require(EVP_MAC_update(context.get(), part.data(), part.size()) == 1, "compute an HMAC");
    Secret output{EVP_MAC_CTX_get_mac_size(context.get())};
    std::size_t size = 0;
    require(EVP_MAC_final(context.get(), output.writable().data(), &size, output.size()) == 1 && size == output.size(), "finish an HMAC");
    return output;
}

}  // namespace

std::size_t prf_size(Prf algorithm) {
    switch (algorithm) {
    case Prf::hmac_sha256: return 32;
    case Prf::hmac_sha384: return 48;
    case Prf::hmac_sha512: return 64;
    }
    return 0;
}

Secret prf(Prf algorithm, ByteView key, std::initializer_list<ByteView> parts) {
    const Algorithms& known = Algorithms::get();
    switch (algorithm) {
    case Prf::hmac_sha256: return hmac(known.hmac_sha256.get(), key, parts);
    case Prf::hmac_sha384: return hmac(known.hmac_sha384.get(), key, parts);
    case Prf::hmac_sha512: return hmac(known.hmac_sha512.get(), key, parts);
    }
    return {};
}

std::size_t integrity_key_size(Integrity algorithm) { return 2 * integrity_size(algorithm); }

std::size_t integrity_size(Integrity algorithm) {
    switch (algorithm) {
    case Integrity::none:            return 0;
    case Integrity::hmac_sha256_128: return 16;
    case Integrity::hmac_sha384_192: return 24;
    case Integrity::hmac_sha512_256: return 32;
    }
    return 0;
}

Bytes integrity_checksum(Integrity algorithm, ByteView key, std::initializer_list<ByteView> parts) {
    const Algorithms& known = Algorithms::get();
    Secret whole;
    switch (algorithm) {
    case Integrity::none:            break;
    case Integrity::hmac_sha256_128: whole = hmac(known.hmac_sha256.get(), key, parts); break;
    case Integrity::hmac_sha384_192: whole = hmac(known.hmac_sha384.get(), key, parts); break;
    case Integrity::hmac_sha512_256: whole = hmac(known.hmac_sha512.get(), key, parts); break;
    }
    const ByteView truncated = whole.view().first(integrity_size(algorithm));
    return {truncated.begin(), truncated.end()};
}

std::array<std::uint8_t, 20> sha1(std::initializer_list<ByteView> parts) {
    const DigestContext context{EVP_MD_CTX_new()};
    require(context && EVP_DigestInit_ex2(context.get(), Algorithms::get().sha1.get(), nullptr) == 1, "start SHA-1");
    for (const ByteView part : parts) require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1, "compute SHA-1");
    std::array<std::uint8_t, 20> digest{};
    require(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1, "finish SHA-1");
    return digest;
}

bool is_aead(IkeEncryption algorithm) { return algorithm == IkeEncryption::aes_gcm_128 || algorithm == IkeEncryption::aes_gcm_256; }

std::size_t encryption_key_size(IkeEncryption algorithm) {
    switch (algorithm) {
    case IkeEncryption::aes_gcm_128: return 20;
    case IkeEncryption::aes_gcm_256: return 36;
    case IkeEncryption::aes_cbc_128: return 16;
    case IkeEncryption::aes_cbc_256: return 32;
    }
    return 0;
}

namespace {

enum class Way : int { decrypt = 0, encrypt = 1 };

CipherContext start_cipher(const EVP_CIPHER* cipher, ByteView key, ByteView iv, Way way) {
    CipherContext context{EVP_CIPHER_CTX_new()};
    require(key.size() == static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)) && iv.size() == static_cast<std::size_t>(EVP_CIPHER_get_iv_length(cipher)),
            "use an AES key or IV of this length");
    require(context && EVP_CipherInit_ex2(context.get(), cipher, key.data(), iv.data(), static_cast<int>(way), nullptr) == 1, "start AES");
    return context;
}

/// `output` null: `input` is associated data.
void run_cipher(EVP_CIPHER_CTX* context, std::uint8_t* output, ByteView input) {
    if (input.empty()) return;
    int written = 0;
    require(EVP_CipherUpdate(context, output, &written, input.data(), static_cast<int>(input.size())) == 1, "run AES");
}

const EVP_CIPHER* gcm_for(ByteView key) { return key.size() == 16 ? Algorithms::get().gcm128.get() : Algorithms::get().gcm256.get(); }

Bytes run_cbc(ByteView key, ByteView iv, ByteView input, Way way) {
    const Algorithms& known = Algorithms::get();
    const CipherContext context = start_cipher(key.size() == 16 ? known.cbc128.get() : known.cbc256.get(), key, iv, way);
    EVP_CIPHER_CTX_set_padding(context.get(), 0);
    require(input.size() % kAesBlockSize == 0, "run AES-CBC on half a block");
    Bytes output(input.size());
    run_cipher(context.get(), output.data(), input);
    return output;
}

}  // namespace

Bytes aes_gcm_seal(ByteView key, ByteView nonce, ByteView associated, ByteView plaintext) {
    const CipherContext context = start_cipher(gcm_for(key), key, nonce, Way::encrypt);
    Bytes sealed(plaintext.size() + kGcmTagSize);
    std::uint8_t* const tag = sealed.data() + plaintext.size();
    run_cipher(context.get(), nullptr, associated);
    run_cipher(context.get(), sealed.data(), plaintext);
    int written = 0;
    require(EVP_CipherFinal_ex(context.get(), tag, &written) == 1, "finish AES-GCM");
    require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagSize, tag) == 1, "read the tag of AES-GCM");
    return sealed;
}

std::optional<Bytes> aes_gcm_open(ByteView key, ByteView nonce, ByteView associated, ByteView sealed) {
    if (sealed.size() < kGcmTagSize) return std::nullopt;
    const ByteView ciphertext = sealed.first(sealed.size() - kGcmTagSize);
    Bytes tag(sealed.end() - kGcmTagSize, sealed.end());
    const CipherContext context = start_cipher(gcm_for(key), key, nonce, Way::decrypt);
    Bytes plaintext(ciphertext.size() + kAesBlockSize);
    run_cipher(context.get(), nullptr, associated);
    run_cipher(context.get(), plaintext.data(), ciphertext);
    require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagSize, tag.data()) == 1, "set the tag of AES-GCM");
    int written = 0;
    const bool genuine = EVP_CipherFinal_ex(context.get(), plaintext.data() + ciphertext.size(), &written) == 1;
    if (!genuine) {
        ERR_clear_error();
        return std::nullopt;
    }
    plaintext.resize(ciphertext.size());
    return plaintext;
}

Bytes aes_cbc_encrypt(ByteView key, ByteView iv, ByteView plaintext) { return run_cbc(key, iv, plaintext, Way::encrypt); }
Bytes aes_cbc_decrypt(ByteView key, ByteView iv, ByteView ciphertext) { return run_cbc(key, iv, ciphertext, Way::decrypt); }

void SystemRandom::fill(std::span<std::uint8_t> bytes) { require(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "produce random bytes"); }

// ---- X25519 (RFC 7748, RFC 8031) ----

namespace {

constexpr std::size_t kX25519Size = 32;

Key x25519_key(ByteView private_key, ByteView public_value) {
    const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr)};
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
            "load an X25519 key");
    return Key{key};
}

Bytes x25519_public(ByteView private_key) {
    const Key key = x25519_key(private_key, {});
    Bytes public_value(kX25519Size);
    std::size_t size = public_value.size();
    require(EVP_PKEY_get_raw_public_key(key.get(), public_value.data(), &size) == 1 && size == kX25519Size, "compute an X25519 public key");
    return public_value;
}

std::expected<Secret, KeyExchangeError> x25519_shared(ByteView private_key, ByteView own_public, ByteView peer_public) {
    if (peer_public.size() != kX25519Size) return std::unexpected{KeyExchangeError::wrong_length};
    const Key own = x25519_key(private_key, own_public), peer = x25519_key({}, peer_public);
    const KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr)};
    require(context && EVP_PKEY_derive_init(context.get()) == 1 && EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) == 1, "start X25519");
    Secret shared{kX25519Size};
    std::size_t size = shared.size();
    // OpenSSL refuses an all-zero result, which RFC 8031 §5 wants refused: the peer's value had a small order.
    if (EVP_PKEY_derive(context.get(), shared.writable().data(), &size) == 1) return shared;
    ERR_clear_error();
    return std::unexpected{KeyExchangeError::zero_result};
}

// ---- NIST curves (RFC 5903) ----

struct NistCurve {
    const EC_GROUP* group;
    std::size_t size;  // of a coordinate and of the order, in bytes
};
NistCurve nist_curve(Group group) {
    if (group == Group::p256) return {Algorithms::get().p256.get(), 32};
    require(group == Group::p384, "compute in a group that is not supported");
    return {Algorithms::get().p384.get(), 48};
}

/// A number that is used in constant time only.
Number secret_number(ByteView bytes) {
    Number number{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
    require(number != nullptr, "read a number");
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
    return number;
}

/// 1 to order - 1, from 16 more bytes than the order has, so that the bias of the reduction is below 2^-128 (FIPS 186-5 A.2.1).
Secret draw_scalar(const NistCurve& curve, Random& random) {
    Secret wide{curve.size + 16};
    random.fill(wide.writable());
    const Number value = secret_number(wide.view()), bound{BN_dup(EC_GROUP_get0_order(curve.group))}, scalar{BN_new()};
    const NumberContext context{BN_CTX_new()};
    Secret bytes{curve.size};
    require(bound && scalar && context && BN_sub_word(bound.get(), 1) == 1 && BN_mod(scalar.get(), value.get(), bound.get(), context.get()) == 1 &&
                BN_add_word(scalar.get(), 1) == 1 && BN_bn2binpad(scalar.get(), bytes.writable().data(), static_cast<int>(curve.size)) >= 0,
            "draw a private key");
    return bytes;
}

Bytes nist_public(const NistCurve& curve, ByteView private_key) {
    const NumberContext context{BN_CTX_new()};
    const Number scalar = secret_number(private_key);
    const Point point{EC_POINT_new(curve.group)};
    Bytes encoded(1 + 2 * curve.size);
    require(context && point && EC_POINT_mul(curve.group, point.get(), scalar.get(), nullptr, nullptr, context.get()) == 1 &&
                EC_POINT_point2oct(curve.group, point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(), encoded.size(), context.get()) == encoded.size(),
            "compute a public key");
    encoded.erase(encoded.begin());  // RFC 5903 §7: the coordinates without the form byte
    return encoded;
}

std::expected<Secret, KeyExchangeError> nist_shared(const NistCurve& curve, ByteView private_key, ByteView peer_public) {
    if (peer_public.size() != 2 * curve.size) return std::unexpected{KeyExchangeError::wrong_length};
    Bytes encoded{std::uint8_t{POINT_CONVERSION_UNCOMPRESSED}};
    encoded.insert(encoded.end(), peer_public.begin(), peer_public.end());
    const NumberContext context{BN_CTX_new()};
    const Point peer{EC_POINT_new(curve.group)}, product{EC_POINT_new(curve.group)};
    require(context && peer && product, "make a point");
    // Checks the ranges of both coordinates and the curve's equation; the curves have cofactor 1, so no further check is needed.
    if (EC_POINT_oct2point(curve.group, peer.get(), encoded.data(), encoded.size(), context.get()) != 1) {
        ERR_clear_error();
        return std::unexpected{KeyExchangeError::not_on_curve};
    }
    const Number scalar = secret_number(private_key), x{BN_new()};
    Secret shared{curve.size};
    require(x && EC_POINT_mul(curve.group, product.get(), nullptr, peer.get(), scalar.get(), context.get()) == 1 &&
                EC_POINT_get_affine_coordinates(curve.group, product.get(), x.get(), nullptr, context.get()) == 1 &&
                BN_bn2binpad(x.get(), shared.writable().data(), static_cast<int>(shared.size())) >= 0,
            "multiply a point");
    return shared;
}

bool is_in_range(const NistCurve& curve, ByteView private_key) {
    const Number scalar = secret_number(private_key);
    return private_key.size() == curve.size && !BN_is_zero(scalar.get()) && BN_cmp(scalar.get(), EC_GROUP_get0_order(curve.group)) < 0;
}

}  // namespace

std::string_view name(KeyExchangeError reason) {
    switch (reason) {
    case KeyExchangeError::wrong_length: return "wrong-length";
    case KeyExchangeError::not_on_curve: return "not-on-curve";
    case KeyExchangeError::zero_result:  return "zero-result";
    }
    return "unknown";
}

bool is_supported(Group group) { return group == Group::x25519 || group == Group::p256 || group == Group::p384; }

DhKeyPair::DhKeyPair(Group group, Secret private_key, Bytes public_value) : group_{group}, private_{std::move(private_key)}, public_{std::move(public_value)} {}

DhKeyPair DhKeyPair::generate(Group group, Random& random) {
    if (group != Group::x25519) {
        const NistCurve curve = nist_curve(group);
        Secret private_key = draw_scalar(curve, random);
        Bytes public_value = nist_public(curve, private_key.view());
        return {group, std::move(private_key), std::move(public_value)};
    }
    Secret private_key{kX25519Size};
    random.fill(private_key.writable());
    Bytes public_value = x25519_public(private_key.view());
    return {group, std::move(private_key), std::move(public_value)};
}

std::optional<DhKeyPair> DhKeyPair::from_private(Group group, ByteView private_key) {
    if (!is_supported(group)) return std::nullopt;
    if (group != Group::x25519) {
        const NistCurve curve = nist_curve(group);
        if (!is_in_range(curve, private_key)) return std::nullopt;
        return DhKeyPair{group, Secret{private_key}, nist_public(curve, private_key)};
    }
    if (private_key.size() != kX25519Size) return std::nullopt;
    return DhKeyPair{group, Secret{private_key}, x25519_public(private_key)};
}

std::expected<Secret, KeyExchangeError> DhKeyPair::shared_secret(ByteView peer_public_value) const {
    if (group_ == Group::x25519) return x25519_shared(private_.view(), public_, peer_public_value);
    return nist_shared(nist_curve(group_), private_.view(), peer_public_value);
}

}  // namespace nave::ike
