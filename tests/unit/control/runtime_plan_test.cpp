// What the kernel is asked for, of a configuration.
#include "controlplane/runtime/plan.hpp"
#include "tests/unit/control/config_sample.hpp"

#include <catch2/catch.hpp>

using namespace nave;

namespace {
/// The sample, whose port names the second of two tunnels of one table.
kernel::Plan plan_of_two(const std::string& first, const std::string& second) {
    const std::string more = "table = 100\n[tunnel.nave1]\nunderlay = \"wan\"\naddress = \"" + second + "\"\nkey = 43\ntable = 100\nidentity = \"spoke1.two.example\"\n" +
                             "psk = [{ identity = \"*.two.example\", key = \"fedcba9876543210\" }]\n";
    const bool is_ipv6 = first.find(':') != std::string::npos;
    const auto text = config::spoke({{6, is_ipv6 ? "address = \"fd00:16:11::1/64\"" : config::kSpokeLines[5]}, {7, "tunnel = \"nave1\""}, {10, "address = \"" + first + "\""},
                                     {15, ""}, {16, more}});
    return runtime::plan_of(config::loaded(text).config, [](PortId) { return MacAddress{}; });
}
}  // namespace

TEST_CASE("an inside port is that of its table's first tunnel, whichever it names") {
    const kernel::Plan plan = plan_of_two("10.255.0.11/24", "10.255.1.11/24");
    CHECK(plan.ports.at(1).tunnel == TunnelId{0});
    CHECK_FALSE(plan.ports.at(0).tunnel);
    CHECK(plan.ports.at(1).table == 100);
}

TEST_CASE("a tunnel's twin has a link-local address, unless its table has another tunnel of IPv6") {
    const kernel::Plan one = plan_of_two("10.255.0.11/24", "fd00:255::11/64"), two = plan_of_two("fd00:255::11/64", "fd00:256::11/64");
    CHECK(one.tunnels.at(1).link_local);
    CHECK_FALSE(one.tunnels.at(0).link_local);
    for (const kernel::TunnelPlan& tunnel : two.tunnels) CHECK_FALSE(tunnel.link_local);
}
