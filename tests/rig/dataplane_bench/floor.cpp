// Bare ipsec-mb calls, each way of calling in a loop of its own.
#include "tests/rig/dataplane_bench/floor.hpp"

#include "dataplane/ipsec_mb.hpp"
#include "tests/rig/dataplane_bench/floor_cbc.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <intel-ipsec-mb.h>
#include <optional>
#include <rte_cycles.h>
#include <rte_prefetch.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>

namespace nave::rig {

namespace {

constexpr std::size_t kLine = 64, kTag = 16, kAssociated = 8, kBufferBytes = 2176;
/// Packets between the prefetch of a key and its use.
constexpr std::size_t kAhead = 8;

struct Unmap {
    std::size_t size = 0;
    void operator()(void* memory) const { munmap(memory, size); }
};
using Memory = std::unique_ptr<void, Unmap>;

/// Memory in huge pages where the kernel gives them: the floor shall not pay for the TLB.
Memory map_memory(std::size_t size) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error{"no memory for the keys of the floor"};
    madvise(memory, size, MADV_HUGEPAGE);
    return Memory{memory, Unmap{size}};
}

struct alignas(kLine) Key {
    std::array<std::uint8_t, (sizeof(gcm_key_data) + kLine - 1) / kLine * kLine> bytes;
};

enum class Ahead : std::uint8_t { nothing, head, by_length };

/// Round keys and the first powers of the hash key at the front; the powers that long texts use at the end.
void fetch(const Key& key, Ahead how, std::uint32_t length) {
    const std::uint8_t* bytes = key.bytes.data();
    for (std::size_t at = 0; at < 4 * kLine; at += kLine) rte_prefetch0(bytes + at);
    if (how != Ahead::by_length) return;
    const std::size_t powers = std::min<std::size_t>((length + 15) / 16 + 1, 48) * 16;
    for (std::size_t at = sizeof(gcm_key_data) > powers ? (sizeof(gcm_key_data) - powers) / kLine * kLine : 0; at < sizeof(gcm_key_data); at += kLine) rte_prefetch0(bytes + at);
}

}  // namespace

std::uint32_t esp_text_length(std::uint16_t inner, bool gre_key, EspAlgorithm algorithm) {
    constexpr std::uint32_t kTrailer = 2;
    const std::uint32_t payload = inner + (gre_key ? 8u : 4u) + kTrailer, alignment = sizes_of(algorithm).alignment;
    return (payload + alignment - 1) / alignment * alignment;
}

struct Floor::Engine {
    EspAlgorithm algorithm{};
    dataplane::IpsecMb library;
    IMB_MGR* manager = &library.manager();
    Memory keys, buffers;
    std::uint64_t nonce = 0;
    std::array<std::array<std::uint8_t, 12>, kPacketsMax> nonces{};
    std::array<std::array<std::uint8_t, kTag>, kPacketsMax> tags{};
    std::array<std::uint8_t, 12> associated{};
    std::optional<CbcFloor> cbc;

    Key& key(std::uint32_t peer) { return static_cast<Key*>(keys.get())[peer]; }
    std::uint8_t* buffer(std::size_t i) { return static_cast<std::uint8_t*>(buffers.get()) + i * kBufferBytes; }
    /// Fresh nonces, ready before the calls that are timed.
    void number(std::size_t packets) {
        for (std::size_t i = 0; i < packets; ++i) std::memcpy(nonces[i].data() + 4, &++nonce, sizeof nonce);
    }
    void gcm(aes_gcm_enc_dec_t call, Ahead ahead, std::span<const FloorPacket> packets);
    void chacha_direct(Direction direction, std::span<const FloorPacket> packets);
    void chacha_jobs(Direction direction, std::span<const FloorPacket> packets);
    void fill(IMB_JOB& job, Direction direction, std::size_t i, const FloorPacket& packet);
};

void Floor::Engine::gcm(aes_gcm_enc_dec_t call, Ahead ahead, std::span<const FloorPacket> packets) {
    gcm_context_data context;
    for (std::size_t i = 0; i < packets.size(); ++i) {
        if (ahead != Ahead::nothing && i + kAhead < packets.size()) fetch(key(packets[i + kAhead].peer), ahead, packets[i + kAhead].length);
        std::uint8_t* text = buffer(i);
        call(reinterpret_cast<const gcm_key_data*>(key(packets[i].peer).bytes.data()), &context, text, text, packets[i].length, nonces[i].data(), associated.data(),
             kAssociated, text + packets[i].length, kTag);
    }
}

void Floor::Engine::chacha_direct(Direction direction, std::span<const FloorPacket> packets) {
    chacha20_poly1305_context_data context;
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const void* bytes = key(packets[i].peer).bytes.data();
        std::uint8_t* text = buffer(i);
        manager->chacha20_poly1305_init(bytes, &context, nonces[i].data(), associated.data(), kAssociated);
        const auto update = direction == Direction::outbound ? manager->chacha20_poly1305_enc_update : manager->chacha20_poly1305_dec_update;
        update(bytes, &context, text, text, packets[i].length);
        manager->chacha20_poly1305_finalize(&context, text + packets[i].length, kTag);
    }
}

void Floor::Engine::fill(IMB_JOB& job, Direction direction, std::size_t i, const FloorPacket& packet) {
    const bool seals = direction == Direction::outbound;
    job.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job.cipher_direction = seals ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    job.chain_order = seals ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job.enc_keys = job.dec_keys = key(packet.peer).bytes.data();
    job.key_len_in_bytes = 32;
    job.src = job.dst = buffer(i);
    job.cipher_start_src_offset_in_bytes = job.hash_start_src_offset_in_bytes = 0;
    job.msg_len_to_cipher_in_bytes = job.msg_len_to_hash_in_bytes = packet.length;
    job.iv = nonces[i].data();
    job.iv_len_in_bytes = nonces[i].size();
    job.auth_tag_output = tags[i].data();
    job.auth_tag_output_len_in_bytes = kTag;
    job.u.CHACHA20_POLY1305.aad = associated.data();
    job.u.CHACHA20_POLY1305.aad_len_in_bytes = kAssociated;
}

void Floor::Engine::chacha_jobs(Direction direction, std::span<const FloorPacket> packets) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
        fill(*IMB_GET_NEXT_JOB(manager), direction, i, packets[i]);
        IMB_SUBMIT_JOB_NOCHECK(manager);
        while (IMB_GET_COMPLETED_JOB(manager)) {}
    }
    while (IMB_FLUSH_JOB(manager)) {}
}

Floor::Floor(EspAlgorithm algorithm, std::uint32_t peers) : engine_{std::make_unique<Engine>()} {
    Engine& e = *engine_;
    e.algorithm = algorithm;
    e.buffers = map_memory((kPacketsMax + 1) * kBufferBytes);
    std::memset(e.buffers.get(), 1, (kPacketsMax + 1) * kBufferBytes);
    if (!sizes_of(algorithm).is_aead()) {
        e.cbc.emplace(*e.manager, algorithm, peers);
        return;
    }
    e.keys = map_memory(peers * sizeof(Key));
    for (std::uint32_t peer = 0; peer < peers; ++peer) {
        std::array<std::uint8_t, 32> raw{};
        std::memcpy(raw.data(), &peer, sizeof peer);
        auto* expanded = reinterpret_cast<gcm_key_data*>(e.key(peer).bytes.data());
        if (algorithm == EspAlgorithm::aes_gcm_128) IMB_AES128_GCM_PRE(e.manager, raw.data(), expanded);
        else if (algorithm == EspAlgorithm::aes_gcm_256) IMB_AES256_GCM_PRE(e.manager, raw.data(), expanded);
        else std::memcpy(expanded, raw.data(), raw.size());
    }
}

Floor::~Floor() = default;

std::size_t Floor::ways() const {
    if (engine_->cbc) return static_cast<std::size_t>(CbcFloor::Way::count);
    return engine_->algorithm == EspAlgorithm::chacha20_poly1305 ? 2 : 3;
}

std::uint64_t Floor::run(std::size_t way, Direction direction, std::span<const FloorPacket> packets) {
    Engine& e = *engine_;
    packets = packets.first(std::min(packets.size(), kPacketsMax));
    e.number(packets.size());
    const bool seals = direction == Direction::outbound;
    const IMB_MGR& manager = *e.manager;
    const std::uint64_t begin = rte_rdtsc();
    if (e.cbc) e.cbc->run(static_cast<CbcFloor::Way>(way), direction, packets, e.buffer(0) + kLine, kBufferBytes);
    else if (e.algorithm == EspAlgorithm::aes_gcm_128) e.gcm(seals ? manager.gcm128_enc : manager.gcm128_dec, static_cast<Ahead>(way), packets);
    else if (e.algorithm == EspAlgorithm::aes_gcm_256) e.gcm(seals ? manager.gcm256_enc : manager.gcm256_dec, static_cast<Ahead>(way), packets);
    else if (way == 0) e.chacha_jobs(direction, packets);
    else e.chacha_direct(direction, packets);
    return rte_rdtsc() - begin;
}

}  // namespace nave::rig
