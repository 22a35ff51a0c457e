// IPv6 in the configuration: every address may be of either version, a port may have both, a tunnel carries one.
#include "tests/unit/control/config_sample.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::config;

namespace {

/// The sample with IPv6 inside.
std::string inside_v6(std::map<std::size_t, std::string> replaced = {}) {
    replaced.try_emplace(6, "address = \"fd00:16:11::1/64\"");
    replaced.try_emplace(10, "address = \"fd00:255::11/64\"");
    replaced.try_emplace(15, "routes = [\"fd00:16::/32\"]");
    return spoke(replaced);
}

}  // namespace

TEST_CASE("a tunnel's addresses and routes may be IPv6, and so are its access rules then") {
    const Config config = loaded(inside_v6()).config;
    const overlay::Tunnel& tunnel = config.overlay.tunnels.at(0);
    CHECK(tunnel.address.value.to_string() == "fd00:255::11");
    CHECK(tunnel.routes.at(0).to_string() == "fd00:16::/32");
    REQUIRE(tunnel.access.size() == 2);  // the hub's, and everybody's
    CHECK(tunnel.access[0].prefixes.at(0).to_string() == "::/0");
    CHECK(tunnel.access[1].tunnel_addresses.at(0).to_string() == "fd00:255::/64");
    CHECK(tunnel.access[1].prefixes.at(0).to_string() == "fd00:16::/32");
    CHECK(value_of(config, "port.lan.address") == "\"fd00:16:11::1/64\"");
}

TEST_CASE("a hub and its redirects may be IPv6") {
    const Config config =
        loaded(spoke({{14, R"(hub = [{ address = "2001:db8::1", identity = "hub.example", redirects = ["2001:db8::/64", "192.0.2.0/28"] }])"}})).config;
    CHECK(config.overlay.tunnels.at(0).hubs.at(0).address.value.to_string() == "2001:db8::1");
    CHECK(config.overlay.tunnels[0].hubs[0].redirects.at(1).to_string() == "192.0.2.0/28");
}

TEST_CASE("a port may have an address and a gateway of each version") {
    const std::string both = "address = [\"192.0.2.11/24\", \"2001:db8::11/64\"]\ngateway = [\"192.0.2.1\", \"fe80::1\"]";
    const Config config = loaded(spoke({{3, "device = \"x:y\"\n" + both}})).config;
    CHECK(config.ports.at(0).addresses.at(1).address.to_string() == "2001:db8::11");
    CHECK(config.ports[0].gateways.at(1).to_string() == "fe80::1");
    CHECK(value_of(config, "port.wan.address") == "[\"192.0.2.11/24\", \"2001:db8::11/64\"]");
    CHECK(value_of(config, "port.wan.gateway") == "[\"192.0.2.1\", \"fe80::1\"]");
}

TEST_CASE("two addresses of one version are refused at the second") {
    const auto told = problems_of(spoke({{3, "device = \"x:y\"\naddress = [\"192.0.2.11/24\", \"192.0.2.12/24\"]"}}));
    CHECK(told.starts_with("spoke.toml:4:29: port.wan.address[1]: found \"192.0.2.12/24\""));
    CHECK(told.ends_with("there is one of this family already"));
    CHECK(problems_of(spoke({{3, "device = \"x:y\"\naddress = []"}})).starts_with("spoke.toml:4:11: port.wan.address: found"));
}

TEST_CASE("a gateway is in the network of its version, or link-local") {
    const auto told = [](const char* gateway) { return problems_of(spoke({{3, std::string{"device = \"x:y\"\naddress = \"2001:db8::11/64\"\ngateway = \""} + gateway + "\""}})); };
    CHECK(told("2001:db8::1").find("gateway") == std::string::npos);
    CHECK(told("fe80::1").find("gateway") == std::string::npos);
    CHECK(told("2001:db8:1::1").find("which is not in the port's network 2001:db8::/64") != std::string::npos);
    CHECK(told("192.0.2.1").find("the port has no address of that family") != std::string::npos);
}

TEST_CASE("a hub of an IP version that the underlay port has not is refused") {
    const auto told = problems_of(spoke({{3, "device = \"x:y\"\naddress = \"192.0.2.11/24\""}, {14, R"(hub = [{ address = "2001:db8::1", identity = "hub.example" }])"}}));
    CHECK(told.starts_with("spoke.toml:15:20: tunnel.nave0.hub[0].address: 2001:db8::1 cannot be reached from port \"wan\""));
}

TEST_CASE("a tunnel carries one IP version, and what is of the other is refused") {
    const auto told = [](const std::string& text) { return problems_of(text).find("a tunnel carries one of them") != std::string::npos; };
    CHECK(told(inside_v6({{15, "routes = [\"172.16.0.0/16\"]"}})));
    CHECK(told(inside_v6({{6, "address = \"172.16.11.1/24\""}})));
    CHECK(told(inside_v6({{16, "access = [{ identity = \"*.example\", prefixes = [\"172.16.0.0/16\"] }]"}})));
    CHECK(told(spoke({{16, "access = [{ identity = \"*.example\", tunnel_addresses = [\"fd00:255::/64\"] }]"}})));
    CHECK_FALSE(told(inside_v6()));
}

TEST_CASE("IPv6 needs room for packets of 1280 bytes (RFC 8200 section 5)") {
    CHECK(problems_of(inside_v6({{16, "mtu = 1279"}})) == "spoke.toml:16:7: tunnel.nave0.mtu: found 1279; accepted: with an IPv6 address at least 1280");
    CHECK(problems_of(inside_v6({{16, "mtu = 1280"}})).empty());
    CHECK(problems_of(spoke({{16, "mtu = 600"}})).empty());
    CHECK(problems_of(spoke({{3, "device = \"x:y\"\nmtu = 1200\naddress = [\"192.0.2.11/24\", \"2001:db8::11/64\"]"}})).starts_with("spoke.toml:4:7: port.wan.mtu: found 1200"));
}

TEST_CASE("the default mtu fits ESP in UDP over IPv6 on an underlay of 1500 bytes, and eight bytes more do not") {
    const std::string hub = R"(hub = [{ address = "2001:db8::1", identity = "hub.example" }])";
    CHECK(loaded(spoke({{14, hub}})).warnings.empty());
    CHECK(loaded(spoke({{14, hub}, {16, "mtu = 1408"}})).warnings.at(0).text.ends_with("best is at most 1407"));
    CHECK(loaded(spoke({{16, "mtu = 1408"}})).warnings.empty());
}
