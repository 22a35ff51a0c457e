// The management protocol: every view, and every way to ask wrongly.
#include "controlplane/management/requests.hpp"
#include "tests/unit/control/sample_gateway.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace nave;
using namespace nave::management;
using Json = nlohmann::json;

namespace {

Json ask(SampleGateway& gateway, const std::string& line) { return Json::parse(answer(line, gateway)); }

Json shown(const std::string& what) {
    SampleGateway gateway;
    const Json reply = ask(gateway, Json{{"command", "show"}, {"what", what}}.dump());
    REQUIRE(reply.at("ok") == true);
    return reply.at("result");
}

std::string error_of(const std::string& line) {
    SampleGateway gateway;
    const Json reply = ask(gateway, line);
    REQUIRE(reply.at("ok") == false);
    return reply.at("error");
}

}  // namespace

TEST_CASE("show peers joins identity, addresses, NAT, states and counters in one row") {
    const Json rows = shown("peers");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == Json::parse(R"({"peer": 0, "tunnel": "nave0", "identity": "hub.example", "tunnel_addresses": ["10.255.0.1"], "prefixes": ["0.0.0.0/0"],
        "nbma": "192.0.2.1:4500", "nat": "us", "role": "hub", "path": "direct", "ike_state": "established", "sa_state": "up", "group": 0, "nhrp_group": "", "uptime_seconds": 11530,
        "packets_in": 1234567, "bytes_in": 1500000000, "packets_out": 42, "bytes_out": 999,
        "rate_to": null, "rate_from": null, "shaped_bytes": 0, "shaper_drops": {"priority": 0, "assured": 0, "best_effort": 0, "scavenger": 0}, "policed": 0})"));
}

TEST_CASE("show nhrp says when an entry expires, or that it never does") {
    const Json rows = shown("nhrp");
    CHECK(rows[0].at("expires_in_seconds") == 599);
    CHECK(rows[1].at("expires_in_seconds").is_null());
    CHECK(rows[0].at("kind") == "registration");
}

TEST_CASE("show ike and sas give the SPIs that a capture shows") {
    CHECK(shown("ike")[0].at("initiator_spi") == "0102030405060708");
    CHECK(shown("ike")[0].at("rekey_in_seconds") == 25000);
    CHECK(shown("sas")[0].at("spi") == "0x04000001");
    CHECK(shown("sas")[0].at("esn") == true);
}

TEST_CASE("show routes and ports give rows") {
    CHECK(shown("routes")[0].at("source") == "shortcut");
    const Json port = shown("ports")[0];
    CHECK(port.at("addresses") == Json{"192.0.2.11/24"});
    CHECK(port.at("sent_bytes") == 600);
    CHECK(port.at("missed") == 1);
}

TEST_CASE("show drops sums all workers and names every reason once") {
    const Json rows = shown("drops");
    CHECK(rows.size() == static_cast<std::size_t>(Drop::count) - 1);
    std::uint64_t replayed = 0;
    for (const Json& row : rows) {
        CHECK(row.at("reason") != "none");
        if (row.at("reason") == "esp-replayed") replayed += row.at("packets").get<std::uint64_t>();
    }
    CHECK(replayed == 7);
}

TEST_CASE("show stages has every stage of every worker") {
    const Json rows = shown("stages");
    CHECK(rows.size() == 2 * static_cast<std::size_t>(Stage::count));
    const Json& decrypt = rows[static_cast<std::size_t>(Stage::esp_decrypt)];
    CHECK(decrypt == Json{{"worker", 0}, {"stage", "esp-decrypt"}, {"calls", 10}, {"packets", 200}, {"cycles", 30000}});
}

TEST_CASE("show counters has those of both planes") {
    const Json rows = shown("counters");
    CHECK(std::find(rows.begin(), rows.end(), Json{{"name", "dataplane-redirects"}, {"value", 5}}) != rows.end());
    CHECK(std::find(rows.begin(), rows.end(), Json{{"name", "ike-malformed"}, {"value", 9}}) != rows.end());
}

TEST_CASE("show config gives the settings in force") {
    const Json rows = shown("config");
    CHECK(rows[0] == Json{{"key", "name"}, {"value", "\"naved\""}});
}

TEST_CASE("everything that can be shown is answered") {
    for (const auto what : kShowable) CHECK(shown(std::string{what}).is_array());
}

TEST_CASE("clear closes the peers that the text names") {
    SampleGateway gateway;
    CHECK(ask(gateway, R"({"command": "clear", "peer": "all"})").at("result").at("closed") == 2);
    CHECK(ask(gateway, R"({"command": "clear", "peer": "10.9.9.9"})").at("result").at("closed") == 0);
    CHECK(gateway.cleared == std::vector<std::string>{"all", "10.9.9.9"});
}

TEST_CASE("clear without a peer clears nobody") {
    SampleGateway gateway;
    for (const char* line : {R"({"command": "clear"})", R"({"command": "clear", "peer": ""})", R"({"command": "clear", "peer": 5})"}) {
        CHECK(ask(gateway, line).at("error").get<std::string>().starts_with("clear needs \"peer\""));
    }
    CHECK(gateway.cleared.empty());
}

TEST_CASE("shutdown is asked for once and answered") {
    SampleGateway gateway;
    CHECK(ask(gateway, R"({"command": "shutdown"})").at("ok") == true);
    CHECK(gateway.shutting_down);
}

TEST_CASE("an unknown command or view is refused with the nearest known") {
    CHECK(error_of(R"({"command": "shwo", "what": "peers"})") == "unknown command \"shwo\"; did you mean \"show\"?");
    CHECK(error_of(R"({"command": "show", "what": "peer"})") == "cannot show \"peer\"; did you mean \"peers\"?");
    CHECK(error_of(R"({"command": "show"})") == "show needs \"what\"; known: peers, nhrp, ike, sas, routes, ports, drops, stages, counters, config");
    CHECK(error_of(R"({"what": "peers"})") == "\"command\" is missing; known: show, clear, shutdown");
    CHECK(error_of(R"({"command": ["show"]})") == "\"command\" is missing; known: show, clear, shutdown");
}

TEST_CASE("a line that is no JSON object is refused") {
    for (const char* line : {"", "show peers", "{", "[]", "5", "null", "\"show\"", "{\"command\": \"show\"} x", "{\"command\": \"\xff\"}", "[[[[[[[["}) {
        CAPTURE(line);
        CHECK(error_of(line).starts_with("not a request"));
    }
    CHECK(error_of(std::string{"{\0}", 3}).starts_with("not a request"));
}

TEST_CASE("a deeply nested line is refused without harm") { CHECK(error_of(std::string(4096, '[')).starts_with("not a request")); }

TEST_CASE("an identity of bytes that are not UTF-8 is still shown") {
    SampleGateway gateway;
    gateway.peer_views[0].identity = "caf\xe9";
    CHECK(ask(gateway, R"({"command": "show", "what": "peers"})").at("result")[0].at("identity") == "caf\xef\xbf\xbd");
}

TEST_CASE("an answer is one line, whatever is in it") {
    SampleGateway gateway;
    gateway.peer_views[0].identity = "two\nlines";
    CHECK(answer(R"({"command": "show", "what": "peers"})", gateway).find('\n') == std::string::npos);
}

TEST_CASE("a gateway that fails while answering is an answer, too") {
    struct Failing : SampleGateway {
        std::vector<overlay::PeerView> peers() const override { throw std::runtime_error{"out of luck"}; }
    } gateway;
    CHECK(ask(gateway, R"({"command": "show", "what": "peers"})") == Json{{"ok", false}, {"error", "the gateway could not answer: out of luck"}});
}
