// The files of conf/ are right, and the reference leaves nothing out.
#include "tests/unit/control/config_sample.hpp"

#include "controlplane/config/keys.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

using namespace nave::config;

namespace {

const std::string kFolder = NAVE_SOURCE_FOLDER "/conf/";

std::string content(const std::string& name) {
    std::ifstream stream{kFolder + name};
    REQUIRE(stream);
    return {std::istreambuf_iterator<char>{stream}, {}};
}

/// "tunnel.nave0.hub" as the known keys have it, "tunnel.NAME.hub".
std::string general(const std::string& section) { return std::regex_replace(section, std::regex{"^(port|tunnel)\\.[^.]+"}, "$1.NAME"); }

/// Every "key =" of the reference with its section, also those that are commented out.
std::set<std::string> keys_in_reference() {
    std::set<std::string> keys;
    std::istringstream lines{content("reference.toml")};
    std::string section;
    std::smatch match;
    for (std::string line; std::getline(lines, line);) {
        if (std::regex_search(line, match, std::regex{R"(^(?:# )?\[+([a-z0-9.]+)\]+)"})) section = general(match[1]);
        else if (std::regex_search(line, match, std::regex{"^(?:# )?([a-z_]+) = "})) keys.insert(section + "." + match[1].str());
    }
    return keys;
}

}  // namespace

TEST_CASE("every example in conf/ is a right configuration") {
    for (const char* name : {"spoke.toml", "spoke-two-hubs.toml", "spoke-dual-cloud.toml", "hub.toml", "hub-relay.toml", "reference.toml"}) {
        const auto report = check(kFolder + name);
        CAPTURE(report.text);
        CHECK(report.ok());
    }
}

TEST_CASE("the reference has every key, and only keys that exist") {
    const std::set<std::string> listed = keys_in_reference();
    std::set<std::string> known;
    for (const KnownKey& key : known_keys()) {
        const bool is_section = key.section.empty() && key.name != "name";
        const bool is_list = key.name == "psk" || key.name == "ppk" || key.name == "ca" || key.name == "hub" || key.name == "access";
        if (!is_section && !(is_list && key.section == "tunnel.NAME")) known.insert(key.section + "." + key.name);
    }
    CHECK(listed == known);
}

TEST_CASE("the reference states the real defaults") {
    const Config reference = loaded(content("reference.toml")).config;
    // These have no default, or show something that is off by default.
    const std::set<std::string> examples{"name", "control.socket", "tunnel.NAME.routes", "tunnel.NAME.psk",
                                         "tunnel.NAME.ca", "tunnel.NAME.hub", "tunnel.NAME.access", "tunnel.NAME.table"};
    std::set<std::string> compared;
    for (const Setting& setting : effective(reference)) {
        const std::string key = general(setting.key);
        for (const KnownKey& known : known_keys()) {
            if ((known.section.empty() ? known.name : known.section + "." + known.name) != key || known.default_literal.empty() || examples.contains(key)) continue;
            if (setting.key == "port.lan.table") continue;  // follows from the tunnel
            CAPTURE(setting.key);
            CHECK(setting.value == known.default_literal);
            compared.insert(key);
        }
    }
    CHECK(compared.size() > 30);
}

TEST_CASE("the spoke's example takes about ten lines and reaches the hub's") {
    const Config spoke_config = loaded(content("spoke.toml")).config, hub_config = loaded(content("hub.toml")).config;
    const auto& spoke_tunnel = spoke_config.overlay.tunnels[0];
    const auto& hub_tunnel = hub_config.overlay.tunnels[0];
    CHECK(spoke_tunnel.hubs.at(0).address.value == hub_config.ports.at(0).addresses.at(0).address);
    CHECK(spoke_tunnel.gre_key == hub_tunnel.gre_key);
    CHECK(spoke_tunnel.hubs[0].identity->matches(hub_config.overlay.ike.profiles[0].local));
    CHECK(hub_tunnel.access.at(0).identity.matches(spoke_config.overlay.ike.profiles[0].local));
    CHECK(hub_config.overlay.ike.profiles[0].keys.at(0).remote.matches(spoke_config.overlay.ike.profiles[0].local));
    CHECK(hub_config.overlay.ike.profiles[0].keys[0].key == spoke_config.overlay.ike.profiles[0].keys.at(0).key);
    CHECK(hub_tunnel.access[0].prefixes.at(0).contains(spoke_config.ports.at(1).addresses.at(0).network()));
    CHECK(hub_tunnel.hubs.empty());
}
