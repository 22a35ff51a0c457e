// AEAD of ESP on bursts; the one place that knows ipsec-mb.
#pragma once

#include "common/bytes.hpp"
#include "common/plane_messages.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace nave::dataplane {

inline constexpr std::size_t kIcvSize = 16, kEspIvSize = 8;

/// Length of keymat (key and salt) that an algorithm takes, in bytes.
constexpr std::size_t keymat_size(EspAlgorithm algorithm) { return algorithm == EspAlgorithm::aes_gcm_128 ? 20 : 36; }

/// A key, expanded for the cipher at installation; wipes itself. Aligned as ipsec-mb wants it. Not copyable: it is used by address.
struct AeadKey {
    AeadKey() = default;
    AeadKey(const AeadKey&) = delete;
    AeadKey& operator=(const AeadKey&) = delete;
    ~AeadKey() { clear(); }
    /// Wipes the key; it is not ready then.
    void clear();

    static constexpr std::size_t kExpandedSize = 1024;
    alignas(64) std::array<std::uint8_t, kExpandedSize> expanded{};
    std::array<std::uint8_t, 4> salt{};
    EspAlgorithm algorithm{};
    bool ready = false;  // expanded; nothing is ever sealed or opened with a key that is not
};

/// One packet for the cipher. `text` holds `length` bytes that are changed in place, the ICV stands at `icv`.
/// When sealing, bytes of other buffers may be put between the first `head_length` bytes of `text` and the rest: they are
/// encrypted from where they lie straight into `text`, so that packets that share a payload never copy it.
struct AeadJob {
    static constexpr std::size_t kGatherMax = 4;

    const AeadKey* key = nullptr;
    std::uint8_t* text = nullptr;
    std::uint32_t length = 0;
    std::uint8_t* icv = nullptr;
    std::array<std::uint8_t, 12> nonce{};        // salt, then the IV of the packet
    std::array<std::uint8_t, 12> associated{};   // SPI and sequence number (RFC 4106 §5)
    std::uint8_t associated_length = 8;          // 12 with extended sequence numbers
    std::uint8_t gather_count = 0;
    std::uint32_t head_length = 0;
    std::array<ByteView, kGatherMax> gather{};
    bool ok = false;                             // out: sealed, or opened with a right ICV
};

/// One worker's cipher engine. All calls from its own thread.
class EspCrypto {
public:
    /// Throws std::runtime_error when ipsec-mb cannot run on this processor.
    EspCrypto();
    ~EspCrypto();
    EspCrypto(const EspCrypto&) = delete;
    EspCrypto& operator=(const EspCrypto&) = delete;

    /// False if `keymat` has not the algorithm's length; `key` is unusable then.
    [[nodiscard]] bool expand(EspAlgorithm algorithm, ByteView keymat, AeadKey& key);
    /// Encrypts and writes the ICV of every job.
    void seal(std::span<AeadJob> jobs);
    /// Decrypts and compares the ICV of every job; what a job with `ok == false` left in `text` is not to be looked at.
    void open(std::span<AeadJob> jobs);

private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace nave::dataplane
