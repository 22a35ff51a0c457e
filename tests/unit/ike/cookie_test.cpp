// Cookies: who gets in with one, and for how long (RFC 7296 §2.6).
#include "controlplane/ike/cookie.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const NbmaEndpoint kSource = endpoint("192.0.2.11", 500);
const Bytes kNonce(32, 7);
constexpr TimePoint kStart{std::chrono::hours{1}};

struct Baker {
    SeededRandom random{1};
    CookieJar jar;
    Bytes make(TimePoint now = kStart) { return jar.make(kSource, 42, kNonce, now, random); }
};

}  // namespace

TEST_CASE("a cookie comes back from the same endpoint with the same SPI and nonce, or not at all") {
    Baker baker;
    const Bytes cookie = baker.make();
    CHECK(cookie.size() == CookieJar::kCookieSize);
    CHECK(baker.jar.verify(cookie, kSource, 42, kNonce, kStart));
    CHECK_FALSE(baker.jar.verify(cookie, endpoint("192.0.2.12", 500), 42, kNonce, kStart));
    CHECK_FALSE(baker.jar.verify(cookie, endpoint("192.0.2.11", 501), 42, kNonce, kStart));
    CHECK_FALSE(baker.jar.verify(cookie, kSource, 43, kNonce, kStart));
    CHECK_FALSE(baker.jar.verify(cookie, kSource, 42, Bytes(32, 8), kStart));
}

TEST_CASE("a cookie with any bit changed, cut or empty is refused") {
    Baker baker;
    const Bytes cookie = baker.make();
    for (std::size_t i = 0; i < cookie.size(); ++i) {
        Bytes forged = cookie;
        forged[i] ^= 1;
        CHECK_FALSE(baker.jar.verify(forged, kSource, 42, kNonce, kStart));
    }
    CHECK_FALSE(baker.jar.verify(ByteView{cookie}.first(32), kSource, 42, kNonce, kStart));
    CHECK_FALSE(baker.jar.verify({}, kSource, 42, kNonce, kStart));
}

TEST_CASE("before the first cookie was made none is good") {
    CHECK_FALSE(CookieJar{}.verify(Bytes(33), kSource, 42, kNonce, kStart));
}

TEST_CASE("a cookie survives one change of the secret and not two") {
    Baker baker;
    const Bytes cookie = baker.make();
    CHECK(baker.make() == cookie);
    CHECK(baker.make(kStart + CookieJar::kSecretLifetime) != cookie);
    CHECK(baker.jar.verify(cookie, kSource, 42, kNonce, kStart + CookieJar::kSecretLifetime));
    baker.make(kStart + 2 * CookieJar::kSecretLifetime);
    CHECK_FALSE(baker.jar.verify(cookie, kSource, 42, kNonce, kStart + 2 * CookieJar::kSecretLifetime));
}

TEST_CASE("a cookie expires even if nobody asked for another one since") {
    Baker baker;
    const Bytes cookie = baker.make();
    CHECK_FALSE(baker.jar.verify(cookie, kSource, 42, kNonce, kStart + 2 * CookieJar::kSecretLifetime));
}
