// The three reports of one campaign.
#include "tests/rig/throughput/report.hpp"

#include <nlohmann/json.hpp>

#include <catch2/catch.hpp>

namespace nave::rig::throughput {
namespace {

/// One size with a limit of the device's, one where the rig was slower, one that did not pass.
Figures sample() {
    const Latency latency{1, 2, 3, 4, 5, 6, 7};
    const TrialFigures held{.wanted = 1e6, .offered = 400'000, .pace = 400'000, .sent = 200'000, .received = 200'000, .fell_short = true, .latency = latency};
    const TrialFigures lossy{.wanted = 1e6, .offered = 9e5, .pace = 1e6, .sent = 1000, .received = 900, .reordered = 3, .loss = 0.1, .held_up = 0.1, .latency = latency};
    const Found by_device{.rate = 250'000, .loss = 0, .missed_at = 252'000.0, .converged = true};
    const Found by_rig{.rate = 400'000, .loss = 0, .missed_at = std::nullopt, .converged = true};
    return {.ends = {{"af_packet:eth1", "net_af_packet", "10.1.0.10/24", "10.1.0.1", "02:00:00:00:00:01"}, {"ring:x", "net_ring", "10.2.0.10/24", "", ""}},
            .sizes = {{.frame_size = 64, .fault = "", .ndr = by_device, .pdr = by_device, .at_load = lossy, .trials = {lossy}},
                      {.frame_size = 512, .fault = "", .ndr = by_rig, .pdr = by_rig, .at_load = held, .trials = {held}},
                      {.frame_size = 1518, .fault = "too long", .ndr = {}, .pdr = {}, .at_load = std::nullopt, .trials = {}}}};
}

TEST_CASE("the text marks what is not the device's limit and says what held the rig up") {
    const auto text = to_text({}, sample());
    CHECK_THAT(text, Catch::Contains(" 250000 ") && Catch::Contains(">400000 ") && !Catch::Contains(">250000"));
    CHECK_THAT(text, Catch::Contains("> the rig cannot send faster") && Catch::Contains("held the rig up for up to 10 %"));
    CHECK_THAT(text, Catch::Contains("1518 too long") && Catch::Contains("gateway 10.1.0.1 at 02:00:00:00:00:01") && Catch::Contains("ring:x (10.2.0.10/24), straight"));
    CHECK_THAT(text, !Catch::Contains("trials were used up"));
}

TEST_CASE("a rate that was not narrowed down is marked") {
    auto figures = sample();
    figures.sizes[0].ndr.converged = false;
    CHECK_THAT(to_text({}, figures), Catch::Contains("~250000") && Catch::Contains("trials were used up"));
}

TEST_CASE("the JSON report holds every size and trial") {
    const auto json = nlohmann::json::parse(to_json({}, sample()));
    REQUIRE(json["results"].size() == 3);
    CHECK(json["results"][0]["ndr"]["limit"] == "device");
    CHECK(json["results"][0]["ndr"]["mbps"] == 128.0);
    CHECK(json["results"][0]["trials"][0]["reordered"] == 3);
    CHECK(json["results"][0]["at_load"]["latency_us"]["p99.9"] == 6);
    CHECK(json["results"][1]["pdr"]["limit"] == "rig");
    CHECK(json["results"][1]["pdr"]["missed_at"].is_null());
    CHECK(json["results"][2]["fault"] == "too long");
    CHECK(json["ports"]["a"]["gateway"] == "10.1.0.1");
}

TEST_CASE("the page leaves out what did not pass") {
    const auto page = to_page({}, sample());
    CHECK_THAT(page, Catch::Contains("512 bytes") && !Catch::Contains("1518"));
    CHECK_THAT(page, Catch::Contains("PDR (0.5 % loss)") && Catch::Contains("99.9 %"));
}

}  // namespace
}  // namespace nave::rig::throughput
