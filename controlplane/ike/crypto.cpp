// PRF, integrity, encryption and random bytes on OpenSSL 3.0.
#include "controlplane/ike/crypto.hpp"

#include "controlplane/ike/crypto_openssl.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>

namespace nave::ike {

void openssl::require(bool held, const char* what) {
    if (held) return;
    fmt::print(stderr, "naved: OpenSSL cannot {}\n", what);
    std::abort();
}

openssl::Number openssl::secret_number(ByteView bytes) {
    Number number{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
    require(number != nullptr, "read a number");
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
    return number;
}

namespace {

using openssl::Cipher, openssl::CipherContext, openssl::Digest, openssl::DigestContext, openssl::Mac, openssl::MacContext, openssl::require;

/// Fetching an algorithm from a provider takes as long as using it on a short message: done once for the process, never changed later.
struct Algorithms {
    MacContext hmac_sha256 = hmac("SHA256"), hmac_sha384 = hmac("SHA384"), hmac_sha512 = hmac("SHA512");  // without key: templates
    Digest sha1{EVP_MD_fetch(nullptr, "SHA1", nullptr)};
    Cipher gcm128 = cipher("AES-128-GCM"), gcm256 = cipher("AES-256-GCM"), cbc128 = cipher("AES-128-CBC"), cbc256 = cipher("AES-256-CBC"),
           chacha20_poly1305 = cipher("ChaCha20-Poly1305");

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
        require(found != nullptr, "find a cipher");
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

bool is_aead(IkeEncryption algorithm) { return algorithm != IkeEncryption::aes_cbc_128 && algorithm != IkeEncryption::aes_cbc_256; }

std::size_t encryption_key_size(IkeEncryption algorithm) {
    switch (algorithm) {
    case IkeEncryption::aes_gcm_128: return 20;
    case IkeEncryption::aes_gcm_256:
    case IkeEncryption::chacha20_poly1305: return 36;
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
            "use a key or IV of this length");
    require(context && EVP_CipherInit_ex2(context.get(), cipher, key.data(), iv.data(), static_cast<int>(way), nullptr) == 1, "start a cipher");
    return context;
}

/// `output` null: `input` is associated data.
void run_cipher(EVP_CIPHER_CTX* context, std::uint8_t* output, ByteView input) {
    if (input.empty()) return;
    int written = 0;
    require(EVP_CipherUpdate(context, output, &written, input.data(), static_cast<int>(input.size())) == 1, "run a cipher");
}

const EVP_CIPHER* aead_for(IkeEncryption algorithm) {
    const Algorithms& known = Algorithms::get();
    if (algorithm == IkeEncryption::chacha20_poly1305) return known.chacha20_poly1305.get();
    require(is_aead(algorithm), "use CBC as an AEAD");
    return algorithm == IkeEncryption::aes_gcm_128 ? known.gcm128.get() : known.gcm256.get();
}

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

Bytes aead_seal(IkeEncryption algorithm, ByteView key, ByteView nonce, ByteView associated, ByteView plaintext) {
    const CipherContext context = start_cipher(aead_for(algorithm), key, nonce, Way::encrypt);
    Bytes sealed(plaintext.size() + kAeadTagSize);
    std::uint8_t* const tag = sealed.data() + plaintext.size();
    run_cipher(context.get(), nullptr, associated);
    run_cipher(context.get(), sealed.data(), plaintext);
    int written = 0;
    require(EVP_CipherFinal_ex(context.get(), tag, &written) == 1, "finish an AEAD");
    require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag) == 1, "read the tag of an AEAD");
    return sealed;
}

std::optional<Bytes> aead_open(IkeEncryption algorithm, ByteView key, ByteView nonce, ByteView associated, ByteView sealed) {
    if (sealed.size() < kAeadTagSize) return std::nullopt;
    const ByteView ciphertext = sealed.first(sealed.size() - kAeadTagSize);
    Bytes tag(sealed.end() - kAeadTagSize, sealed.end());
    const CipherContext context = start_cipher(aead_for(algorithm), key, nonce, Way::decrypt);
    Bytes plaintext(ciphertext.size() + kAesBlockSize);
    run_cipher(context.get(), nullptr, associated);
    run_cipher(context.get(), plaintext.data(), ciphertext);
    require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag.data()) == 1, "set the tag of an AEAD");
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

}  // namespace nave::ike
