// Cookies: version | HMAC-SHA-256(secret, endpoint | SPIi | Ni).
#include "controlplane/ike/cookie.hpp"

#include "controlplane/ike/crypto.hpp"

#include <utility>

namespace nave::ike {

Bytes CookieJar::compute(const Key& key, const NbmaEndpoint& source, std::uint64_t initiator_spi, ByteView nonce) {
    ByteWriter input;
    input.u16(source.port);
    input.u64(initiator_spi);
    input.u8(static_cast<std::uint8_t>(source.address.value.byte_count()));  // so that no address blurs with the nonce
    input.bytes(source.address.value.bytes());
    const Secret digest = prf(Prf::hmac_sha256, key.secret.view(), {ByteView{&key.version, 1}, input.view(), nonce});
    Bytes cookie{key.version};
    cookie.insert(cookie.end(), digest.view().begin(), digest.view().end());
    return cookie;
}

Bytes CookieJar::make(const NbmaEndpoint& source, std::uint64_t initiator_spi, ByteView nonce, TimePoint now, Random& random) {
    if (!current_ || now - current_->made_at >= kSecretLifetime) {
        Key fresh{Secret{std::size_t{32}}, now, static_cast<std::uint8_t>(current_ ? current_->version + 1 : 0)};
        random.fill(fresh.secret.writable());
        previous_ = std::exchange(current_, std::move(fresh));
    }
    return compute(*current_, source, initiator_spi, nonce);
}

bool CookieJar::verify(ByteView cookie, const NbmaEndpoint& source, std::uint64_t initiator_spi, ByteView nonce, TimePoint now) const {
    for (const std::optional<Key>* key : {&current_, &previous_}) {
        if (!*key || now - (*key)->made_at >= 2 * kSecretLifetime) continue;
        if (equal_in_constant_time(cookie, compute(**key, source, initiator_spi, nonce))) return true;
    }
    return false;
}

}  // namespace nave::ike
