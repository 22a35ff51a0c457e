// What a wrong configuration is answered with: the exact place, what was found, what is accepted.
#include "tests/unit/control/config_sample.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace nave::config;

namespace {

/// True if the text's only problem begins so, at that place.
void check_problem(const std::string& text, const std::string& beginning) {
    const std::string problems = problems_of(text);
    CAPTURE(problems);
    CHECK(problems.starts_with(beginning));
    CHECK(problems.find('\n') == std::string::npos);
}

std::string tunnel(const std::string& line) { return spoke({{16, line}}); }

}  // namespace

TEST_CASE("an unknown key is refused with its place and the nearest known key") {
    CHECK(problems_of(tunnel("  holdtime = \"10m\"")) == "spoke.toml:16:3: tunnel.nave0.holdtime: unknown key; did you mean \"holding_time\"?");
    CHECK(problems_of(tunnel("mut = 1400")) == "spoke.toml:16:1: tunnel.nave0.mut: unknown key; did you mean \"mtu\"?");
    CHECK(problems_of(tunnel("[datplane]\nworkers = 1")) == "spoke.toml:16:2: datplane: unknown key; did you mean \"dataplane\"?");
}

TEST_CASE("a key that resembles none is refused with all that are known") {
    CHECK(problems_of(tunnel("[control]\ncolour = 1")) == "spoke.toml:17:1: control.colour: unknown key; known: socket, log_level, ticket_key, key_log");
}

TEST_CASE("an unknown key inside a hub or key is found where it stands") {
    CHECK(problems_of(spoke({{14, R"(hub = [{ address = "192.0.2.1", identity = "hub.example", prio = 2 }])"}})) ==
          "spoke.toml:14:59: tunnel.nave0.hub[0].prio: unknown key; did you mean \"priority\"?");
}

TEST_CASE("text that is not TOML is refused where it stops making sense") {
    check_problem(spoke({{9, "underlay = wan"}}), "spoke.toml:9:");
    CHECK(problems_of(spoke({{9, "underlay = wan"}})).find("not TOML") != std::string::npos);
    check_problem("[port", "spoke.toml:1:");
    check_problem("a = \"\xff\xfe\"", "spoke.toml:1:");
    check_problem(spoke({{9, "underlay = \"wan\"\nunderlay = \"lan\""}}), "spoke.toml:10:12: not TOML");
}

TEST_CASE("all problems are told at once, in the order of the file") {
    const std::string problems = problems_of(spoke({{3, "device = 5"}, {10, "address = \"10.255.0.11\""}, {16, "mtu = 70000\nttl = 0"}}));
    CHECK(
        problems ==
        "spoke.toml:3:10: port.wan.device: found 5; accepted: a device such as \"0000:03:00.0\", \"af_packet:eth0\", \"af_xdp:eth0\", \"tap:nave\", "
        "\"virtio_user:...\", \"vhost:...\", \"memif:...\", \"ring:...\" or \"pcap:...\"\n"
        "spoke.toml:10:11: tunnel.nave0.address: found \"10.255.0.11\"; accepted: a host address with the length of its network, such as "
        "\"10.255.0.1/24\" or \"fd00:255::1/64\"; the length is missing\n"
        "spoke.toml:16:7: tunnel.nave0.mtu: found 70000; accepted: a whole number from 576 to 9200\n"
        "spoke.toml:17:7: tunnel.nave0.ttl: found 0; accepted: a whole number from 1 to 255");
}

TEST_CASE("a missing key is told at its table") {
    check_problem(spoke({{9, ""}}), "spoke.toml:8:1: tunnel.nave0: \"underlay\" is missing; accepted: the name of a port");
    check_problem(spoke({{12, ""}}), "spoke.toml:8:1: tunnel.nave0: \"identity\" is missing; accepted: who we are");
    check_problem(spoke({{13, ""}}), "spoke.toml:8:1: tunnel.nave0: \"psk\" is missing");
    check_problem(spoke({{3, ""}}), "spoke.toml:2:1: port.wan: \"device\" is missing");
    CHECK(problems_of("name = \"x\"") == "spoke.toml:1:1: \"port\" is missing; accepted: tables with a name, [port.NAME]\n"
                                         "spoke.toml:1:1: \"tunnel\" is missing; accepted: tables with a name, [tunnel.NAME]");
}

TEST_CASE("a value of another type is refused with what was found") {
    check_problem(tunnel("mss_clamp = \"yes\""), "spoke.toml:16:13: tunnel.nave0.mss_clamp: found \"yes\"; accepted: true or false");
    check_problem(tunnel("mtu = \"1400\""), "spoke.toml:16:7: tunnel.nave0.mtu: found \"1400\"; accepted: a whole number");
    check_problem(tunnel("mtu = 1400.5"), "spoke.toml:16:7: tunnel.nave0.mtu: found 1400.5;");
    check_problem(tunnel("ttl = -1"), "spoke.toml:16:7: tunnel.nave0.ttl: found -1;");
    check_problem(tunnel("ttl = 2026-01-01"), "spoke.toml:16:7: tunnel.nave0.ttl: found a date or time;");
    check_problem(tunnel("access = 5"), "spoke.toml:16:10: tunnel.nave0.access: accepted: an array of tables");
    check_problem(tunnel("esp_proposals = []"), "spoke.toml:16:17: tunnel.nave0.esp_proposals: found an empty array; accepted: an array of 1 to 64 texts");
    check_problem(tunnel("dataplane = 1\n[dataplane]"), "spoke.toml:16:1: tunnel.nave0.dataplane: unknown key");
    check_problem("dataplane = 1\n" + spoke(), "spoke.toml:1:13: dataplane: accepted: a table");
}

TEST_CASE("a word that is none of the accepted ones is refused with them") {
    check_problem(tunnel("[dataplane]\nmode = \"fast\""), "spoke.toml:17:8: dataplane.mode: found \"fast\"; accepted: one of \"adaptive\" \"poll\"");
    check_problem(tunnel("[dataplane]\nhugepages = true"), "spoke.toml:17:13: dataplane.hugepages: found true; accepted: one of \"auto\" \"required\" \"off\"");
    check_problem(tunnel("[control]\nlog_level = \"debug\""), "spoke.toml:17:13: control.log_level: found \"debug\"; accepted: one of \"info\"");
}

TEST_CASE("a time or size without unit, or out of its range, is refused with the range") {
    check_problem(tunnel("child_lifetime = \"1s\""), "spoke.toml:16:18: tunnel.nave0.child_lifetime: found \"1s\"; accepted: a time from \"10s\" to \"30d\"");
    check_problem(tunnel("holding_time = \"ten minutes\""), "spoke.toml:16:16: tunnel.nave0.holding_time: found \"ten minutes\"; accepted: a time from \"3s\"");
    check_problem(tunnel("[dataplane]\nmemory = 512"), "spoke.toml:17:10: dataplane.memory: found 512; accepted: a size from \"144MiB\" to \"1TiB\"");
    check_problem(tunnel("child_lifetime_bytes = \"1kB\""), "spoke.toml:16:24: tunnel.nave0.child_lifetime_bytes: found \"1kB\"; accepted: a size from \"64KiB\"");
    check_problem(tunnel("child_lifetime_packets = 10"), "spoke.toml:16:26: tunnel.nave0.child_lifetime_packets: found 10; accepted: a whole number from 1000");
}

TEST_CASE("the replay window is a power of two from 64 to 8192") {
    for (const char* wrong : {"1000", "32", "16384", "-64", "\"1024\""}) {
        check_problem(tunnel(std::string{"replay_window = "} + wrong),
                      std::string{"spoke.toml:16:17: tunnel.nave0.replay_window: found "} + wrong + "; accepted: a power of two from 64 to 8192");
    }
}

TEST_CASE("a prefix with host bits is refused with the one that was meant") {
    check_problem(spoke({{15, "routes = [\"172.16.0.0/16\", \"172.17.5.1/16\"]"}}),
                  "spoke.toml:15:28: tunnel.nave0.routes[1]: found \"172.17.5.1/16\"; accepted: a prefix such as \"172.16.0.0/12\" or \"fd00:16::/32\"; host bits "
                  "are set, did you mean \"172.17.0.0/16\"?");
    CHECK(problems_of(spoke({{15, "routes = [\"fd00:0:0:1::1/64\"]"}})).ends_with("host bits are set, did you mean \"fd00:0:0:1::/64\"?"));
    CHECK(problems_of(spoke({{15, "routes = [\"::ffff:10.0.0.0/104\"]"}})).ends_with("an IPv4 prefix is written without \"::ffff:\""));
    check_problem(spoke({{15, "routes = [5]"}}), "spoke.toml:15:11: tunnel.nave0.routes[0]: found 5;");
}

TEST_CASE("an interface address is a host's, with its length") {
    const auto told = [](const std::string& address) { return problems_of(spoke({{6, "address = \"" + address + "\""}})); };
    CHECK(told("172.16.11.0/24").ends_with("this is the network itself"));
    CHECK(told("172.16.11.255/24").ends_with("this is the network's broadcast address"));
    CHECK(told("172.16.11.1").ends_with("the length is missing"));
    CHECK(told("127.0.0.1/8").ends_with("a loopback address is reachable by nobody else"));
    CHECK(told("224.0.0.1/4").ends_with("a multicast, reserved or broadcast address is no host"));
    CHECK(told("fd00:11::/64").ends_with("this is the network itself"));  // the routers' anycast address, RFC 4291 §2.6.1
    CHECK(told("fe80::1/64").ends_with("a link-local address means another host on each link"));
    CHECK(told("ff02::1/64").ends_with("a multicast, reserved or broadcast address is no host"));
    CHECK(told("::1/128").ends_with("a loopback address is reachable by nobody else"));
    CHECK(told("::ffff:10.0.0.1/120").ends_with("an IPv4 address is written without \"::ffff:\""));
    CHECK(told("fd00:11::1/129").starts_with("spoke.toml:6:11: port.lan.address: found \"fd00:11::1/129\""));
    CHECK(told("172.16.11.1/33").starts_with("spoke.toml:6:11: port.lan.address: found \"172.16.11.1/33\""));
    CHECK(told("172.16.11.0/31").empty());  // RFC 3021: both addresses are hosts
    CHECK(told("172.16.11.1/32").empty());
}

TEST_CASE("a tunnel's underlay must be a port, and the nearest name is suggested") {
    check_problem(spoke({{9, "underlay = \"wna\""}}), "spoke.toml:9:12: tunnel.nave0.underlay: there is no port \"wna\"; did you mean \"wan\"?");
}

TEST_CASE("an inside port's tunnel must exist, and the nearest name is suggested") {
    check_problem(spoke({{7, "tunnel = \"nave1\""}}), "spoke.toml:7:10: port.lan.tunnel: there is no tunnel \"nave1\"; did you mean \"nave0\"?");
}

TEST_CASE("a port has exactly one use") {
    check_problem(spoke({{7, ""}}), "spoke.toml:4:1: port.lan: the port has no use; name it as a tunnel's underlay");
    check_problem(spoke({{9, "underlay = \"lan\""}, {2, ""}, {3, ""}}), "spoke.toml:7:10: port.lan.tunnel: port \"lan\" is a tunnel's underlay");
}

TEST_CASE("a gateway needs a static address in whose network it lies") {
    check_problem(spoke({{3, "device = \"x:y\"\ngateway = \"192.0.2.254\""}}), "spoke.toml:4:11: port.wan.gateway: a static gateway needs a static address");
    check_problem(spoke({{3, "device = \"x:y\"\naddress = \"192.0.2.11/24\"\ngateway = \"198.51.100.1\""}}),
                  "spoke.toml:5:11: port.wan.gateway: found \"198.51.100.1\", which is not in the port's network 192.0.2.0/24");
    check_problem(spoke({{3, "device = \"x:y\"\naddress = \"192.0.2.11/24\"\ngateway = \"192.0.2.11\""}}),
                  "spoke.toml:5:11: port.wan.gateway: found \"192.0.2.11\", which is the port's own address");
    check_problem(spoke({{7, "tunnel = \"nave0\"\ngateway = \"172.16.11.2\""}}), "spoke.toml:8:11: port.lan.gateway: only an underlay port has a gateway");
}

TEST_CASE("no address, network, device or twin is used twice") {
    check_problem(spoke({{3, "device = \"af_packet:eth0\"\naddress = \"10.255.0.11/24\""}}),
                  "spoke.toml:11:11: tunnel.nave0.address: address 10.255.0.11 is that of port \"wan\" already");
    check_problem(spoke({{6, "address = \"10.255.0.12/16\""}}),
                  "spoke.toml:6:11: port.lan.address: network 10.255.0.0/16 overlaps 10.255.0.0/24 (tunnel \"nave0\")");
    check_problem(spoke({{5, "device = \"af_packet:eth0\""}}), "spoke.toml:5:10: port.lan.device: device \"af_packet:eth0\" is that of port \"wan\" already");
    check_problem(tunnel("twin = \"lan\""), "spoke.toml:16:8: tunnel.nave0.twin: the twin's name \"lan\" is that of port \"lan\" already");
}

TEST_CASE("a twin cannot have the name of an interface that a port holds, or one that the kernel refuses") {
    check_problem(tunnel("twin = \"eth0\""), "spoke.toml:16:8: tunnel.nave0.twin: the twin's name \"eth0\" is that of the interface behind port \"wan\"");
    check_problem(tunnel("twin = \"averylonginterface\""),
                  "spoke.toml:16:8: tunnel.nave0.twin: found \"averylonginterface\"; accepted: a kernel interface name of up to 15");
    check_problem(tunnel("twin = \"a b\""), "spoke.toml:16:8: tunnel.nave0.twin: found \"a b\"; accepted: a kernel interface name");
    const std::string problems = problems_of(spoke({{4, "[port.lan-of-the-branch-office]"}}));
    CHECK(problems.find("the twin's name \"lan-of-the-branch-office\" is no kernel interface name; accepted: twin = ") != std::string::npos);
}

TEST_CASE("a tunnel's table is never the underlay's, nor by chance another tunnel's") {
    check_problem(
        tunnel("table = 254"),
        "spoke.toml:16:9: tunnel.nave0.table: table 254 is that of underlay port \"wan\"; a route into the overlay must never capture the underlay");
    check_problem(tunnel("table = 255"), "spoke.toml:16:9: tunnel.nave0.table: found 255; the kernel keeps tables 253 and 255 for itself");
    check_problem(spoke({{7, "tunnel = \"nave0\"\ntable = 5"}}), "spoke.toml:8:9: port.lan.table: an inside port uses its tunnel's table");
    const std::string second =
        "[tunnel.two]\nunderlay = \"wan\"\naddress = \"10.1.0.1/24\"\ntable = 1000\nidentity = \"two.example\"\npsk = [{ identity = \"*\", key = "
        "\"0123456789abcdef\" }]";
    check_problem(tunnel(second), "spoke.toml:19:9: tunnel.two.table: tunnel \"nave0\" has table 1000 by default; to share one inside give it \"table = 1000\" too");
}

TEST_CASE("two tunnels on one underlay have different GRE keys") {
    const std::string second =
        "[tunnel.two]\nunderlay = \"wan\"\naddress = \"10.1.0.1/24\"\nkey = 42\nidentity = \"two.example\"\npsk = [{ identity = \"*\", key = "
        "\"0123456789abcdef\" }]";
    CHECK(problems_of(tunnel(second))
              .find("spoke.toml:19:7: tunnel.two.key: tunnel \"nave0\" has GRE key 42 on the same underlay; give each another key") !=
          std::string::npos);
}

TEST_CASE("a device that the packet path does not understand is complained about at its place") {
    const auto result = parse(spoke(), "spoke.toml", read_key_file, [](const std::string& device) { return device == "af_packet:eth1" ? "no such kind" : ""; });
    REQUIRE_FALSE(result);
    REQUIRE(result.error().size() == 1);
    CHECK(result.error()[0].to_string() == "spoke.toml:5:10: port.lan.device: no such kind");
}

namespace {
/// A second tunnel on port wan, after a first one that is a hub or a spoke.
std::string two_tunnels(bool hubs, const std::string& identity, const std::string& peers, const std::string& more = {}) {
    const std::string second = "[tunnel.two]\nunderlay = \"wan\"\naddress = \"10.1.0.1/24\"\nkey = 43\nidentity = \"" + identity +
                               "\"\npsk = [{ identity = \"" + peers + "\", key = \"0123456789abcdef\" }]\n" + more;
    const std::string hub = "hub = [{ address = \"192.0.2.9\", identity = \"hub.example\" }]\n";
    return hubs ? spoke({{14, ""}, {15, ""}, {16, second}}) : spoke({{16, second + hub}});
}
}  // namespace

TEST_CASE("two tunnels on one underlay that a peer's IKE could not tell apart are refused") {
    const std::string complaint = "spoke.toml:21:21: tunnel.two.psk[0].identity: tunnel \"nave0\" on the same underlay has a key for \"*.example\" too, so it is open "
                                  "which tunnel such a peer comes for; ";
    check_problem(two_tunnels(true, "spoke1.example", "*.example"), complaint + "give the tunnels different identities");
    check_problem(two_tunnels(false, "other.example", "*.example"), complaint + "set shortcut = false in spokes' tunnels");
}

TEST_CASE("hubs' tunnels are told apart by their identities, others by the peers that have a key, or when nobody starts with them") {
    CHECK(problems_of(two_tunnels(true, "other.example", "*.example")).empty());
    CHECK(problems_of(two_tunnels(true, "spoke1.example", "*.other.example")).empty());
    CHECK(problems_of(two_tunnels(false, "spoke1.example", "*")).empty());
    CHECK(problems_of(two_tunnels(false, "spoke1.example", "*.example", "shortcut = false\n")).empty());
}

TEST_CASE("a key of thousands of parts is an unknown key, not a crash") {
    std::string deep;
    for (int i = 0; i < 8000; ++i) deep += "a.";
    const std::string problems = problems_of(deep + "b = 1");
    CHECK(problems.find("spoke.toml:1:1: a: unknown key") != std::string::npos);
}
