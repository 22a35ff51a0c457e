// Tunnels with one table share an inside: dual-cloud designs, and both IP versions behind one port.
#include "tests/unit/control/config_sample.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::config;

namespace {

/// The sample with a second tunnel, and one table for both; `more` are lines of the second.
std::string dual(const std::string& address = "10.255.1.11/24", const std::string& more = "routes = [\"172.16.0.0/16\"]\n", std::map<std::size_t, std::string> replaced = {}) {
    const std::string second = "table = 100\n[tunnel.nave1]\nunderlay = \"wan\"\naddress = \"" + address + "\"\nkey = 43\ntable = 100\nidentity = \"spoke1.two.example\"\n" +
                               "psk = [{ identity = \"*.two.example\", key = \"fedcba9876543210\" }]\nhub = [{ address = \"192.0.3.1\", identity = \"hub.two.example\" }]\n" + more;
    replaced.try_emplace(16, second);
    return spoke(replaced);
}

void check_problem(const std::string& text, const std::string& expected) {
    CAPTURE(problems_of(text));
    CHECK(problems_of(text).starts_with(expected));
}

}  // namespace

TEST_CASE("tunnels that are given one table share an inside and its memory") {
    const Config config = loaded(dual()).config;
    CHECK(config.overlay.tunnels.at(0).table == config.overlay.tunnels.at(1).table);
    CHECK(config.ports.at(1).table == 100);
    CHECK(config.twins.at(1).table == 100);
    CHECK(config.dataplane.memory_mib == Dataplane{}.memory_mib);
}

TEST_CASE("tunnels with tables of their own beside shared ones have an inside of their own") {
    const std::string third = "[tunnel.nave2]\nunderlay = \"wan\"\naddress = \"10.255.0.12/24\"\nkey = 44\nidentity = \"x.three.example\"\n"
                              "psk = [{ identity = \"*.three.example\", key = \"fedcba9876543210\" }]\n";
    const Config config = loaded(dual("10.255.1.11/24", third)).config;
    CHECK(config.overlay.tunnels.at(0).table == TableId{0});
    CHECK(config.overlay.tunnels.at(1).table == TableId{0});
    CHECK(config.overlay.tunnels.at(2).table == TableId{1});
    CHECK(config.dataplane.memory_mib == Dataplane{}.memory_mib + 96);
}

TEST_CASE("tunnel networks of one table do not overlap, nor do an inside port's with any of them") {
    check_problem(dual("10.255.0.12/16"),
                  "spoke.toml:19:11: tunnel.nave1.address: network 10.255.0.0/16 overlaps 10.255.0.0/24, that of tunnel \"nave0\", and both have table 100");
    check_problem(dual("10.255.1.11/24", "", {{6, "address = \"10.255.1.1/25\""}}),
                  "spoke.toml:6:11: port.lan.address: network 10.255.1.0/25 overlaps 10.255.1.0/24 (tunnel \"nave1\")");
}

TEST_CASE("a route to hubs is no tunnel network of the same table") {
    check_problem(dual("10.255.1.11/24", "routes = [\"10.255.0.0/24\"]\n"),
                  "spoke.toml:25:10: tunnel.nave1.routes: 10.255.0.0/24 is in the network of tunnel \"nave0\", which has the same table");
    CHECK(problems_of(dual("10.255.1.11/24", "routes = [\"10.0.0.0/8\"]\n")).empty());
}

TEST_CASE("the inside has the IP versions of its tunnels") {
    const std::string both = "address = [\"172.16.11.1/24\", \"fd00:16:11::1/64\"]";
    const Config config = loaded(dual("fd00:255::11/64", "routes = [\"fd00:16::/32\"]\n", {{6, both}})).config;
    CHECK(config.ports.at(1).addresses.size() == 2);
    const std::string told = problems_of(dual("10.255.1.11/24", "", {{6, both}}));
    CHECK(told.find("a tunnel carries one of them, so give the other a tunnel of its own, with the same table") != std::string::npos);
}

TEST_CASE("link-local addresses of tunnels are of the only IPv6 tunnel of a table") {
    CHECK(loaded(dual("fd00:255::11/64", "")).config.overlay.tunnels.at(1).link_local);
    const std::map<std::size_t, std::string> ipv6{{6, "address = \"fd00:16:11::1/64\""}, {10, "address = \"fd00:256::11/64\""}, {15, ""}};
    const Config config = loaded(dual("fd00:255::11/64", "", ipv6)).config;
    CHECK_FALSE(config.overlay.tunnels.at(0).link_local);
    CHECK_FALSE(config.overlay.tunnels.at(1).link_local);
}
