// The command line of nave-bench throughput.
#include "tests/rig/throughput/options.hpp"

#include <initializer_list>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace nave::rig::throughput {
namespace {

/// The least that a command line must hold, and more.
std::expected<Options, std::string> parse(std::initializer_list<std::string> more = {}) {
    std::vector<std::string> words{"--port-a", "af_packet:eth1", "--address-a", "10.1.0.10/24", "--gateway-a", "10.1.0.1",
                                   "--port-b", "memif:/run/b.sock,role=client", "--address-b", "10.2.0.250/24"};
    words.insert(words.end(), more);
    return parse_options(words);
}

std::string refused(std::initializer_list<std::string> more) {
    const auto options = parse(more);
    return options ? "accepted" : options.error();
}

TEST_CASE("two ports with addresses are enough") {
    const auto options = parse();
    REQUIRE(options.has_value());
    CHECK(options->ends[0].device.kind == dataplane::DeviceKind::af_packet);
    CHECK(options->ends[0].gateway == 0x0a010001);
    CHECK(options->ends[1].address == 0x0a0200fa);
    CHECK(options->ends[1].length == 24);
    CHECK_FALSE(options->ends[1].gateway);
    CHECK(options->sizes == std::vector<std::size_t>{64, 128, 256, 512, 1024, 1280, 1518});
    CHECK_FALSE(options->rate_max);
}

TEST_CASE("rates are packets per second or a share of the line") {
    CHECK(parse_rate("800000")->value == 800'000);
    CHECK(parse_rate("800k")->value == 800'000);
    CHECK(parse_rate("1.5M")->value == 1'500'000);
    CHECK(parse_rate("90%")->value == Approx(0.9));
    CHECK(parse_rate("90%")->is_share);
    CHECK_FALSE(parse_rate("1.5M")->is_share);
    for (const auto* wrong : {"", "fast", "0", "-5", "10x", "1 M", "101%", "%", "nan", "inf"}) CHECK_FALSE(parse_rate(wrong));
    CHECK(parse_magnitude("2.5G") == 2.5e9);
}

TEST_CASE("percentages become shares") {
    const auto options = parse({"--pdr-loss", "1", "--ndr-loss", "0.1", "--resolution", "2", "--latency-load", "50"});
    REQUIRE(options.has_value());
    CHECK(options->pdr_loss == Approx(0.01));
    CHECK(options->ndr_loss == Approx(0.001));
    CHECK(options->resolution == Approx(0.02));
    CHECK(options->latency_load == Approx(0.5));
}

TEST_CASE("sizes are sorted and stand once") {
    CHECK(parse({"--sizes", "512,64,512"})->sizes == std::vector<std::size_t>{64, 512});
    CHECK_THAT(refused({"--sizes", "64,,512"}), Catch::Contains("--sizes has \"\""));
    CHECK_THAT(refused({"--sizes", "9217"}), Catch::Contains("64 to 9216 bytes"));
}

TEST_CASE("flows fit into what makes them differ") {
    CHECK(parse({"--flows", "16384"}).has_value());
    CHECK_THAT(refused({"--flows", "16385"}), Catch::Contains("16384 source ports"));
    CHECK_THAT(refused({"--flows", "0"}), Catch::Contains("at least 1"));
    CHECK(parse({"--flows", "5", "--vary", "addresses"}).has_value());
    CHECK_THAT(refused({"--flows", "6", "--vary", "addresses"}), Catch::Contains("the network of 10.2.0.250 has 5 addresses from there upwards"));
    CHECK_THAT(refused({"--vary", "colours"}), Catch::Contains("must be ports or addresses"));
}

TEST_CASE("thresholds, times and counts out of range are refused by name") {
    CHECK_THAT(refused({"--pdr-loss", "0.1", "--ndr-loss", "0.2"}), Catch::Contains("the second not below the first"));
    CHECK_THAT(refused({"--resolution", "0"}), Catch::Contains("--resolution"));
    CHECK_THAT(refused({"--trial-seconds", "0"}), Catch::Contains("--trial-seconds"));
    CHECK_THAT(refused({"--repeat", "0"}), Catch::Contains("--repeat"));
    CHECK_THAT(refused({"--rate-min", "none"}), Catch::Contains("--rate-min is \"none\""));
    CHECK_THAT(refused({"--gateway-mac-b", "02:zz"}), Catch::Contains("--gateway-mac-b is \"02:zz\" but must be a MAC address"));
    CHECK_THAT(refused({"--warp", "9"}), Catch::Contains("--warp"));
}

TEST_CASE("what is missing is named") {
    const auto none = parse_options({});
    REQUIRE_FALSE(none.has_value());
    CHECK_THAT(none.error(), Catch::Contains("--port-a is missing"));
    const std::vector<std::string> help{"--help"};
    CHECK(parse_options(help)->help);
    CHECK_THAT(usage(), Catch::Contains("--pdr-loss PERCENT"));
}

}  // namespace
}  // namespace nave::rig::throughput
