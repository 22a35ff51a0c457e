// The ciphers of ESP on bursts; with its neighbour esp_crypto_hmac.* the one place that knows ipsec-mb.
#pragma once

#include "common/bytes.hpp"
#include "common/headers.hpp"
#include "common/plane_messages.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <rte_prefetch.h>
#include <span>

namespace nave::dataplane {

/// The keys of one direction, expanded for the cipher at installation; wipes itself. Aligned as ipsec-mb wants it. Not copyable:
/// it is used by address.
struct EspKey {
    EspKey() = default;
    EspKey(const EspKey&) = delete;
    EspKey& operator=(const EspKey&) = delete;
    ~EspKey() { clear(); }
    /// Wipes the key; it is not ready then.
    void clear();
    /// Fetches what the cipher reads for a text of that length: the round keys in front, and at the end as many powers of the hash
    /// key as the text has blocks. For other ciphers than AES-GCM that is a guess, and harmless.
    void prefetch(std::size_t text_length) const {
        constexpr std::size_t kLine = 64, kRoundKeys = 176, kPowersMax = 48, kBlock = 16;
        for (std::size_t at = 0; at < kRoundKeys; at += kLine) rte_prefetch0(&expanded[at]);
        const std::size_t powers = std::min(text_length / kBlock + 2, kPowersMax) * kBlock;
        for (std::size_t at = (kExpandedSize - powers) & ~(kLine - 1); at < kExpandedSize; at += kLine) rte_prefetch0(&expanded[at]);
    }

    static constexpr std::size_t kExpandedSize = 1008;
    alignas(64) std::array<std::uint8_t, kExpandedSize> expanded{};
    // In the last line of the expanded key, which the cipher reads anyway.
    std::array<std::uint8_t, 4> salt{};
    EspAlgorithm algorithm{};
    bool ready = false;  // expanded; nothing is ever sealed or opened with a key that is not
};

/// Bytes of a packet in front of what is encrypted: ESP header and IV.
constexpr std::size_t front_of(const EspSizes& sizes) { return sizeof(EspHeader) + sizes.iv; }

/// One packet for the cipher, in one cache line. `text` holds `length` bytes that are changed in place; the ICV stands behind it,
/// and in front of it the ESP header and the IV, which suites without AEAD authenticate where they lie.
/// When an AEAD seals, bytes of other buffers may be put between the first `head_length` bytes of `text` and the rest: they are
/// encrypted from where they lie straight into `text`, so that packets that share a payload never copy it.
struct alignas(64) EspJob {
    static constexpr std::size_t kGatherMax = 4;

    const EspKey* key = nullptr;
    std::uint8_t* text = nullptr;
    const ByteView* gather = nullptr;            // the other buffers' bytes, `gather_count` of them
    std::uint32_t length = 0, head_length = 0;
    std::array<std::uint8_t, 12> nonce{};        // of AEADs: salt, then the IV of the packet
    std::array<std::uint8_t, 12> associated{};   // SPI and sequence number, extended or not (RFC 4106 §5)
    std::uint8_t associated_length = 8;          // 12 with extended sequence numbers
    std::uint8_t gather_count = 0;
    std::uint8_t front = 0, icv_size = 0;        // of the key's algorithm: front_of() and the ICV's bytes
    bool ok = false;                             // out: sealed, or opened with a right ICV

    std::uint8_t* icv() const { return text + length; }

    /// Fills in whatever follows from the SA and from header and IV of the packet that starts at `esp` (RFC 4106 §4 and §5, RFC 4543 §3,
    /// RFC 7634 §2). Where there is no IV, the nonce is of no use.
    void describe(const EspKey& with, const EspSizes& sizes, const std::uint8_t* esp, bool extended, std::uint64_t sequence) {
        key = &with;
        front = static_cast<std::uint8_t>(front_of(sizes)), icv_size = sizes.icv;
        std::memcpy(nonce.data(), with.salt.data(), 4);
        std::memcpy(nonce.data() + 4, esp + sizeof(EspHeader), 8);
        std::memcpy(associated.data(), esp, 8);
        associated_length = 8;
        if (extended) [[unlikely]] {
            const be64 whole{sequence};
            std::memcpy(associated.data() + 4, &whole, sizeof whole);
            associated_length = 12;
        }
    }
};
static_assert(sizeof(EspJob) == 64);

/// One worker's cipher engine. All calls from its own thread.
class EspCrypto {
public:
    /// Throws std::runtime_error when ipsec-mb is not installed or cannot run on this processor.
    EspCrypto();
    ~EspCrypto();
    EspCrypto(const EspCrypto&) = delete;
    EspCrypto& operator=(const EspCrypto&) = delete;

    /// False if `keymat` has not the algorithm's length; `key` is unusable then.
    [[nodiscard]] bool expand(EspAlgorithm algorithm, ByteView keymat, EspKey& key);
    /// Encrypts, if the suite does, and writes the ICV of every job. AEADs take the IV that stands in the packet, which must be unique under the key;
    /// CBC's is written into the packet, made from `associated`, which must be unique likewise.
    void seal(std::span<EspJob> jobs);
    /// Decrypts and compares the ICV of every job; what a job with `ok == false` left in `text` is not to be looked at.
    void open(std::span<EspJob> jobs);

private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace nave::dataplane
