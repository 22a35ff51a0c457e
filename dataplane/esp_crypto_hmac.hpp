// AES-CBC (RFC 3602), or no cipher (RFC 2410), with HMAC-SHA2 (RFC 4868): packets side by side in the lanes of ipsec-mb.
#pragma once

#include "dataplane/esp_crypto.hpp"

#include <intel-ipsec-mb.h>
#include <optional>

namespace nave::dataplane {

/// Jobs wait until there are enough to fill the lanes, each algorithm for itself, because a burst call of ipsec-mb takes one key
/// size and one hash. Two bursts for each set, cipher and hash apart: that is 5 to 20 % faster than chained jobs at every size, and
/// nothing is decrypted before its ICV was found right.
class HmacSuites {
public:
    /// `key.algorithm` is set and the length of `keymat` is right. False if ipsec-mb refuses.
    [[nodiscard]] bool expand(IMB_MGR& manager, ByteView keymat, EspKey& key);
    /// Takes a job; its outcome stands in it after the next flush. `ok` is false already.
    void seal(IMB_MGR& manager, EspJob& job);
    void open(IMB_MGR& manager, EspJob& job);
    void flush_seal(IMB_MGR& manager);
    void flush_open(IMB_MGR& manager);

private:
    static constexpr std::size_t kAlgorithms = 9, kAtOnce = 64;
    struct Queue {
        std::array<EspJob*, kAtOnce> jobs;
        std::size_t size = 0;
    };

    Queue& push(EspJob& job);
    /// Fills in what the suite's jobs have in common, unless it stands there from the last time.
    void use(EspAlgorithm algorithm, const EspSizes& sizes);
    void seal_all(IMB_MGR& manager, Queue& queue);
    void open_all(IMB_MGR& manager, Queue& queue);

    std::array<Queue, kAlgorithms> queues_{};
    std::array<IMB_JOB, kAtOnce> work_{};
    std::optional<EspAlgorithm> suite_;  // that work_ is set up for
    bool waiting_ = false;  // spares the look into the queues for bursts without HMAC
};

}  // namespace nave::dataplane
