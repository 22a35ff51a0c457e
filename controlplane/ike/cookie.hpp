// Stateless cookies: a stranger proves that it receives at its address before we keep anything for it (RFC 7296 §2.6).
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/random.hpp"
#include "common/secret.hpp"
#include "common/time.hpp"

#include <cstdint>
#include <optional>

namespace nave::ike {

/// Makes and verifies cookies. Its secret is renewed by time; cookies of the previous one stay good for one more period.
class CookieJar {
public:
    static constexpr Duration kSecretLifetime = std::chrono::seconds{60};
    static constexpr std::size_t kCookieSize = 33;  // version byte and HMAC-SHA-256

    /// The cookie for the sender of an IKE_SA_INIT request: its endpoint, SPIi and Ni.
    Bytes make(const NbmaEndpoint& source, std::uint64_t initiator_spi, ByteView nonce, TimePoint now, Random& random);
    /// True for a cookie that we made for exactly these within the last one or two periods.
    bool verify(ByteView cookie, const NbmaEndpoint& source, std::uint64_t initiator_spi, ByteView nonce, TimePoint now) const;

private:
    struct Key {
        Secret secret;
        TimePoint made_at;
        std::uint8_t version;
    };
    static Bytes compute(const Key& key, const NbmaEndpoint& source, std::uint64_t initiator_spi, ByteView nonce);
    std::optional<Key> current_, previous_;
};

}  // namespace nave::ike
