// Round trips between two gateways: every algorithm, mode and encapsulation, at sizes around the edges.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

constexpr EspAlgorithm kAlgorithms[] = {EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_gcm_256, EspAlgorithm::chacha20_poly1305,
                                       EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::aes_cbc_256_sha512, EspAlgorithm::aes_gmac_256,
                                       EspAlgorithm::null_sha256,        EspAlgorithm::null_sha384};
constexpr EspMode kModes[] = {EspMode::transport, EspMode::tunnel};

}  // namespace

TEST_CASE("a host's packet reaches the host behind the other gateway unchanged but for its TTL, two hops less") {
    LeakCheck leaks;
    const auto algorithm = GENERATE(from_range(std::begin(kAlgorithms), std::end(kAlgorithms)));
    const auto mode = GENERATE(from_range(std::begin(kModes), std::end(kModes)));
    const bool esn = GENERATE(false, true), encapsulated = GENERATE(false, true), over_ipv6 = GENERATE(false, true);
    Box a{{.number = 1}}, b{{.number = 2}};
    connect(a, b, {.algorithm = algorithm, .mode = mode, .esn = esn, .udp = encapsulated, .over_ipv6 = over_ipv6});
    for (const auto size : std::to_array<std::size_t>({0, 1, 2, 3, 4, 63, 64, 65, 1000, 1280})) {
        const Bytes packet = host_packet(a, b, size);
        a.from_host(packet);
        a.turn();
        REQUIRE(carry(a, b).size() == 1);
        const auto frames = b.sent(kInside);
        REQUIRE(frames.size() == 1);
        CHECK(ip_of(frames[0], 14).time_to_live == 62);
        CHECK(tail(frames[0], 14 + 20) == tail(packet, 20));
    }
    CHECK(a.drops() == 0);
    CHECK(b.drops() == 0);
}
