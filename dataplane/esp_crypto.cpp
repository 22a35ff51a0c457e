// ipsec-mb as ESP uses it. AES-GCM goes through the direct calls, which are the fastest at every size (there is no
// multi-buffer GCM in ipsec-mb 1.3); ChaCha20-Poly1305 through the job interface, which wins up to 1,420 bytes; suites with HMAC
// wait for their likes, see esp_crypto_hmac.hpp.
#include "dataplane/esp_crypto.hpp"

#include "common/secret.hpp"
#include "dataplane/esp_crypto_hmac.hpp"
#include "dataplane/ipsec_mb.hpp"

#include <cstring>
#include <intel-ipsec-mb.h>
#include <stdexcept>
#include <utility>

namespace nave::dataplane {

namespace {

constexpr std::size_t kAeadIcvSize = 16;

static_assert(sizeof(gcm_key_data) <= EspKey::kExpandedSize);

const gcm_key_data* gcm_key(const EspKey& key) { return reinterpret_cast<const gcm_key_data*>(key.expanded.data()); }

bool is_gcm(const EspJob& job) { return job.key->algorithm == EspAlgorithm::aes_gcm_128 || job.key->algorithm == EspAlgorithm::aes_gcm_256; }
bool is_gmac(const EspJob& job) { return job.key->algorithm == EspAlgorithm::aes_gmac_128 || job.key->algorithm == EspAlgorithm::aes_gmac_256; }
bool is_chacha(const EspJob& job) { return job.key->algorithm == EspAlgorithm::chacha20_poly1305; }

/// The direct functions of one key size.
struct Gcm {
    aes_gcm_enc_dec_t seal, open;
    aes_gcm_init_t init;
    aes_gcm_enc_dec_update_t seal_update;
    aes_gcm_enc_dec_finalize_t seal_finalize;
};
struct Gmac {
    aes_gmac_init_t init;
    aes_gmac_update_t update;
    aes_gmac_finalize_t finalize;
};

}  // namespace

void EspKey::clear() {
    wipe(expanded), wipe(salt);
    ready = false;
}

struct EspCrypto::Engine {
    IpsecMb library;
    IMB_MGR* manager = &library.manager();
    HmacSuites hmac;
    Gcm gcm128{}, gcm256{};
    Gmac gmac128{}, gmac256{};

    const Gcm& gcm(const EspJob& job) const { return job.key->algorithm == EspAlgorithm::aes_gcm_128 ? gcm128 : gcm256; }
    void seal_gcm(EspJob& job);
    void open_gcm(EspJob& job);
    void authenticate(const EspJob& job, std::uint8_t* tag) const;
    void seal_gmac(EspJob& job);
    void open_gmac(EspJob& job);
    void seal_chacha(EspJob& job);
    void submit_chacha(EspJob& job, std::uint8_t* tag, IMB_CIPHER_DIRECTION direction);
    /// False if there was nothing in flight.
    bool flush();
    bool in_flight = false;  // spares the flush for bursts without ChaCha20
};

EspCrypto::EspCrypto() : engine_{std::make_unique<Engine>()} {
    const IMB_MGR* manager = engine_->manager;
    engine_->gcm128 = {manager->gcm128_enc, manager->gcm128_dec, manager->gcm128_init, manager->gcm128_enc_update, manager->gcm128_enc_finalize};
    engine_->gcm256 = {manager->gcm256_enc, manager->gcm256_dec, manager->gcm256_init, manager->gcm256_enc_update, manager->gcm256_enc_finalize};
    engine_->gmac128 = {manager->gmac128_init, manager->gmac128_update, manager->gmac128_finalize};
    engine_->gmac256 = {manager->gmac256_init, manager->gmac256_update, manager->gmac256_finalize};
}

EspCrypto::~EspCrypto() = default;

bool EspCrypto::expand(EspAlgorithm algorithm, ByteView keymat, EspKey& key) {
    const EspSizes sizes = sizes_of(algorithm);
    if (keymat.size() != sizes.keymat()) return false;
    key.algorithm = algorithm;
    if (!sizes.is_aead()) return key.ready = engine_->hmac.expand(*engine_->manager, keymat, key);
    std::memcpy(key.salt.data(), keymat.data() + sizes.encryption_key, key.salt.size());
    auto* expanded = reinterpret_cast<gcm_key_data*>(key.expanded.data());
    if (algorithm == EspAlgorithm::chacha20_poly1305) std::memcpy(key.expanded.data(), keymat.data(), sizes.encryption_key);
    else if (sizes.encryption_key == 16) IMB_AES128_GCM_PRE(engine_->manager, keymat.data(), expanded);
    else IMB_AES256_GCM_PRE(engine_->manager, keymat.data(), expanded);
    return key.ready = true;
}

void EspCrypto::Engine::seal_gcm(EspJob& job) {
    const Gcm& call = gcm(job);
    gcm_context_data context;
    if (job.gather_count == 0) {
        call.seal(gcm_key(*job.key), &context, job.text, job.text, job.length, job.nonce.data(), job.associated.data(), job.associated_length, job.icv(), kAeadIcvSize);
    } else {
        call.init(gcm_key(*job.key), &context, job.nonce.data(), job.associated.data(), job.associated_length);
        call.seal_update(gcm_key(*job.key), &context, job.text, job.text, job.head_length);
        std::size_t at = job.head_length;
        for (std::size_t i = 0; i < job.gather_count; ++i) {
            call.seal_update(gcm_key(*job.key), &context, job.text + at, job.gather[i].data(), job.gather[i].size());
            at += job.gather[i].size();
        }
        call.seal_update(gcm_key(*job.key), &context, job.text + at, job.text + at, job.length - at);
        call.seal_finalize(gcm_key(*job.key), &context, job.icv(), kAeadIcvSize);
    }
    job.ok = true;
}

void EspCrypto::Engine::open_gcm(EspJob& job) {
    gcm_context_data context;
    std::array<std::uint8_t, kAeadIcvSize> computed;
    gcm(job).open(gcm_key(*job.key), &context, job.text, job.text, job.length, job.nonce.data(), job.associated.data(), job.associated_length, computed.data(), kAeadIcvSize);
    job.ok = equal_in_constant_time(computed, {job.icv(), kAeadIcvSize});
}

/// RFC 4543 §3.3: SPI, sequence number (all of an extended one), IV and text. In the packet the IV stands in front of the text.
void EspCrypto::Engine::authenticate(const EspJob& job, std::uint8_t* tag) const {
    constexpr std::size_t kIvSize = 8;
    const Gmac& call = job.key->algorithm == EspAlgorithm::aes_gmac_128 ? gmac128 : gmac256;
    gcm_context_data context;
    call.init(gcm_key(*job.key), &context, job.nonce.data(), job.nonce.size());
    call.update(gcm_key(*job.key), &context, job.associated.data(), job.associated_length);
    call.update(gcm_key(*job.key), &context, job.text - kIvSize, kIvSize + job.length);
    call.finalize(gcm_key(*job.key), &context, tag, kAeadIcvSize);
}

void EspCrypto::Engine::seal_gmac(EspJob& job) {
    std::uint8_t* to = job.text + job.head_length;
    for (std::size_t i = 0; i < job.gather_count; ++i) to = std::ranges::copy(job.gather[i], to).out;
    authenticate(job, job.icv());
    job.ok = true;
}

void EspCrypto::Engine::open_gmac(EspJob& job) {
    std::array<std::uint8_t, kAeadIcvSize> computed;
    authenticate(job, computed.data());
    job.ok = equal_in_constant_time(computed, {job.icv(), kAeadIcvSize});
}

void EspCrypto::Engine::seal_chacha(EspJob& job) {
    if (job.gather_count == 0) return submit_chacha(job, job.icv(), IMB_DIR_ENCRYPT);
    chacha20_poly1305_context_data context;
    const void* key = job.key->expanded.data();
    manager->chacha20_poly1305_init(key, &context, job.nonce.data(), job.associated.data(), job.associated_length);
    manager->chacha20_poly1305_enc_update(key, &context, job.text, job.text, job.head_length);
    std::size_t at = job.head_length;
    for (std::size_t i = 0; i < job.gather_count; ++i) {
        manager->chacha20_poly1305_enc_update(key, &context, job.text + at, job.gather[i].data(), job.gather[i].size());
        at += job.gather[i].size();
    }
    manager->chacha20_poly1305_enc_update(key, &context, job.text + at, job.text + at, job.length - at);
    manager->chacha20_poly1305_finalize(&context, job.icv(), kAeadIcvSize);
    job.ok = true;
}

void EspCrypto::Engine::submit_chacha(EspJob& job, std::uint8_t* tag, IMB_CIPHER_DIRECTION direction) {
    IMB_JOB* work = IMB_GET_NEXT_JOB(manager);
    work->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    work->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    work->cipher_direction = direction;
    work->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    work->enc_keys = work->dec_keys = job.key->expanded.data();
    work->key_len_in_bytes = 32;
    work->src = work->dst = job.text;
    work->cipher_start_src_offset_in_bytes = work->hash_start_src_offset_in_bytes = 0;
    work->msg_len_to_cipher_in_bytes = work->msg_len_to_hash_in_bytes = job.length;
    work->iv = job.nonce.data();
    work->iv_len_in_bytes = job.nonce.size();
    work->auth_tag_output = tag;
    work->auth_tag_output_len_in_bytes = kAeadIcvSize;
    work->u.CHACHA20_POLY1305.aad = job.associated.data();
    work->u.CHACHA20_POLY1305.aad_len_in_bytes = job.associated_length;
    work->user_data = &job;
    const auto settle = [](const IMB_JOB* done) {
        if (done) static_cast<EspJob*>(done->user_data)->ok = done->status == IMB_STATUS_COMPLETED;
    };
    in_flight = true;
    settle(IMB_SUBMIT_JOB(manager));
    while (const IMB_JOB* done = IMB_GET_COMPLETED_JOB(manager)) settle(done);
}

bool EspCrypto::Engine::flush() {
    if (!std::exchange(in_flight, false)) return false;
    while (const IMB_JOB* done = IMB_FLUSH_JOB(manager)) static_cast<EspJob*>(done->user_data)->ok = done->status == IMB_STATUS_COMPLETED;
    return true;
}

namespace {

/// How many packets before its turn a key is fetched. A run of packets of one SA asks once.
constexpr std::size_t kKeysAhead = 3;

void prefetch_key(std::span<const EspJob> jobs, std::size_t at) {
    if (at < jobs.size() && jobs[at].key != jobs[at - 1].key) jobs[at].key->prefetch(jobs[at].length);
}

}  // namespace

void EspCrypto::seal(std::span<EspJob> jobs) {
    for (std::size_t i = 1; i < kKeysAhead; ++i) prefetch_key(jobs, i);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        EspJob& job = jobs[i];
        prefetch_key(jobs, i + kKeysAhead);
        job.ok = false;
        if (!job.key->ready) continue;
        if (is_gcm(job)) engine_->seal_gcm(job);
        else if (is_chacha(job)) engine_->seal_chacha(job);
        else if (is_gmac(job)) engine_->seal_gmac(job);
        else engine_->hmac.seal(*engine_->manager, job);
    }
    engine_->flush();
    engine_->hmac.flush_seal(*engine_->manager);
}

void EspCrypto::open(std::span<EspJob> jobs) {
    // Computed tags of the jobs in flight: the job interface writes tags, it does not compare them.
    constexpr std::size_t kAtOnce = 64;
    std::array<std::array<std::uint8_t, kAeadIcvSize>, kAtOnce> computed;
    for (; !jobs.empty(); jobs = jobs.subspan(std::min(kAtOnce, jobs.size()))) {
        const auto part = jobs.first(std::min(kAtOnce, jobs.size()));
        for (std::size_t i = 1; i < kKeysAhead; ++i) prefetch_key(part, i);
        for (std::size_t i = 0; i < part.size(); ++i) {
            EspJob& job = part[i];
            prefetch_key(part, i + kKeysAhead);
            job.ok = false;
            if (!job.key->ready) continue;
            if (is_gcm(job)) engine_->open_gcm(job);
            else if (is_chacha(job)) engine_->submit_chacha(job, computed[i].data(), IMB_DIR_DECRYPT);
            else if (is_gmac(job)) engine_->open_gmac(job);
            else engine_->hmac.open(*engine_->manager, job);
        }
        if (!engine_->flush()) continue;
        for (std::size_t i = 0; i < part.size(); ++i)
            if (is_chacha(part[i])) part[i].ok = part[i].ok && equal_in_constant_time(computed[i], {part[i].icv(), kAeadIcvSize});
    }
    engine_->hmac.flush_open(*engine_->manager);
}

}  // namespace nave::dataplane
