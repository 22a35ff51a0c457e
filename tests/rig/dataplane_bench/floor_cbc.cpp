// Burst calls and chained jobs over equal buffers.
#include "tests/rig/dataplane_bench/floor_cbc.hpp"

#include <algorithm>
#include <stdexcept>

namespace nave::rig {

namespace {

IMB_HASH_ALG hash_for(const EspSizes& sizes) {
    switch (sizes.integrity_key) {
    case 32: return IMB_AUTH_HMAC_SHA_256;
    case 48: return IMB_AUTH_HMAC_SHA_384;
    default: return IMB_AUTH_HMAC_SHA_512;
    }
}

/// HMAC's state behind one block of the padded key.
void hash_pad(IMB_MGR& manager, IMB_HASH_ALG hash, std::uint8_t pad, std::uint8_t* state) {
    std::array<std::uint8_t, 128> block;
    block.fill(pad);
    switch (hash) {
    case IMB_AUTH_HMAC_SHA_256: return IMB_SHA256_ONE_BLOCK(&manager, block.data(), state);
    case IMB_AUTH_HMAC_SHA_384: return IMB_SHA384_ONE_BLOCK(&manager, block.data(), state);
    default: return IMB_SHA512_ONE_BLOCK(&manager, block.data(), state);
    }
}

}  // namespace

CbcFloor::CbcFloor(IMB_MGR& manager, EspAlgorithm algorithm, std::uint32_t peers) : manager_{manager}, sizes_{sizes_of(algorithm)}, hash_{hash_for(sizes_)}, keys_(peers) {
    for (std::uint32_t peer = 0; peer < peers; ++peer) {
        std::array<std::uint8_t, 32> raw{};
        std::copy_n(reinterpret_cast<const std::uint8_t*>(&peer), sizeof peer, raw.begin());
        Key& key = keys_[peer];
        if (sizes_.encryption_key == 16) IMB_AES_KEYEXP_128(&manager, raw.data(), key.encrypt.data(), key.decrypt.data());
        else IMB_AES_KEYEXP_256(&manager, raw.data(), key.encrypt.data(), key.decrypt.data());
        hash_pad(manager, hash_, 0x36, key.inner.data());
        hash_pad(manager, hash_, 0x5c, key.outer.data());
    }
    if (manager.imb_errno != 0) throw std::runtime_error{"ipsec-mb refuses the keys of the floor: error " + std::to_string(manager.imb_errno)};
}

/// What the jobs of all packets have in common.
IMB_JOB CbcFloor::blank(Direction direction) const {
    const bool seals = direction == Direction::outbound;
    IMB_JOB job{};
    job.cipher_mode = IMB_CIPHER_CBC;
    job.hash_alg = hash_;
    job.cipher_direction = seals ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    job.chain_order = seals ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job.key_len_in_bytes = sizes_.encryption_key;
    job.iv_len_in_bytes = 16;
    job.cipher_start_src_offset_in_bytes = kFront;
    job.auth_tag_output_len_in_bytes = sizes_.icv;
    return job;
}

void CbcFloor::aim(IMB_JOB& job, const FloorPacket& packet, std::uint8_t* text) const {
    const Key& key = keys_[packet.peer];
    job.enc_keys = key.encrypt.data();
    job.dec_keys = key.decrypt.data();
    job.u.HMAC._hashed_auth_key_xor_ipad = key.inner.data();
    job.u.HMAC._hashed_auth_key_xor_opad = key.outer.data();
    job.src = text - kFront;
    job.dst = text;
    job.iv = text - 16;
    job.msg_len_to_cipher_in_bytes = packet.length;
    job.msg_len_to_hash_in_bytes = kFront + packet.length;
    job.auth_tag_output = text + packet.length;
}

void CbcFloor::run(Way way, Direction direction, std::span<const FloorPacket> packets, std::uint8_t* texts, std::size_t stride) {
    if (way == Way::bursts) run_bursts(direction, packets, texts, stride);
    else run_jobs(direction, packets, texts, stride);
}

void CbcFloor::run_bursts(Direction direction, std::span<const FloorPacket> packets, std::uint8_t* texts, std::size_t stride) {
    const auto key_size = static_cast<IMB_KEY_SIZE_BYTES>(sizes_.encryption_key);
    work_.fill(blank(direction));
    for (; !packets.empty(); packets = packets.subspan(std::min(kAtOnce, packets.size()))) {
        const auto count = static_cast<std::uint32_t>(std::min(kAtOnce, packets.size()));
        for (std::uint32_t i = 0; i < count; ++i, texts += stride) aim(work_[i], packets[i], texts);
        if (direction == Direction::outbound) IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager_, work_.data(), count, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT, key_size);
        IMB_SUBMIT_HASH_BURST_NOCHECK(&manager_, work_.data(), count, hash_);
        if (direction == Direction::inbound) IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager_, work_.data(), count, IMB_CIPHER_CBC, IMB_DIR_DECRYPT, key_size);
    }
}

void CbcFloor::run_jobs(Direction direction, std::span<const FloorPacket> packets, std::uint8_t* texts, std::size_t stride) {
    const IMB_JOB common = blank(direction);
    for (std::size_t i = 0; i < packets.size(); ++i, texts += stride) {
        IMB_JOB* job = IMB_GET_NEXT_JOB(&manager_);
        *job = common;
        aim(*job, packets[i], texts);
        IMB_SUBMIT_JOB_NOCHECK(&manager_);
        while (IMB_GET_COMPLETED_JOB(&manager_)) {}
    }
    while (IMB_FLUSH_JOB(&manager_)) {}
}

}  // namespace nave::rig
