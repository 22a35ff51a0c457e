// navectl: what is typed, what is printed, and what it says when no gateway answers.
#include "common/drop.hpp"
#include "controlplane/ctl/client.hpp"
#include "controlplane/ctl/command_line.hpp"
#include "controlplane/ctl/drop_help.hpp"
#include "controlplane/ctl/reports.hpp"
#include "controlplane/ctl/table.hpp"
#include "controlplane/management/requests.hpp"
#include "controlplane/management/server.hpp"
#include "tests/unit/control/sample_gateway.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sstream>
#include <thread>
#include <unistd.h>

using namespace nave;
using namespace nave::ctl;

namespace {

const std::string kFolder = (std::filesystem::temp_directory_path() / ("navectl-test-" + std::to_string(getpid()))).string();

/// What `navectl show WHAT` prints of the sample gateway.
std::string shown(const std::string& what, bool json = false, bool all = false) {
    management::SampleGateway gateway;
    const std::string answer = management::answer(Invocation{.socket = "", .command = "show", .what = what}.request(), gateway);
    return report(answer, {"show", what, json, all}).value().text;
}

std::size_t widest_line(const std::string& text) {
    std::size_t widest = 0;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
    return widest;
}

std::string usage_error(const std::vector<std::string>& arguments) { return parse_command_line(arguments).error(); }

}  // namespace

TEST_CASE("show peers is one aligned row per peer that fits 120 columns") {
    const std::string text = shown("peers");
    CHECK(text ==
          "IDENTITY               ADDRESS      NBMA                NAT   PATH    IKE        SA       UP            IN      OUT\n"
          "hub.example            10.255.0.1   192.0.2.1:4500      us    direct  up         up    3h12m  1.23M/1.50GB  42/999B\n"
          "spoke2.spokes.example  10.255.0.12  198.51.100.12:4500  both  hub     init-sent  none     5s          0/0B     0/0B\n");
    CHECK(widest_line(text) <= 120);
}

TEST_CASE("where a peer has a limited rate, show peers says which and how many packets it cost") {
    management::SampleGateway gateway;
    overlay::PeerView& limited = gateway.peer_views[1];
    limited.identity = "s2.example", limited.rates.to = 20'000'000;
    limited.rate_counts = {.shaped_bytes = 1000, .policed = 5, .shaper_drops = {1, 0, 30, 0}};
    const auto text = report(management::answer(R"({"command": "show", "what": "peers"})", gateway), {"show", "peers"}).value().text;
    std::istringstream lines{text};
    std::string head, hub, spoke;
    std::getline(lines, head), std::getline(lines, hub), std::getline(lines, spoke);
    CHECK(head.ends_with("  TO/FROM  CUT"));
    CHECK(hub.ends_with("      -/-    0"));
    CHECK(spoke.ends_with("  20.0M/-   36"));
    CHECK(widest_line(text) <= 120);
}

TEST_CASE("peers of several tunnels say of which") {
    management::SampleGateway gateway;
    gateway.peer_views[1].tunnel = "nave1";
    const auto text = report(management::answer(R"({"command": "show", "what": "peers"})", gateway), {"show", "peers"}).value().text;
    CHECK(text.starts_with("TUNNEL  IDENTITY"));
    CHECK(text.find("\nnave1   spoke2") != std::string::npos);
}

TEST_CASE("NHRP groups have a column where a peer names one") {
    management::SampleGateway gateway;
    const auto text = report(management::answer(R"({"command": "show", "what": "nhrp"})", gateway), {"show", "nhrp"}).value().text;
    CHECK(text.find("EXPIRES  GROUP\n") != std::string::npos);
    CHECK(text.find("9m59s  branch\n") != std::string::npos);
}

TEST_CASE("every view has a table with a row for what there is") {
    CHECK(shown("nhrp").find("registration  10.255.0.12/32") != std::string::npos);
    CHECK(shown("nhrp").find("9m59s") != std::string::npos);
    CHECK(shown("ike").find("aes-gcm-256/prf-sha384/x25519  1m00s  6h56m") != std::string::npos);
    CHECK(shown("sas").find("0x04000001") != std::string::npos);
    CHECK(shown("routes").find("172.16.12.0/24  10.255.0.12  shortcut") != std::string::npos);
    CHECK(shown("ports").find("af_packet:eth0  up    1500  192.0.2.11/24  wan   -") != std::string::npos);
    CHECK(shown("config").starts_with("name = \"naved\"\n"));
}

TEST_CASE("tables other than of peers fit 120 columns") {
    for (const char* what : {"nhrp", "sas", "routes", "ports", "drops", "stages", "counters"}) {
        CAPTURE(what);
        CHECK(widest_line(shown(what)) <= 120);
        CHECK(widest_line(shown(what, false, true)) <= 120);
    }
}

TEST_CASE("show drops prints only what happened, with what to do about it") {
    const std::string text = shown("drops");
    CHECK(text.find("      7  esp-replayed  An ESP packet came twice or too late.") != std::string::npos);
    CHECK(text.find("esp-bad-icv") == std::string::npos);
    CHECK(shown("drops", false, true).find("esp-bad-icv") != std::string::npos);
}

TEST_CASE("every drop reason has a sentence for the operator") {
    for (std::size_t i = 1; i < static_cast<std::size_t>(Drop::count); ++i) {
        const auto reason = name(static_cast<Drop>(i));
        CAPTURE(reason);
        CHECK(drop_help(reason).size() > 20);
        CHECK(drop_help(reason).ends_with('.'));
    }
    CHECK(drop_help("no-such-reason").empty());
}

TEST_CASE("show stages says what a packet costs and where the time goes") {
    const std::string text = shown("stages");
    CHECK(text.find("WORKER") != std::string::npos);
    CHECK(text.find("esp-decrypt         10      200          20.0          150.0  100.0%") != std::string::npos);
}

TEST_CASE("show counters leaves out what counted nothing unless all is asked for") {
    CHECK(shown("counters") == "VALUE  COUNTER\n    5  dataplane-redirects\n    9  ike-malformed\n");
    CHECK(shown("counters", false, true).find("nhrp-refused") != std::string::npos);
}

TEST_CASE("json prints the result as the gateway gave it") {
    const auto rows = nlohmann::json::parse(shown("peers", true));
    CHECK(rows.at(0).at("bytes_in") == 1500000000);
    CHECK(nlohmann::json::parse(shown("drops", true)).size() == static_cast<std::size_t>(Drop::count) - 1);
}

TEST_CASE("nothing to show is said in words") {
    CHECK(report(R"({"ok": true, "result": []})", {"show", "peers"}).value().text == "no peers\n");
    CHECK(report(R"({"ok": true, "result": []})", {"show", "drops"}).value().text == "no packet was dropped\n");
}

TEST_CASE("a refusal and an answer that makes no sense are errors") {
    CHECK(report(R"({"ok": false, "error": "no"})", {"show", "peers"}).error() == "no");
    for (const char* answer : {"", "{}", "[]", "hello", R"({"ok": true})", R"({"ok": true, "result": [{"identity": 5}]})"}) {
        CAPTURE(answer);
        CHECK(report(answer, {"show", "peers"}).error().starts_with("naved gave an answer that makes no sense here"));
    }
}

TEST_CASE("clear says how many peers it closed, and fails when none matched") {
    const auto cleared = [](const char* answer, const char* peer) { return report(answer, {"clear", peer}).value(); };
    CHECK(cleared(R"({"ok": true, "result": {"closed": 2}})", "all").text == "closed 2 peers\n");
    CHECK(cleared(R"({"ok": true, "result": {"closed": 1}})", "hub.example").text == "closed 1 peer\n");
    CHECK(cleared(R"({"ok": true, "result": {"closed": 0}})", "all").exit_code == 0);
    CHECK(cleared(R"({"ok": true, "result": {"closed": 0}})", "nobody").exit_code == 1);
    CHECK(cleared(R"({"ok": true, "result": {"closed": 0}})", "nobody").text.find("no peer matches \"nobody\"") != std::string::npos);
}

TEST_CASE("what is typed becomes a request") {
    CHECK(parse_command_line({"show", "peers"})->request() == R"({"command":"show","what":"peers"})");
    CHECK(parse_command_line({"clear", "peer", "10.255.0.12"})->request() == R"({"command":"clear","peer":"10.255.0.12"})");
    CHECK(parse_command_line({"shutdown"})->request() == R"({"command":"shutdown"})");
    CHECK(parse_command_line({"show", "drops", "--json", "--all"})->json);
    CHECK(parse_command_line({"--all", "show", "drops"})->all);
    CHECK(parse_command_line({"--help"})->help);
}

TEST_CASE("the socket follows from the name") {
    CHECK(parse_command_line({"show", "peers"})->socket == "/run/nave/naved.sock");
    CHECK(parse_command_line({"--name", "spoke1", "show", "peers"})->socket == "/run/nave/spoke1.sock");
    CHECK(parse_command_line({"show", "peers", "--socket=/tmp/x.sock"})->socket == "/tmp/x.sock");
    CHECK(usage_error({"--name", "a", "--socket", "b", "show", "peers"}).find("give one of them") != std::string::npos);
}

TEST_CASE("what is mistyped is answered with the nearest that is known") {
    CHECK(usage_error({}) == "a command is missing; known: show, clear, shutdown");
    CHECK(usage_error({"shw", "peers"}) == "unknown command \"shw\"; did you mean \"show\"?");
    CHECK(usage_error({"show", "route"}) == "cannot show \"route\"; did you mean \"routes\"?");
    CHECK(usage_error({"show"}) == "show what? known: peers, nhrp, ike, sas, routes, ports, drops, stages, counters, config");
    CHECK(usage_error({"clear", "hub.example"}).starts_with("accepted: clear peer all"));
    CHECK(usage_error({"show", "peers", "now"}) == "\"now\" is one word too many");
    CHECK(usage_error({"shutdown", "now"}) == "\"now\" is one word too many");
    CHECK(usage_error({"--jsn", "show", "peers"}).find("--jsn") != std::string::npos);
}

TEST_CASE("numbers and times are short") {
    CHECK(short_count(99'999) == "99999");
    CHECK(short_count(100'000) == "100k");
    CHECK(short_count(999'999) == "1.00M");
    CHECK(short_count(18'446'744'073'709'551'615ull) == "18.4E");
    CHECK(short_bytes(1'000) == "1.00kB");
    CHECK(short_time(59) == "59s");
    CHECK(short_time(3'599) == "59m59s");
    CHECK(short_time(86'399) == "23h59m");
    CHECK(short_time(100'000) == "1d03h");
}

TEST_CASE("a long sentence in the last column goes on below itself") {
    Table table{{{"N", Align::right}, {"TEXT"}}};
    std::string sentence = "word";
    for (int i = 0; i < 40; ++i) sentence += " word";
    table.add({"1", sentence});
    const std::string text = table.to_string();
    CHECK(widest_line(text) <= Table::kWidth);
    CHECK(text.find("\n   word") != std::string::npos);
}

TEST_CASE("columns align by characters, not bytes") {
    Table table{{{"A"}, {"B"}}};
    table.add({"é", "x"});
    table.add({"ab", "y"});
    CHECK(table.to_string() == "A   B\né   x\nab  y\n");
}

TEST_CASE("a gateway that is not there is explained, with those that are") {
    std::filesystem::remove_all(kFolder);
    const auto missing = ask(kFolder + "/spoke9.sock", "{}");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().find("No such file or directory. Is naved running? There is no socket in " + kFolder) != std::string::npos);
    const auto hub = management::Server::listen(kFolder + "/hub.sock", [](std::string_view) { return std::string{}; });
    const auto spoke = management::Server::listen(kFolder + "/spoke1.sock", [](std::string_view) { return std::string{}; });
    CHECK(ask(kFolder + "/spoke9.sock", "{}").error().find("of: hub, spoke1 (--name hub)") != std::string::npos);
    std::filesystem::remove_all(kFolder);
}

TEST_CASE("a path that is no socket, or too long, is explained") {
    std::filesystem::create_directories(kFolder);
    std::ofstream{kFolder + "/file"} << "x";
    CHECK(ask(kFolder + "/file", "{}").error().find("Connection refused") != std::string::npos);
    CHECK(ask("/" + std::string(200, 'a'), "{}").error().find("is no path of a socket") != std::string::npos);
    std::filesystem::remove_all(kFolder);
}

TEST_CASE("a gateway that does not answer is not waited for forever") {
    const auto server = management::Server::listen(kFolder + "/silent.sock", [](std::string_view) { return std::string{}; });
    REQUIRE(server);
    CHECK(ask(kFolder + "/silent.sock", "{}", std::chrono::milliseconds{50}).error().starts_with("naved does not answer"));
    std::filesystem::remove_all(kFolder);
}

TEST_CASE("a request goes through a real socket and comes back as a table") {
    management::SampleGateway gateway;
    const auto server = management::Server::listen(kFolder + "/naved.sock", [&](std::string_view line) { return management::answer(line, gateway); });
    REQUIRE(server);
    std::atomic<bool> done{false};
    std::thread loop{[&] {
        for (pollfd watched{(*server)->descriptor(), POLLIN, 0}; !done;) {
            if (poll(&watched, 1, 5) > 0) (*server)->on_readable();
        }
    }};
    const auto invocation = parse_command_line({"--socket", kFolder + "/naved.sock", "show", "peers"});
    const auto answer = ask(invocation->socket, invocation->request());
    done = true;
    loop.join();
    REQUIRE(answer);
    CHECK(report(*answer, {invocation->command, invocation->what}).value().text == shown("peers"));
    std::filesystem::remove_all(kFolder);
}
