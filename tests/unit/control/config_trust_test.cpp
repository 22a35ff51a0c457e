// Keys, hubs, access rules and limits: what would be insecure or cannot work is refused, and no message holds a key.
#include "controlplane/ike/key_exchange.hpp"
#include "tests/unit/control/config_sample.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <stdexcept>
#include <sys/stat.h>

using namespace nave::config;

namespace {

void check_problem(const std::string& text, const std::string& beginning) {
    const std::string problems = problems_of(text);
    CAPTURE(problems);
    CHECK(problems.starts_with(beginning));
    CHECK(problems.find('\n') == std::string::npos);
}

const std::string kKeyFromFile = R"(psk = [{ identity = "*.example", key_file = "spokes.key" }])";

}  // namespace

TEST_CASE("a pre-shared key that a dictionary would find is refused, without showing it") {
    check_problem(spoke({{13, R"(psk = [{ identity = "*.example", key = "hunter2" }])"}}),
                  "spoke.toml:13:40: tunnel.nave0.psk[0].key: found a key of 7 characters; accepted: a text of 16 to 4096 characters");
    CHECK(problems_of(spoke({{13, R"(psk = [{ identity = "*.example", key = "hunter2" }])"}})).find("hunter2") == std::string::npos);
}

TEST_CASE("a key that went astray is never quoted") {
    for (const char* line : {R"(psk = "secret-secret-secret")", R"(psk = ["secret-secret-secret"])", R"(psk = [{ identity = "*", key = ["secret-secret-secret"] }])",
                             R"(psk = [{ identity = "*", kye = "secret-secret-secret" }])", R"(psk = [{ identity = "*", key = { a = "secret-secret-secret" } }])"}) {
        const std::string problems = problems_of(spoke({{13, line}}));
        CAPTURE(line, problems);
        CHECK_FALSE(problems.empty());
        CHECK(problems.find("secret-secret") == std::string::npos);
    }
}

TEST_CASE("a psk has either a key or a key file") {
    check_problem(spoke({{13, R"(psk = [{ identity = "*.example" }])"}}),
                  "spoke.toml:13:8: tunnel.nave0.psk[0]: found neither key nor key_file; accepted: exactly one of them");
    CHECK(problems_of(spoke({{13, R"(psk = [{ identity = "*.example", key = "0123456789abcdef", key_file = "/nonexistent" }])"}}))
              .find("found both key and key_file") != std::string::npos);
    check_problem(spoke({{13, "psk = []"}}), "spoke.toml:13:7: tunnel.nave0.psk: there is no key, so nobody could be authenticated");
}

TEST_CASE("a post-quantum key has an id of its own and 256 bits of room, and is shown to nobody") {
    const std::string good = R"({ id = "a", key = "0123456789abcdef0123456789abcdef" })";
    check_problem(spoke({{16, "ppk = [" + good + ", " + good + "]"}}), "spoke.toml:16:71: tunnel.nave0.ppk[1].id: there is a PPK \"a\" already");
    check_problem(spoke({{16, R"(ppk = [{ id = "a", key = "0123456789abcdef" }])"}}),
                  "spoke.toml:16:26: tunnel.nave0.ppk[0].key: found a key of 16 characters; accepted: a text of 32 to 4096 characters");
    check_problem(spoke({{16, R"(ppk = [{ id = "a" }])"}}), "spoke.toml:16:8: tunnel.nave0.ppk[0]: found neither key nor key_file; accepted: exactly one of them");
    check_problem(spoke({{16, R"(ppk = [{ id = "a b", key = "0123456789abcdef0123456789abcdef" }])"}}),
                  "spoke.toml:16:15: tunnel.nave0.ppk[0].id: found \"a b\"; accepted: a name");
    const Loaded read = loaded(spoke({{13, R"(psk = [{ identity = "*.example", key_file = "spokes.key" }])"},
                                      {16, R"(ppk = [{ id = "site-7", identity = "hub.example", key = "0123456789abcdef0123456789abcdef", required = true }])"}}),
                               [](const std::string&) { return nave::Secret{nave::as_bytes("0123456789abcdef")}; });
    const auto& ppk = read.config.overlay.ike.profiles.at(0).ppks.at(0);
    CHECK(ppk.id == "site-7");
    CHECK(ppk.required);
    CHECK(ppk.remote.text() == "hub.example");
    CHECK(ppk.key == nave::Secret{nave::as_bytes("0123456789abcdef0123456789abcdef")});
    CHECK(read.holds_keys);
    CHECK(value_of(read.config, "tunnel.nave0.ppk") == R"x([{ id = "site-7", identity = "hub.example", key = "(secret)", required = true }])x");
}

TEST_CASE("an identity has one key") {
    check_problem(spoke({{13, R"(psk = [{ identity = "*", key = "0123456789abcdef" }, { identity = "*", key = "fedcba9876543210" }])"}}),
                  "spoke.toml:13:67: tunnel.nave0.psk[1].identity: \"*\" has a key already");
}

TEST_CASE("a hub's identity is required and is not just anybody") {
    check_problem(spoke({{14, R"(hub = [{ address = "192.0.2.1" }])"}}),
                  "spoke.toml:14:8: tunnel.nave0.hub[0]: \"identity\" is missing; accepted: whom to expect there");
    check_problem(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "*" }])"}}),
                  "spoke.toml:14:44: tunnel.nave0.hub[0].identity: found \"*\"; accepted: whom to expect there");
}

TEST_CASE("a hub for whom there is no key is told before it fails to authenticate") {
    check_problem(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "hub.elsewhere" }])"}}),
                  "spoke.toml:14:44: tunnel.nave0.hub[0].identity: no psk is for \"hub.elsewhere\"; give one whose identity matches");
}

TEST_CASE("a spoke is not its own hub") {
    check_problem(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "spoke1.example" }])"}}),
                  "spoke.toml:14:44: tunnel.nave0.hub[0].identity: \"spoke1.example\" is our own identity");
    check_problem(spoke({{3, "device = \"x:y\"\naddress = \"192.0.2.1/24\""}}),
                  "spoke.toml:15:20: tunnel.nave0.hub[0].address: 192.0.2.1 is our own address, on port \"wan\"");
}

TEST_CASE("a hub is named once") {
    check_problem(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "a.example" }, { address = "192.0.2.1", identity = "b.example" }])"}}),
                  "spoke.toml:14:71: tunnel.nave0.hub[1].address: hub 192.0.2.1 is named twice");
    check_problem(spoke({{14, R"(hub = [{ address = "hub.example", identity = "a.example" }, { address = "hub.example", identity = "b.example" }])"}}),
                  "spoke.toml:14:73: tunnel.nave0.hub[1].address: hub hub.example is named twice");
    check_problem(spoke({{14, R"(hub = [{ address = "hub 1.example", identity = "a.example" }])"}}),
                  "spoke.toml:14:20: tunnel.nave0.hub[0].address: found \"hub 1.example\"; accepted: an IP address such as \"192.0.2.1\" or \"2001:db8::1\", or a domain name");
    check_problem(spoke({{14, R"(hub = [{ address = "300.0.2.1", identity = "a.example" }])"}}), "spoke.toml:14:20: tunnel.nave0.hub[0].address: found \"300.0.2.1\"");
    check_problem(spoke({{14, R"(hub = [{ address = "255.255.255.255", identity = "a.example" }])"}}),
                  "spoke.toml:14:20: tunnel.nave0.hub[0].address: found \"255.255.255.255\"");
}

TEST_CASE("a hub may send us to others only where the file says so") {
    const Loaded read = loaded(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "hub.example", redirects = ["192.0.2.0/28"] }])"}}));
    CHECK(read.config.overlay.tunnels.at(0).hubs.at(0).redirects == std::vector{*nave::Prefix::parse("192.0.2.0/28")});
    CHECK(loaded(spoke()).config.overlay.tunnels.at(0).hubs.at(0).redirects.empty());
    check_problem(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "hub.example", redirects = ["192.0.2.1/28"] }])"}}),
                  "spoke.toml:14:72: tunnel.nave0.hub[0].redirects[0]: found \"192.0.2.1/28\"; accepted: a prefix such as");
}

TEST_CASE("a hub that would send spokes to itself is refused") {
    check_problem(spoke({{3, "device = \"af_packet:eth0\"\naddress = \"192.0.2.2/24\""}, {16, "[ike]\nredirect_to = [\"192.0.2.3\", \"192.0.2.2\"]"}}),
                  "spoke.toml:18:29: ike.redirect_to[1]: 192.0.2.2 is our own address, on port \"wan\"");
}

TEST_CASE("routes without a hub to lead to are refused") {
    check_problem(spoke({{14, ""}}), "spoke.toml:15:10: tunnel.nave0.routes: routes lead to hubs, and the tunnel has none");
}

TEST_CASE("a relay has other hubs to tell of its spokes, and learns from them what lies there") {
    check_problem(spoke({{14, "relay = true"}, {15, ""}}), "spoke.toml:14:9: tunnel.nave0.relay: a relay tells other hubs of its spokes, and the tunnel has none");
    check_problem(spoke({{15, "relay = true"}, {16, "hub_connections = 1"}}), "spoke.toml:16:19: tunnel.nave0.hub_connections: a relay is connected to all its hubs");
    check_problem(spoke({{16, "relay = true"}}), "spoke.toml:15:10: tunnel.nave0.routes: a relay learns from its hubs what lies behind them");
}

TEST_CASE("an access rule that can never be reached is refused") {
    check_problem(spoke({{16, "access = [{ identity = \"*\" }, { identity = \"a.example\" }]"}}), "spoke.toml:16:31: tunnel.nave0.access[1]: never reached");
}

TEST_CASE("a rule for an NHRP group may not give rights, as a peer names its group itself") {
    check_problem(spoke({{16, "access = [{ identity = \"*.example\", nhrp_group = \"branch\", prefixes = [\"172.16.0.0/16\"] }]"}}),
                  "spoke.toml:16:71: tunnel.nave0.access[0].prefixes: a peer names its group itself");
    check_problem(spoke({{16, "access = [{ identity = \"*\", nhrp_group = \"two words\" }]"}}), "spoke.toml:16:42: tunnel.nave0.access[0].nhrp_group: found \"two words\"");
}

TEST_CASE("rules for NHRP groups alone leave everybody the rights of no rule at all") {
    const auto access = loaded(spoke({{14, ""}, {15, "access = [{ identity = \"*\", nhrp_group = \"branch\", group = 9 }]"}})).config.overlay.tunnels[0].access;
    REQUIRE(access.size() == 2);
    CHECK(access[0].tunnel_addresses.empty());
    CHECK(access[1].tunnel_addresses == std::vector{*nave::Prefix::parse("10.255.0.0/24")});
}

TEST_CASE("nobody may make everybody a hub") {
    check_problem(spoke({{16, "access = [{ identity = \"*\", hub = true }]"}}), "spoke.toml:16:35: tunnel.nave0.access[0].hub: everybody would be a hub");
}

TEST_CASE("identities, suites and the NHRP word are checked") {
    check_problem(spoke({{12, "identity = \"\""}}), "spoke.toml:12:12: tunnel.nave0.identity: found \"\"; accepted: who we are");
    check_problem(spoke({{16, "ike_proposals = [\"aes-gcm-256/prf-sha384/modp768\"]"}}),
                  "spoke.toml:16:18: tunnel.nave0.ike_proposals[0]: found \"aes-gcm-256/prf-sha384/modp768\"");
    check_problem(spoke({{16, "esp_proposals = [\"aes-gcm-256\", \"null\"]"}}),
                  "spoke.toml:16:33: tunnel.nave0.esp_proposals[1]: found \"null\"; accepted: a suite such as \"aes-gcm-256\", \"chacha20-poly1305/no-esn/x25519\" or "
                  "\"aes-cbc-256/sha256\"");
    check_problem(spoke({{16, "esp_proposals = [\"aes-cbc-256\"]"}}), "spoke.toml:16:18: tunnel.nave0.esp_proposals[0]: found \"aes-cbc-256\"; accepted: a suite such as");
    check_problem(spoke({{16, "ike_proposals = [\"aes-gcm-256/prf-sha384/p384/ke1-p384\"]"}}), "spoke.toml:16:18: tunnel.nave0.ike_proposals[0]: found");
    const std::string lattice = problems_of(spoke({{16, "ike_proposals = [\"aes-gcm-256/prf-sha384/x25519/ke1-mlkem768\"]"}}));
    CHECK(lattice.ends_with("ML-KEM needs a naved that was built with OpenSSL 3.5") == !nave::ike::is_supported(nave::ike::Group::mlkem768));
    check_problem(spoke({{16, "nhrp_authentication = \"ninechars\""}}),
                  "spoke.toml:16:23: tunnel.nave0.nhrp_authentication: found \"ninechars\"; accepted: a word of 1 to 8");
}

TEST_CASE("a suite that does not encrypt is worth a loud warning, each at its place") {
    const auto result = loaded(spoke({{16, "esp_proposals = [\"aes-gcm-256\", \"aes-gmac-128\", \"null/sha256/no-esn\"]"}}));
    REQUIRE(result.warnings.size() == 2);
    CHECK(result.warnings[0].to_string() ==
          "spoke.toml:16:33: tunnel.nave0.esp_proposals[1]: \"aes-gmac-128/esn\" DOES NOT ENCRYPT: with it everybody on the path reads all traffic");
    CHECK(result.warnings[1].to_string().starts_with("spoke.toml:16:49: tunnel.nave0.esp_proposals[2]: \"null/sha256/no-esn\" DOES NOT ENCRYPT"));
}

TEST_CASE("the gateway's name goes into a path, so it has no slash") {
    check_problem(spoke({{1, "name = \"../etc\""}}), "spoke.toml:1:8: name: found \"../etc\"; accepted: a name of up to 32 letters");
    check_problem(spoke({{16, "[control]\nsocket = \"nave.sock\""}}),
                  "spoke.toml:17:10: control.socket: found \"nave.sock\"; accepted: an absolute path of up to 107 characters");
    check_problem(spoke({{16, "[control]\nsocket = \"/" + std::string(107, 'a') + "\""}}), "spoke.toml:17:10: control.socket: found");
}

TEST_CASE("cores, SAs and half-open limits fit together") {
    check_problem(spoke({{16, "[dataplane]\nworkers = 2\ncores = [1]"}}),
                  "spoke.toml:18:9: dataplane.cores: found 1 cores for 2 workers; accepted: one core per worker, or none");
    check_problem(spoke({{16, "[dataplane]\ncores = [1, 1]\nworkers = 1"}}), "spoke.toml:17:13: dataplane.cores[1]: core 1 is named twice");
    check_problem(spoke({{16, "[dataplane]\npeers_max = 5000"}}),
                  "spoke.toml:17:13: dataplane.peers_max: 4096 SAs are too few for 5000 peers; accepted: at least two per peer");
    check_problem(spoke({{16, "[ike]\nhalf_open_max = 8"}}), "spoke.toml:16:1: ike: found 16, which is more than half_open_max, 8");
}

TEST_CASE("a tunnel's mtu that makes the underlay fragment is worth a warning") {
    const Loaded result = loaded(spoke({{16, "mtu = 1450"}}));
    REQUIRE(result.warnings.size() == 1);
    CHECK(result.warnings[0].to_string().starts_with("spoke.toml:16:7: tunnel.nave0.mtu: 1450 bytes and up to 73 of headers do not fit the underlay's mtu of 1500"));
    CHECK(loaded(spoke()).warnings.empty());
}

TEST_CASE("a key file is found beside the configuration, and its line end is not part of the key") {
    const Folder folder;
    folder.write("spokes.key", "0123456789abcdef\n", 0600);
    const auto result = load(folder.write("spoke.toml", spoke({{13, kKeyFromFile}}), 0644));
    REQUIRE(result);
    CHECK(result->config.overlay.ike.profiles[0].keys[0].key == nave::Secret{nave::as_bytes("0123456789abcdef")});
    CHECK(result->warnings.empty());
}

TEST_CASE("a key file that others may use is refused") {
    const Folder folder;
    const std::string file = folder.write("spoke.toml", spoke({{13, kKeyFromFile}}), 0600);
    for (const mode_t mode : {0644u, 0640u, 0660u, 0602u}) {
        folder.write("spokes.key", "0123456789abcdef\n", mode);
        const std::string text = check(file).text;
        CAPTURE(text);
        CHECK(text.find(":13:45: tunnel.nave0.psk[0].key_file: cannot use the key in ") != std::string::npos);
        CHECK(text.find("chmod 600 it") != std::string::npos);
    }
}

TEST_CASE("a key file that is missing, short, long or no file is refused") {
    const Folder folder;
    const std::string file = folder.write("spoke.toml", spoke({{13, kKeyFromFile}}), 0600);
    CHECK(check(file).text.find("No such file") != std::string::npos);
    folder.write("spokes.key", "short\n", 0600);
    CHECK(check(file).text.find("found a key of 5 characters") != std::string::npos);
    folder.write("spokes.key", std::string(5000, 'k'), 0600);
    CHECK(check(file).text.find("found a key of 5000 characters") != std::string::npos);
    std::filesystem::remove(folder.path / "spokes.key");
    std::filesystem::create_directory(folder.path / "spokes.key");
    CHECK(check(file).text.find("it is not a regular file") != std::string::npos);
}

TEST_CASE("a FIFO as key file does not hang the gateway") {
    const Folder folder;
    const std::string fifo = folder.path / "spokes.key";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(read_key_file(fifo).error() == "it is not a regular file");
}

TEST_CASE("a configuration that holds a key and is open to others is worth a warning") {
    const Folder folder;
    const auto report = check(folder.write("spoke.toml", spoke(), 0644));
    CHECK(report.ok());
    CHECK(report.text.find("holds a key, and others than its owner may use it (mode 0644); chmod 600 it") != std::string::npos);
    CHECK(check(folder.write("spoke.toml", spoke(), 0600)).text == (folder.path / "spoke.toml").string() + ": ok\n");
}

TEST_CASE("check prints every problem on its own line") {
    const Folder folder;
    const std::string file = folder.write("bad.toml", spoke({{16, "mtu = 1\nttl = 0"}}), 0600);
    const auto report = check(file);
    CHECK_FALSE(report.ok());
    CHECK(report.text == file + ":16:7: tunnel.nave0.mtu: found 1; accepted: a whole number from 576 to 9200\n" + file +
                             ":17:7: tunnel.nave0.ttl: found 0; accepted: a whole number from 1 to 255\n");
}

TEST_CASE("a configuration that is missing or a folder is told by name") {
    CHECK(check("/nonexistent/nave.toml").text == "/nonexistent/nave.toml: cannot read the configuration: No such file or directory\n");
    CHECK(check("/tmp").text == "/tmp: cannot read the configuration: it is not a regular file\n");
}

TEST_CASE("a hub's tunnel address in place of its underlay address is refused") {
    check_problem(spoke({{14, R"(hub = [{ address = "10.255.0.1", identity = "hub.example" }])"}}),
                  "spoke.toml:14:20: tunnel.nave0.hub[0].address: 10.255.0.1 is in the tunnel's own network, 10.255.0.0/24; accepted: the hub's underlay address");
}

TEST_CASE("cores that an adaptive gateway does not use are a warning") {
    const auto adaptive = loaded(spoke({{16, "[dataplane]\ncores = [1]"}})), polling = loaded(spoke({{16, "[dataplane]\nmode = \"poll\"\ncores = [1]"}}));
    REQUIRE(adaptive.warnings.size() == 1);
    CHECK(adaptive.warnings[0].to_string().starts_with("spoke.toml:17:9: dataplane.cores: adaptive workers sleep"));
    CHECK(polling.warnings.empty());
}

TEST_CASE("a hub's identity is not a pattern that its spokes fit as well") {
    const std::string problems = problems_of(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "*.example" }])"}}));
    CHECK(problems == "spoke.toml:14:44: tunnel.nave0.hub[0].identity: \"*.example\" holds our own identity as well, so that other spokes would pass for hubs; name the hub");
    CHECK(problems_of(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "*.hubs.example" }])"}})).empty());
}
