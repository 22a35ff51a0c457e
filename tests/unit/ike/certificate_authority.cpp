// The tests' certificate authority.
#include "tests/unit/ike/certificate_authority.hpp"

#include "controlplane/ike/crypto_name.hpp"

#include <map>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace nave::ike::pki {
namespace {

template <class T>
T* must(T* object) {
    if (!object) throw std::runtime_error{"OpenSSL refused to make a test's certificate"};
    return object;
}
void must(int held) {
    if (held <= 0) throw std::runtime_error{"OpenSSL refused to make a test's certificate"};
}

Key owned(EVP_PKEY* raw) { return Key{must(raw), EVP_PKEY_free}; }

EVP_PKEY* generate(const std::string& kind) {
    if (kind == "rsa2048") return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
    if (kind == "rsa1024") return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{1024});
    if (kind == "p224") return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-224");
    if (kind == "p256") return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    if (kind == "p384") return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384");
    if (kind == "p521") return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-521");
    if (kind == "ed25519") return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (kind == "ed448") return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448");
    return nullptr;
}

std::shared_ptr<X509_NAME> name_of(const std::string& text) {
    const Bytes der = encode_name(parse_name(text).value()).value();
    const unsigned char* position = der.data();
    return {must(d2i_X509_NAME(nullptr, &position, static_cast<long>(der.size()))), X509_NAME_free};
}

void set_time(ASN1_TIME* field, std::chrono::sys_seconds time) { must(ASN1_TIME_set(field, time.time_since_epoch().count())); }

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
    if (value.empty()) return;
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::shared_ptr<X509_EXTENSION> extension{must(X509V3_EXT_nconf_nid(nullptr, &context, id, value.c_str())), X509_EXTENSION_free};
    must(X509_add_ext(certificate, extension.get(), -1));
}

std::shared_ptr<X509> x509_of(ByteView der) {
    const unsigned char* position = der.data();
    return {must(d2i_X509(nullptr, &position, static_cast<long>(der.size()))), X509_free};
}

/// Ed25519 hashes by itself.
const EVP_MD* digest_for(EVP_PKEY* key, const std::string& digest) {
    return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448") ? nullptr : EVP_get_digestbyname(digest.c_str());
}

template <class T, class Encode>
Bytes encoded(T* object, Encode encode) {
    unsigned char* data = nullptr;
    const int size = encode(object, &data);
    must(size);
    Bytes der(data, data + size);
    OPENSSL_free(data);
    return der;
}

std::string text_in(BIO* memory) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory, &text);
    return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Key key(const std::string& kind, int number) {
    static std::map<std::pair<std::string, int>, Key> made;
    Key& found = made[{kind, number}];
    if (!found) found = owned(generate(kind));
    return found;
}

Key rsa_public(int bits, std::uint64_t exponent) {
    const std::shared_ptr<BIGNUM> modulus{BN_new(), BN_free}, e{BN_new(), BN_free};
    must(BN_rand(modulus.get(), bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
    must(BN_set_word(e.get(), exponent));
    const std::shared_ptr<OSSL_PARAM_BLD> builder{OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free};
    must(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()));
    must(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()));
    const std::shared_ptr<OSSL_PARAM> parameters{OSSL_PARAM_BLD_to_param(builder.get()), OSSL_PARAM_free};
    const std::shared_ptr<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), EVP_PKEY_CTX_free};
    EVP_PKEY* raw = nullptr;
    must(EVP_PKEY_fromdata_init(context.get()));
    must(EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, parameters.get()));
    return owned(raw);
}

Key with_explicit_curve(const Key& named) {
    Key copy = owned(EVP_PKEY_dup(named.get()));
    must(EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT));
    return copy;
}

Bytes der_for(const Wish& wish, const Key& subject_key, const Issued* issuer) {
    const std::shared_ptr<X509> certificate{X509_new(), X509_free};
    const std::shared_ptr<X509> above = issuer ? x509_of(issuer->der) : certificate;
    const auto subject = name_of(wish.subject);
    EVP_PKEY* signer = issuer ? issuer->key.get() : subject_key.get();
    must(X509_set_version(certificate.get(), X509_VERSION_3));
    must(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), wish.serial));
    must(X509_set_subject_name(certificate.get(), subject.get()));
    must(X509_set_issuer_name(certificate.get(), issuer ? X509_get_subject_name(above.get()) : subject.get()));
    must(X509_set_pubkey(certificate.get(), subject_key.get()));
    set_time(X509_getm_notBefore(certificate.get()), wish.from);
    set_time(X509_getm_notAfter(certificate.get()), wish.until);
    add_extension(certificate.get(), above.get(), NID_subject_key_identifier, "hash");
    add_extension(certificate.get(), above.get(), NID_basic_constraints, wish.constraints);
    add_extension(certificate.get(), above.get(), NID_key_usage, wish.usage);
    add_extension(certificate.get(), above.get(), NID_ext_key_usage, wish.purposes);
    add_extension(certificate.get(), above.get(), NID_subject_alt_name, wish.names);
    add_extension(certificate.get(), above.get(), NID_name_constraints, wish.name_constraints);
    add_extension(certificate.get(), above.get(), NID_crl_distribution_points, wish.lists);
    add_extension(certificate.get(), above.get(), NID_info_access, wish.responders);
    add_extension(certificate.get(), above.get(), NID_authority_key_identifier, wish.authority_key);
    must(X509_sign(certificate.get(), signer, digest_for(signer, wish.digest)));
    return encoded(certificate.get(), i2d_X509);
}

Issued issue(const Wish& wish, const Key& subject_key, const Issued* issuer) {
    Bytes der = der_for(wish, subject_key, issuer);
    return {Certificate::decode(der).value(), der, subject_key};
}

Issued authority(const std::string& subject, const Key& own) {
    return issue({.subject = subject, .constraints = "critical,CA:TRUE", .usage = "critical,keyCertSign,cRLSign"}, own);
}

Issued intermediate(const std::string& subject, const Key& own, const Issued& issuer, const std::string& constraints) {
    return issue({.subject = subject, .constraints = constraints, .usage = "critical,keyCertSign,cRLSign", .serial = 100}, own, &issuer);
}

Bytes revocation_list(const Issued& issuer, std::vector<long> serials, std::optional<std::chrono::sys_seconds> until, const std::string& digest, std::chrono::sys_seconds from) {
    const std::shared_ptr<X509_CRL> list{X509_CRL_new(), X509_CRL_free};
    const std::shared_ptr<ASN1_TIME> time{ASN1_TIME_new(), ASN1_TIME_free};
    must(X509_CRL_set_version(list.get(), 1));
    must(X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(x509_of(issuer.der).get())));
    set_time(time.get(), from);
    must(X509_CRL_set1_lastUpdate(list.get(), time.get()));
    for (const long serial : serials) {
        X509_REVOKED* revoked = must(X509_REVOKED_new());
        const std::shared_ptr<ASN1_INTEGER> number{ASN1_INTEGER_new(), ASN1_INTEGER_free};
        must(ASN1_INTEGER_set(number.get(), serial));
        must(X509_REVOKED_set_serialNumber(revoked, number.get()));
        must(X509_REVOKED_set_revocationDate(revoked, time.get()));
        must(X509_CRL_add0_revoked(list.get(), revoked));
    }
    if (until) {
        set_time(time.get(), *until);
        must(X509_CRL_set1_nextUpdate(list.get(), time.get()));
    }
    must(X509_CRL_sort(list.get()));
    must(X509_CRL_sign(list.get(), issuer.key.get(), digest_for(issuer.key.get(), digest)));
    return encoded(list.get(), i2d_X509_CRL);
}

Bytes ocsp_response(const OcspWish& wish) {
    const auto issuer = x509_of(wish.issuer.der), signer = x509_of((wish.signer ? *wish.signer : wish.issuer).der);
    const Key& key = (wish.signer ? *wish.signer : wish.issuer).key;
    const std::shared_ptr<ASN1_INTEGER> serial{ASN1_INTEGER_new(), ASN1_INTEGER_free};
    must(ASN1_INTEGER_set(serial.get(), wish.serial));
    const std::shared_ptr<OCSP_CERTID> id{must(OCSP_cert_id_new(EVP_get_digestbyname(wish.identifier.c_str()), X509_get_subject_name(issuer.get()),
                                                                X509_get0_pubkey_bitstr(issuer.get()), serial.get())),
                                          OCSP_CERTID_free};
    const auto time_of = [](std::chrono::sys_seconds time) {
        return std::shared_ptr<ASN1_TIME>{must(ASN1_GENERALIZEDTIME_set(nullptr, time.time_since_epoch().count())), ASN1_TIME_free};
    };
    const auto from = time_of(wish.from), until = wish.until ? time_of(*wish.until) : nullptr;
    const int status = wish.status == "good" ? V_OCSP_CERTSTATUS_GOOD : wish.status == "revoked" ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_UNKNOWN;
    const std::shared_ptr<OCSP_BASICRESP> basic{OCSP_BASICRESP_new(), OCSP_BASICRESP_free};
    must(OCSP_basic_add1_status(basic.get(), id.get(), status, OCSP_REVOKED_STATUS_NOSTATUS, from.get(), from.get(), until.get()));
    must(OCSP_basic_sign(basic.get(), signer.get(), key.get(), digest_for(key.get(), wish.digest), nullptr, wish.signer ? 0 : OCSP_NOCERTS));
    for (std::size_t i = 0; i < wish.padding; ++i) must(OCSP_basic_add1_cert(basic.get(), issuer.get()));
    const std::shared_ptr<OCSP_RESPONSE> response{must(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get())), OCSP_RESPONSE_free};
    return encoded(response.get(), i2d_OCSP_RESPONSE);
}

std::string pem_of(std::string_view kind, ByteView der) {
    const std::shared_ptr<BIO> memory{BIO_new(BIO_s_mem()), BIO_free};
    must(PEM_write_bio(memory.get(), std::string{kind}.c_str(), "", der.data(), static_cast<long>(der.size())));
    return text_in(memory.get());
}

std::string Issued::pem() const { return pem_of("CERTIFICATE", der); }

std::string Issued::key_pem() const {
    const std::shared_ptr<BIO> memory{BIO_new(BIO_s_mem()), BIO_free};
    must(PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr));
    return text_in(memory.get());
}

PrivateKey Issued::private_key() const { return PrivateKey::from_pem(Secret{as_bytes(key_pem())}).value(); }

Bytes raw_rsa(const Key& own, ByteView block) {
    const std::shared_ptr<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr), EVP_PKEY_CTX_free};
    must(EVP_PKEY_sign_init(context.get()));
    must(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING));
    Bytes signature(block.size());
    std::size_t size = signature.size();
    must(EVP_PKEY_sign(context.get(), signature.data(), &size, block.data(), block.size()));
    return signature;
}

Bytes open_rsa(const Key& own, ByteView signature) {
    const std::shared_ptr<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr), EVP_PKEY_CTX_free};
    must(EVP_PKEY_verify_recover_init(context.get()));
    must(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING));
    Bytes block(signature.size());
    std::size_t size = block.size();
    must(EVP_PKEY_verify_recover(context.get(), block.data(), &size, signature.data(), signature.size()));
    return block;
}

}  // namespace nave::ike::pki
