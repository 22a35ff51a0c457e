// The ciphers of ESP on bursts; with its neighbour esp_crypto_cbc.* the one place that knows ipsec-mb.
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
#include <span>

namespace nave::dataplane {

/// The keys of one direction, expanded for the cipher at installation; wipes itself. Aligned as ipsec-mb wants it. Not copyable:
/// it is used by address.
struct EspKey {
    EspKey() = default;
    EspKey(const EspKey&) = delete;
    EspKey& operator=(const EspKey&) = delete;
    ~EspKey();

    static constexpr std::size_t kExpandedSize = 1024;
    alignas(64) std::array<std::uint8_t, kExpandedSize> expanded{};
    std::array<std::uint8_t, 4> salt{};
    EspAlgorithm algorithm{};
    bool ready = false;  // expanded; nothing is ever sealed or opened with a key that is not
};

/// Bytes of a packet in front of what is encrypted: ESP header and IV.
constexpr std::size_t front_of(const EspSizes& sizes) { return sizeof(EspHeader) + sizes.iv; }

/// One packet for the cipher. `text` holds `length` bytes that are changed in place, with the ICV right behind them; in front of
/// them stand the ESP header and the IV, which suites without AEAD authenticate where they lie.
/// When an AEAD seals, bytes of other buffers may be put between the first `head_length` bytes of `text` and the rest: they are
/// encrypted from where they lie straight into `text`, so that packets that share a payload never copy it.
/// Without gathering one cache line is all that is touched.
struct alignas(64) EspJob {
    static constexpr std::size_t kGatherMax = 4;

    const EspKey* key = nullptr;
    std::uint8_t* text = nullptr;
    std::uint32_t length = 0, head_length = 0;
    std::array<std::uint8_t, 12> nonce{};        // of AEADs: salt, then the IV of the packet
    std::array<std::uint8_t, 12> associated{};   // SPI and sequence number, extended or not (RFC 4106 §5)
    std::uint8_t associated_length = 8;          // 12 with extended sequence numbers
    EspSizes sizes{};                            // of the key's algorithm
    std::uint8_t gather_count = 0;
    bool ok = false;                             // out: sealed, or opened with a right ICV
    std::array<ByteView, kGatherMax> gather{};

    std::uint8_t* icv() const { return text + length; }
    /// Fills in whatever follows from the SA and from header and IV of the packet that starts at `esp` (RFC 4106 §4 and §5, RFC 7634 §2).
    void describe(const EspKey& with, const EspSizes& format, const std::uint8_t* esp, bool extended, std::uint64_t sequence) {
        key = &with;
        sizes = format;
        std::copy_n(with.salt.begin(), 4, nonce.begin());
        std::copy_n(esp + sizeof(EspHeader), 8, nonce.begin() + 4);
        std::copy_n(esp, 4, associated.begin());
        const be64 whole{sequence};
        if (extended) std::memcpy(associated.data() + 4, &whole, sizeof whole);
        else std::copy_n(esp + 4, 4, associated.begin() + 4);
        associated_length = extended ? 12 : 8;
    }
};
static_assert(offsetof(EspJob, gather) <= 64);

/// One worker's cipher engine. All calls from its own thread.
class EspCrypto {
public:
    /// Throws std::runtime_error when ipsec-mb cannot run on this processor.
    EspCrypto();
    ~EspCrypto();
    EspCrypto(const EspCrypto&) = delete;
    EspCrypto& operator=(const EspCrypto&) = delete;

    /// False if `keymat` has not the algorithm's length; `key` is unusable then.
    [[nodiscard]] bool expand(EspAlgorithm algorithm, ByteView keymat, EspKey& key);
    /// Encrypts and writes the ICV of every job. AEADs take the IV that stands in the packet, which must be unique under the key;
    /// CBC's is written into the packet, made from `associated`, which must be unique likewise.
    void seal(std::span<EspJob> jobs);
    /// Decrypts and compares the ICV of every job; what a job with `ok == false` left in `text` is not to be looked at.
    void open(std::span<EspJob> jobs);

private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace nave::dataplane
