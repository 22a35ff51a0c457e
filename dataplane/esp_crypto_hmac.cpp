// The layout of a packet as cipher and HMAC see it: ESP header, IV, ciphertext; then the ICV over all three (RFC 4303 §3.3.2). The null
// cipher has no IV, and its ciphertext is the text.
#include "dataplane/esp_crypto_hmac.hpp"

#include "common/secret.hpp"

#include <utility>

namespace nave::dataplane {

namespace {

constexpr std::size_t kIvSize = 16, kSequenceHighSize = 4;

/// What EspKey::expanded holds. With CBC, sealing reads the first six cache lines, opening the last six; without a cipher both read HMAC's two.
struct alignas(64) HmacKey {
    std::array<std::uint8_t, 240> encrypt;
    std::array<std::uint8_t, kIvSize> iv_secret;
    std::array<std::uint8_t, 64> inner, outer;  // HMAC's two states behind the padded key
    std::array<std::uint8_t, 240> decrypt;
};
static_assert(sizeof(HmacKey) <= EspKey::kExpandedSize);

HmacKey& hmac_key(EspKey& key) { return *reinterpret_cast<HmacKey*>(key.expanded.data()); }
const HmacKey& hmac_key(const EspKey& key) { return *reinterpret_cast<const HmacKey*>(key.expanded.data()); }

std::size_t index_of(EspAlgorithm algorithm) { return std::to_underlying(algorithm) - std::to_underlying(EspAlgorithm::aes_cbc_128_sha256); }

IMB_HASH_ALG hash_of(const EspSizes& sizes) {
    if (sizes.integrity_key == 32) return IMB_AUTH_HMAC_SHA_256;
    return sizes.integrity_key == 48 ? IMB_AUTH_HMAC_SHA_384 : IMB_AUTH_HMAC_SHA_512;
}

bool has_cipher(const EspSizes& sizes) { return sizes.encryption_key > 0; }

IMB_KEY_SIZE_BYTES key_size_of(const EspSizes& sizes) { return sizes.encryption_key == 16 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES; }

/// The state of HMAC's hash behind one block of the key, each byte of it XORed with `pad` (RFC 2104 §4).
void expand_pad(IMB_MGR& manager, IMB_HASH_ALG hash, ByteView key, std::uint8_t pad, std::array<std::uint8_t, 64>& state) {
    std::array<std::uint8_t, 128> block;
    block.fill(pad);
    for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
    if (hash == IMB_AUTH_HMAC_SHA_256) IMB_SHA256_ONE_BLOCK(&manager, block.data(), state.data());
    else if (hash == IMB_AUTH_HMAC_SHA_384) IMB_SHA384_ONE_BLOCK(&manager, block.data(), state.data());
    else IMB_SHA512_ONE_BLOCK(&manager, block.data(), state.data());
    wipe(block);
}

/// What every job of a burst of one suite has in common. Offsets count from the ESP header.
void set_suite(IMB_JOB& work, const EspSizes& sizes) {
    work = IMB_JOB{};
    work.key_len_in_bytes = sizes.encryption_key;
    work.iv_len_in_bytes = kIvSize;
    work.auth_tag_output_len_in_bytes = sizes.icv;
}

void set_keys(IMB_JOB& work, const HmacKey& key) {
    work.enc_keys = key.encrypt.data();
    work.dec_keys = key.decrypt.data();
    work.u.HMAC._hashed_auth_key_xor_ipad = key.inner.data();
    work.u.HMAC._hashed_auth_key_xor_opad = key.outer.data();
}

/// Everything that the ICV covers. With extended sequence numbers the high half comes last (RFC 4303 §2.2.1): it is never sent, so
/// it is written for the time of the computation to where the ICV stands.
void set_hash(IMB_JOB& work, const EspJob& job, std::uint8_t* tag) {
    const bool extended = job.associated_length == 12;
    if (extended) std::memcpy(job.icv(), job.associated.data() + 4, kSequenceHighSize);
    work.src = job.text - job.front;
    work.msg_len_to_hash_in_bytes = job.front + job.length + (extended ? kSequenceHighSize : 0);
    work.auth_tag_output = tag;
}

/// `from` is the first block of `length` bytes that are changed in place.
void set_cipher(IMB_JOB& work, const std::uint8_t* iv, std::uint8_t* from, std::size_t length) {
    work.iv = iv;
    work.dst = from;
    work.cipher_start_src_offset_in_bytes = static_cast<std::size_t>(from - work.src);
    work.msg_len_to_cipher_in_bytes = length;
}

/// CBC needs an IV that nobody can predict (RFC 3602 §3). Ours is the first block of the same CBC run: SPI and sequence number,
/// which are unique under the key, XORed with a secret of the SA, encrypted. So it costs a block in the lanes instead of a call and
/// a source of randomness; no two packets of a key have the same; and since nobody knows the secret, no payload can be chosen so
/// that it meets the cipher in the place of a number, which is what makes a bare number under the same key unsound.
void set_numbers(EspJob& job) {
    std::uint8_t* block = job.text - kIvSize;
    std::memset(block, 0, kIvSize);
    std::memcpy(block, job.associated.data(), 8);
    if (job.associated_length == 12) std::memcpy(block + 8, job.associated.data() + 8, kSequenceHighSize);
}

/// CBC knows whole blocks only; a shared payload must have been brought together by the caller.
bool fits(const EspJob& job) { return job.length > 0 && (job.length % kIvSize == 0 || job.front == sizeof(EspHeader)) && job.gather_count == 0; }

}  // namespace

bool HmacSuites::expand(IMB_MGR& manager, ByteView keymat, EspKey& key) {
    const EspSizes sizes = sizes_of(key.algorithm);
    const IMB_HASH_ALG hash = hash_of(sizes);
    HmacKey& expanded = hmac_key(key);
    const ByteView integrity_key = keymat.subspan(sizes.encryption_key);
    expand_pad(manager, hash, integrity_key, 0x36, expanded.inner);
    expand_pad(manager, hash, integrity_key, 0x5c, expanded.outer);
    if (!has_cipher(sizes)) return true;
    if (sizes.encryption_key == 16) IMB_AES_KEYEXP_128(&manager, keymat.data(), expanded.encrypt.data(), expanded.decrypt.data());
    else IMB_AES_KEYEXP_256(&manager, keymat.data(), expanded.encrypt.data(), expanded.decrypt.data());

    // The secret behind the IVs is a PRF's output under the integrity key, over a message that no packet can be: SPI 0 is never on
    // the wire (RFC 4303 §2.1).
    constexpr std::array<std::uint8_t, 11> kMessage{0, 0, 0, 0, 'n', 'a', 'v', 'e', ' ', 'i', 'v'};
    std::array<std::uint8_t, kEspIcvMax> secret;
    IMB_JOB work;
    set_suite(work, sizes);
    set_keys(work, expanded);
    work.src = kMessage.data();
    work.msg_len_to_hash_in_bytes = kMessage.size();
    work.auth_tag_output = secret.data();
    const bool done = IMB_SUBMIT_HASH_BURST(&manager, &work, 1, hash) == 1;
    std::memcpy(expanded.iv_secret.data(), secret.data(), kIvSize);
    wipe(secret);
    return done;
}

HmacSuites::Queue& HmacSuites::push(EspJob& job) {
    Queue& queue = queues_[index_of(job.key->algorithm)];
    queue.jobs[queue.size++] = &job;
    waiting_ = true;
    return queue;
}

void HmacSuites::seal(IMB_MGR& manager, EspJob& job) {
    if (!fits(job)) return;
    if (Queue& queue = push(job); queue.size == kAtOnce) seal_all(manager, queue);
}

void HmacSuites::open(IMB_MGR& manager, EspJob& job) {
    if (!fits(job)) return;
    if (Queue& queue = push(job); queue.size == kAtOnce) open_all(manager, queue);
}

void HmacSuites::flush_seal(IMB_MGR& manager) {
    if (!std::exchange(waiting_, false)) return;
    for (Queue& queue : queues_)
        if (queue.size > 0) seal_all(manager, queue);
}

void HmacSuites::flush_open(IMB_MGR& manager) {
    if (!std::exchange(waiting_, false)) return;
    for (Queue& queue : queues_)
        if (queue.size > 0) open_all(manager, queue);
}

void HmacSuites::use(EspAlgorithm algorithm, const EspSizes& sizes) {
    if (std::exchange(suite_, algorithm) == algorithm) return;
    for (IMB_JOB& work : work_) set_suite(work, sizes);
}

void HmacSuites::seal_all(IMB_MGR& manager, Queue& queue) {
    const std::span jobs{queue.jobs.data(), std::exchange(queue.size, 0)};
    const EspSizes sizes = sizes_of(jobs[0]->key->algorithm);
    const bool ciphers = has_cipher(sizes);
    use(jobs[0]->key->algorithm, sizes);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        EspJob& job = *jobs[i];
        const HmacKey& key = hmac_key(*job.key);
        set_keys(work_[i], key);
        set_hash(work_[i], job, job.icv());
        if (!ciphers) continue;
        set_numbers(job);
        set_cipher(work_[i], key.iv_secret.data(), job.text - kIvSize, kIvSize + job.length);
    }
    const auto count = static_cast<std::uint32_t>(jobs.size());
    if (ciphers && IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager, work_.data(), count, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT, key_size_of(sizes)) != count) return;
    if (IMB_SUBMIT_HASH_BURST_NOCHECK(&manager, work_.data(), count, hash_of(sizes)) != count) return;
    for (EspJob* job : jobs) job->ok = true;
}

void HmacSuites::open_all(IMB_MGR& manager, Queue& queue) {
    const std::span jobs{queue.jobs.data(), std::exchange(queue.size, 0)};
    const EspSizes sizes = sizes_of(jobs[0]->key->algorithm);
    const bool ciphers = has_cipher(sizes);
    use(jobs[0]->key->algorithm, sizes);
    std::array<std::array<std::uint8_t, kEspIcvMax>, kAtOnce> computed;
    std::array<std::array<std::uint8_t, kSequenceHighSize>, kAtOnce> icv_starts;  // where the high half of the number goes
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        EspJob& job = *jobs[i];
        std::memcpy(icv_starts[i].data(), job.icv(), kSequenceHighSize);
        set_keys(work_[i], hmac_key(*job.key));
        set_hash(work_[i], job, computed[i].data());
        if (ciphers) set_cipher(work_[i], job.text - kIvSize, job.text, job.length);
    }
    const auto count = static_cast<std::uint32_t>(jobs.size());
    const bool hashed = IMB_SUBMIT_HASH_BURST_NOCHECK(&manager, work_.data(), count, hash_of(sizes)) == count;
    std::uint32_t genuine = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        EspJob& job = *jobs[i];
        std::memcpy(job.icv(), icv_starts[i].data(), kSequenceHighSize);
        job.ok = hashed && equal_in_constant_time(ByteView{computed[i]}.first(sizes.icv), {job.icv(), sizes.icv});
        if (!job.ok) continue;
        if (genuine != i) work_[genuine] = work_[i];
        ++genuine;
    }
    if (genuine == 0 || !ciphers) return;
    if (IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager, work_.data(), genuine, IMB_CIPHER_CBC, IMB_DIR_DECRYPT, key_size_of(sizes)) == genuine) return;
    for (EspJob* job : jobs) job->ok = false;
}

}  // namespace nave::dataplane
