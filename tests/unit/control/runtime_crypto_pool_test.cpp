// The crypto pool with its real threads.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/runtime/crypto_pool.hpp"

#include <catch2/catch.hpp>
#include <poll.h>
#include <set>

using namespace nave;
using namespace nave::runtime;

namespace {

ike::Compute job(std::uint64_t number, Random& random, const ike::DhKeyPair& peer) {
    return {ike::JobId{number}, ike::KeyResponse{peer.group(), ike::DhKeyPair::draw(peer.group(), random), peer.public_value()}};
}

bool is_readable(int descriptor, int milliseconds) {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    return poll(&wanted, 1, milliseconds) == 1;
}

}  // namespace

TEST_CASE("what is submitted to the crypto pool comes back once, computed, and its descriptor says when") {
    constexpr std::uint64_t kJobs = 200;
    ike::SystemRandom random;
    const auto peer = ike::DhKeyPair::generate(ike::Group::x25519, random);
    CryptoPool pool;
    CHECK_FALSE(is_readable(pool.descriptor(), 0));
    for (std::uint64_t i = 0; i < kJobs; ++i) pool.submit(job(i, random, peer));
    std::set<std::uint64_t> numbers;
    while (numbers.size() < kJobs) {
        REQUIRE(is_readable(pool.descriptor(), 10'000));
        for (const ike::Compute& done : pool.take_done()) {
            CHECK(numbers.insert(done.job.value).second);
            const auto& answer = std::get<ike::KeyResponse>(done.work).result.value().value();
            CHECK(peer.shared_secret(answer.public_value).value() == answer.shared_secret);
        }
    }
    CHECK_FALSE(is_readable(pool.descriptor(), 0));
    CHECK(pool.take_done().empty());
}

TEST_CASE("jobs of peers that are up go before a storm of others") {
    constexpr std::uint64_t kStorm = 400;
    ike::SystemRandom random;
    const auto peer = ike::DhKeyPair::generate(ike::Group::p384, random);
    CryptoPool pool;
    for (std::uint64_t i = 0; i < kStorm; ++i) pool.submit(job(i, random, peer));
    ike::Compute urgent = job(kStorm, random, peer);
    urgent.urgent = true;
    pool.submit(std::move(urgent));
    std::size_t before = 0;
    for (bool came = false; !came;) {
        REQUIRE(is_readable(pool.descriptor(), 10'000));
        for (const ike::Compute& done : pool.take_done()) came |= done.job.value == kStorm, before += !came;
    }
    CHECK(before < kStorm / 2);
}

TEST_CASE("a crypto pool ends without doing what still waits") {
    ike::SystemRandom random;
    const auto peer = ike::DhKeyPair::generate(ike::Group::modp4096, random);
    CryptoPool pool;
    for (std::uint64_t i = 0; i < 2000; ++i) pool.submit(job(i, random, peer));  // many seconds of work
}
