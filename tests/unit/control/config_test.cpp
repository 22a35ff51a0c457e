// What a configuration file becomes: every key, every default that depends on another setting.
#include "tests/unit/control/config_sample.hpp"

#include "controlplane/config/keys.hpp"
#include "controlplane/config/quantities.hpp"
#include "controlplane/config/suggestion.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>
#include <vector>

using namespace nave;
using namespace nave::config;
using namespace std::chrono_literals;

namespace {

/// A value for each key that differs from its default, and where it must arrive; keys of arrays of tables are tested apart.
struct Case {
    std::string section, key, literal;
};

const std::vector<Case> kCases{
    {"control", "socket", "\"/run/nave/other.sock\""},
    {"control", "log_level", "\"warning\""},
    {"control", "ticket_key", "\"/var/lib/nave/ticket\""},
    {"control", "key_log", "\"/root/keys\""},
    {"dataplane", "mode", "\"poll\""},
    {"dataplane", "workers", "2"},
    {"dataplane", "memory", "\"1GiB\""},
    {"dataplane", "hugepages", "\"required\""},
    {"dataplane", "sa_slots", "65536"},
    {"dataplane", "peers_max", "2000"},
    {"dataplane", "routes_max", "1000000"},
    {"dataplane", "route_blocks_max", "65536"},
    {"ike", "half_open_max", "500"},
    {"ike", "half_open_per_source_max", "8"},
    {"ike", "cookies_from_half_open", "0"},
    {"ike", "established_max", "77"},
    {"ike", "redirect_to", "[\"192.0.2.2\", \"192.0.2.3\"]"},
    {"ike", "redirect_from_established", "500"},
    {"ike", "retransmit_first", "\"250ms\""},
    {"ike", "retransmit_tries", "9"},
    {"ike", "liveness_tries", "3"},
    {"ike", "keepalive_interval", "\"15s\""},
    {"port.wan", "vlan", "100"},
    {"port.wan", "mtu", "9000"},
    {"port.wan", "table", "7"},
    {"port.wan", "twin", "\"uplink\""},
    {"port.wan", "address", "\"192.0.2.11/24\""},
    {"tunnel.nave0", "mtu", "1300"},
    {"tunnel.nave0", "mss_clamp", "false"},
    {"tunnel.nave0", "ttl", "255"},
    {"tunnel.nave0", "holding_time", "\"2h\""},
    {"tunnel.nave0", "nhrp_authentication", "\"overlay1\""},
    {"tunnel.nave0", "redirect", "false"},
    {"tunnel.nave0", "shortcut", "false"},
    {"tunnel.nave0", "nhrp_group", "\"branch\""},
    {"tunnel.nave0", "shortcut_idle", "\"45s\""},
    {"tunnel.nave0", "hub_connections", "2"},
    {"tunnel.nave0", "hub_return", "\"1m\""},
    {"tunnel.nave0", "relay", "true"},
    {"tunnel.nave0", "unique", "true"},
    {"tunnel.nave0", "table", "254"},
    {"tunnel.nave0", "twin", "\"overlay\""},
    {"tunnel.nave0", "ike_proposals", "[\"aes-gcm-128/prf-sha256/p256/ke1-p384\", \"aes-cbc-256/sha256/prf-sha256/x25519\"]"},
    {"tunnel.nave0", "esp_proposals", "[\"chacha20-poly1305/no-esn\", \"aes-gcm-256/esn/x25519/ke2-p521\", \"aes-cbc-128/sha256/esn\"]"},
    {"tunnel.nave0", "replay_window", "8192"},
    {"tunnel.nave0", "accept_tunnel_mode", "false"},
    {"tunnel.nave0", "force_encapsulation", "true"},
    {"tunnel.nave0", "ike_lifetime", "\"1d\""},
    {"tunnel.nave0", "child_lifetime", "\"30s\""},
    {"tunnel.nave0", "child_lifetime_bytes", "\"10GiB\""},
    {"tunnel.nave0", "child_lifetime_packets", "1000000"},
    {"tunnel.nave0", "liveness_interval", "\"3s\""},
    {"tunnel.nave0", "revocation", "\"relaxed\""},
};

/// The spoke with one more setting, in the section that it belongs to.
std::string with(const Case& each) {
    const std::string line = each.key + " = " + each.literal;
    if (each.section == "port.wan") return spoke({{3, "device = \"af_packet:eth0\"\n" + line + (each.key == "table" ? "\n" : "")}});
    if (each.section == "tunnel.nave0" && each.key == "table") return spoke({{3, "device = \"af_packet:eth0\"\ntable = 100"}, {16, line}});
    if (each.section == "tunnel.nave0" && each.key == "relay") return spoke({{15, line}});  // it has no routes
    if (each.section == "tunnel.nave0") return spoke({{16, line}});
    return spoke({{16, "[" + each.section + "]\n" + line}});
}

}  // namespace

TEST_CASE("a spoke needs no more than its fifteen lines") {
    const Config config = loaded(spoke()).config;
    CHECK(config.name == "spoke1");
    CHECK(config.control.socket == "/run/nave/spoke1.sock");
    REQUIRE(config.ports.size() == 2);
    REQUIRE(config.overlay.tunnels.size() == 1);
    const overlay::Tunnel& tunnel = config.overlay.tunnels[0];
    CHECK(tunnel.name == "nave0");
    CHECK(tunnel.address.value.to_string() == "10.255.0.11");
    CHECK(tunnel.address_length == 24);
    CHECK(tunnel.gre_key == 42u);
    CHECK(tunnel.routes == std::vector{*Prefix::parse("172.16.0.0/16")});
    CHECK(config.overlay.ike.profiles.at(tunnel.profile.value).local.to_string() == "spoke1.example");
}

TEST_CASE("every key is taken from the file and shown as in force") {
    for (const Case& each : kCases) {
        const std::string key = each.section + "." + each.key;
        CAPTURE(key);
        const Config config = loaded(with(each)).config;
        CHECK(value_of(config, key) == each.literal);
        CHECK(value_of(loaded(spoke()).config, key) != each.literal);
    }
}

TEST_CASE("every known key is tested to be taken from the file") {
    std::set<std::string> tested{".name",
                                 ".control",
                                 ".dataplane",
                                 ".ike",
                                 ".port",
                                 ".tunnel",
                                 "dataplane.cores",
                                 "port.NAME.device",
                                 "port.NAME.tunnel",
                                 "port.NAME.gateway",
                                 "tunnel.NAME.underlay",
                                 "tunnel.NAME.address",
                                 "tunnel.NAME.key",
                                 "tunnel.NAME.hub",
                                 "tunnel.NAME.routes",
                                 "tunnel.NAME.access",
                                 "tunnel.NAME.identity",
                                 "tunnel.NAME.psk",
                                 "tunnel.NAME.certificate",
                                 "tunnel.NAME.private_key",
                                 "tunnel.NAME.ppk",
                                 "tunnel.NAME.ca",
                                 "tunnel.NAME.crl",
                                 "tunnel.NAME.ocsp"};
    for (const Case& each : kCases)
        tested.insert((each.section == "port.wan" ? "port.NAME" : each.section == "tunnel.nave0" ? "tunnel.NAME" : each.section) + "." + each.key);
    for (const KnownKey& key : known_keys()) {
        CAPTURE(key.section, key.name);
        const bool of_a_list = std::ranges::any_of(std::vector{".psk", ".ppk", ".ca", ".hub", ".access"}, [&](const char* list) { return key.section.ends_with(list); });
        CHECK((of_a_list || tested.contains(key.section + "." + key.name)));
    }
}

TEST_CASE("a port that a tunnel names is an underlay, one that names a tunnel is inside") {
    const Config config = loaded(spoke()).config;
    CHECK(config.ports[0].role == PortRole::underlay);
    CHECK_FALSE(config.ports[0].tunnel);
    CHECK(config.ports[1].role == PortRole::inside);
    CHECK(config.ports[1].tunnel == TunnelId{0});
    CHECK(config.overlay.tunnels[0].underlay == PortId{0});
}

TEST_CASE("ports are numbered in the order of the file, not of their names") {
    const Config config = loaded(spoke()).config;
    CHECK(config.ports[0].name == "wan");
    CHECK(config.ports[1].name == "lan");
    CHECK(config.ports[1].id == PortId{1});
}

TEST_CASE("an inside port uses its tunnel's route table, the underlay the main one") {
    const Config config = loaded(spoke({{16, "table = 4711"}})).config;
    CHECK(config.twins[0].table == 4711);
    CHECK(config.ports[1].table == 4711);
    CHECK(config.ports[0].table == 254);
}

TEST_CASE("twins have the names of their ports and tunnels unless told otherwise") {
    const Config config = loaded(spoke()).config;
    CHECK(config.ports[0].twin == "wan");
    CHECK(config.twins[0].twin == "nave0");
    CHECK(config.twins[0].table == 1000);
}

TEST_CASE("a static underlay address comes with its gateway") {
    const Config config = loaded(spoke({{3, "device = \"0000:03:00.0\"\naddress = \"192.0.2.11/24\"\ngateway = \"192.0.2.254\""}})).config;
    REQUIRE(config.ports[0].addresses.size() == 1);
    CHECK(config.ports[0].addresses.at(0).address.to_string() == "192.0.2.11");
    CHECK(config.ports[0].addresses.at(0).network().to_string() == "192.0.2.0/24");
    CHECK(config.ports[0].gateways.at(0).to_string() == "192.0.2.254");
    CHECK(value_of(config, "port.wan.gateway") == "\"192.0.2.254\"");
}

TEST_CASE("cores go with workers, and the overlay knows how many there are") {
    const Config config = loaded(spoke({{16, "[dataplane]\nworkers = 2\ncores = [3, 5]"}})).config;
    CHECK(config.dataplane.cores == std::vector<std::uint16_t>{3, 5});
    CHECK(config.overlay.workers == 2);
}

TEST_CASE("an access rule limits the rate to and from its peers, or neither") {
    const auto rule = [](const std::string& keys) {
        return loaded(spoke({{16, "access = [{ identity = \"O=Example, OU=Small, CN=*\"" + keys + " }]"}})).config.overlay.tunnels[0].access.back();
    };
    CHECK(rule("").rates == overlay::RateLimits{});
    CHECK(rule(", rate_to = \"20Mbit\", rate_from = \"512kbit\"").rates == overlay::RateLimits{20'000'000, 512'000});
    CHECK(rule(", rate_to = \"100Gbit\"").rates == overlay::RateLimits{100'000'000'000, std::nullopt});
    const Config config = loaded(spoke({{16, R"(access = [{ identity = "*", rate_to = "1500kbit", rate_from = "2Gbit" }])"}})).config;
    CHECK(value_of(config, "tunnel.nave0.access").find(R"(rate_to = "1500kbit", rate_from = "2Gbit")") != std::string::npos);
    for (const std::string wrong : {"\"20\"", "20", "\"20MB\"", "\"63kbit\"", "\"101Gbit\"", "\"-1Mbit\"", "\"1.5Mbit\"", "\"99999999999999999999Gbit\""}) {
        CAPTURE(wrong);
        const std::string problems = problems_of(spoke({{16, "access = [{ identity = \"*\", rate_to = " + wrong + " }]"}}));
        CHECK(problems.find("accepted: bits per second from \"64kbit\" to \"100Gbit\", such as \"20Mbit\"") != std::string::npos);
    }
}

TEST_CASE("a hub that a spoke names may relay, by a rule before all others for exactly its identity") {
    const auto access = loaded(spoke()).config.overlay.tunnels[0].access;
    REQUIRE(access.size() == 2);
    CHECK(access[0].identity.text() == "hub.example");
    CHECK(access[0].hub);
    CHECK(access[0].prefixes == std::vector{Prefix{}});
    CHECK_FALSE(access[1].hub);
}

TEST_CASE("a spoke without access rules lets others hold the tunnel's addresses and prefixes within its routes") {
    const auto rule = loaded(spoke()).config.overlay.tunnels[0].access.back();
    CHECK(rule.identity.text() == "*");
    CHECK(rule.tunnel_addresses == std::vector{*Prefix::parse("10.255.0.0/24")});
    CHECK(rule.prefixes == std::vector{*Prefix::parse("172.16.0.0/16")});
}

TEST_CASE("a hub without access rules lets nobody bring inside prefixes") {
    const auto access = loaded(spoke({{14, ""}, {15, ""}})).config.overlay.tunnels[0].access;
    REQUIRE(access.size() == 1);
    CHECK(access[0].identity.text() == "*");
    CHECK(access[0].prefixes.empty());
    CHECK_FALSE(access[0].hub);
}

TEST_CASE("access rules are kept in order, exact and by pattern, and replace the default") {
    const std::string rules = R"([[tunnel.nave0.access]]
identity = "spoke2.example"
tunnel_addresses = ["10.255.0.12/32"]
prefixes = ["172.16.12.0/24", "172.16.13.0/24"]
group = 7
[[tunnel.nave0.access]]
identity = "*.example"
prefixes = ["172.16.0.0/16"])";
    const auto access = loaded(spoke({{14, ""}, {15, rules}})).config.overlay.tunnels[0].access;
    REQUIRE(access.size() == 2);
    CHECK(access[0].identity.text() == "spoke2.example");
    CHECK(access[0].tunnel_addresses[0].is_host());
    CHECK(access[0].prefixes.size() == 2);
    CHECK(access[0].group == GroupId{7});
    CHECK(access[1].tunnel_addresses == std::vector{*Prefix::parse("10.255.0.0/24")});
}

TEST_CASE("an access rule that says that tunnel addresses are none means it") {
    const auto access = loaded(spoke({{16, "access = [{ identity = \"*\", tunnel_addresses = [] }]"}})).config.overlay.tunnels[0].access;
    CHECK(access.back().tunnel_addresses.empty());
}

TEST_CASE("hubs have priorities and expected identities") {
    const auto hubs =
        loaded(
            spoke(
                {{14,
                  R"(hub = [{ address = "192.0.2.1", identity = "hub1.example" }, { address = "192.0.2.2", identity = "*.hubs.example", priority = 5 }])"}}))
            .config.overlay.tunnels[0]
            .hubs;
    REQUIRE(hubs.size() == 2);
    CHECK(hubs[0].priority == 1);
    CHECK(hubs[1].address == NbmaAddress{*IpAddress::parse("192.0.2.2")});
    CHECK(hubs[1].priority == 5);
    CHECK(hubs[1].identity->text() == "*.hubs.example");
}

TEST_CASE("hubs have names in place of addresses, and clusters of which some are connected to") {
    const Loaded read = loaded(spoke({{14, R"(hub = [{ address = "hub1.example", identity = "hub1.example" }, { address = "192.0.2.2", identity = "hub2.example", cluster = 3 }]
hub_connections = 1
hub_return = "2m")"}}));
    const auto& tunnel = read.config.overlay.tunnels[0];
    CHECK(tunnel.hubs.at(0).name == "hub1.example");
    CHECK(tunnel.hubs.at(0).cluster == 0);
    CHECK(tunnel.hubs.at(1).name.empty());
    CHECK(tunnel.hubs.at(1).cluster == 3);
    CHECK(tunnel.hub_connections == 1);
    CHECK(tunnel.hub_return == std::chrono::minutes{2});
    CHECK(loaded(spoke()).config.overlay.tunnels[0].hub_connections == 0);
    CHECK(value_of(read.config, "tunnel.nave0.hub").starts_with(R"([{ address = "hub1.example", identity = "hub1.example", priority = 1, cluster = 0)"));
}

TEST_CASE("pre-shared keys are chosen by identity and kept byte for byte") {
    const auto keys =
        loaded(spoke({{13,
                       R"(psk = [{ identity = "hub.example", key = "ünïcode-and-\"quotes\"-too" }, { identity = "*", key = "0123456789abcdef" }])"}}))
            .config.overlay.ike.profiles[0]
            .keys;
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].remote.text() == "hub.example");
    CHECK(keys[0].key == Secret{as_bytes("ünïcode-and-\"quotes\"-too")});
}

TEST_CASE("an SA is renewed after nine tenths of its bytes and packets") {
    const auto limits = loaded(spoke({{16, "child_lifetime_bytes = \"1GB\"\nchild_lifetime_packets = 5000"}})).config.overlay.ike.profiles[0].child_limits;
    CHECK(limits.hard_bytes == 1'000'000'000);
    CHECK(limits.soft_bytes == 900'000'000);
    CHECK(limits.hard_packets == 5000);
    CHECK(limits.soft_packets == 4500);
}

TEST_CASE("several tunnels have their own profile, table and twin") {
    const std::string second = R"([tunnel.nave1]
underlay = "wan"
address = "10.254.0.11/24"
key = 43
identity = "other@example"
psk = [{ identity = "*", key = "fedcba9876543210" }])";
    const Config config = loaded(spoke({{16, second}})).config;
    REQUIRE(config.overlay.tunnels.size() == 2);
    const overlay::Tunnel& tunnel = config.overlay.tunnels[1];
    CHECK(tunnel.table == TableId{1});
    CHECK(config.overlay.ike.profiles[tunnel.profile.value].name == "nave1");
    CHECK(config.overlay.ike.profiles[tunnel.profile.value].local.type == ike::Identity::Type::rfc822_address);
    CHECK(config.twins[1].table == 1001);
    CHECK(config.twins[1].twin == "nave1");
    CHECK(config.dataplane.memory_mib == Dataplane{}.memory_mib + 96);
}

TEST_CASE("what is shown as in force can be read again and means the same") {
    const Config config = loaded(spoke({{16, "[ike]\nretransmit_first = \"750ms\""}})).config;
    std::string text;
    for (const Setting& setting : effective(config)) {
        std::string value = setting.value;
        if (const auto secret = value.find("(secret)"); secret != std::string::npos) value.replace(secret, 8, "0123456789abcdef");
        if (setting.key == "port.lan.table" || setting.key.ends_with(".access")) continue;  // both follow from the rest
        text += setting.key + " = " + value + "\n";
    }
    const Config again = loaded(text).config;
    for (const Setting& setting : effective(config)) CHECK(value_of(again, setting.key) == setting.value);
}

TEST_CASE("no secret is ever shown") {
    for (const Setting& setting : effective(loaded(spoke()).config)) CHECK(setting.value.find("0123456789abcdef") == std::string::npos);
}

TEST_CASE("times are written in the largest unit that is exact") {
    CHECK(parse_duration("10m") == std::optional<Duration>{600s});
    CHECK(parse_duration("1d") == std::optional<Duration>{24h});
    CHECK(to_text(90s) == "90s");
    CHECK(to_text(600s) == "10m");
    CHECK(to_text(1500ms) == "1500ms");
    for (const char* wrong : {"", "10", "10 m", "m", "-1s", "1.5h", "10minutes", "99999999999999999999s", "9223372036854775807d"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_duration(wrong));
    }
}

TEST_CASE("sizes know powers of 1000 and of 1024") {
    CHECK(parse_size("1GiB") == std::optional<std::uint64_t>{1ull << 30});
    CHECK(parse_size("4GB") == std::optional<std::uint64_t>{4'000'000'000});
    CHECK(size_to_text(3ull << 20) == "3MiB");
    CHECK(size_to_text(1000) == "1000B");
    for (const char* wrong : {"", "1", "1 GiB", "1gib", "GiB", "99999999999TiB"}) CHECK_FALSE(parse_size(wrong));
}

TEST_CASE("a bare number is seconds for a time and bytes for a size") {
    const Config config = loaded(spoke({{16, "holding_time = 900\n[dataplane]\nmemory = 268435456"}})).config;
    CHECK(config.overlay.tunnels[0].holding_time == 15min);
    CHECK(config.dataplane.memory_mib == 256);
}

TEST_CASE("the nearest word is the one that needs the fewest steps, if they are few") {
    CHECK(edit_distance("holding_time", "holding_time") == 0);
    CHECK(edit_distance("mut", "mtu") == 1);  // two neighbours swapped
    CHECK(edit_distance("", "abc") == 3);
    CHECK(nearest("holdtime", {"holding_time", "ttl", "key"}) == "holding_time");
    CHECK(nearest("colour", {"mtu", "ttl"}).empty());
}
