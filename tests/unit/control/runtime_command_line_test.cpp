// Tests of naved's command line.
#include "controlplane/runtime/command_line.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace nave::runtime;

namespace {

auto parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "naved");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("naved takes its configuration by --config, and --check beside it") {
    CHECK(parse({"--config", "hub.toml"})->config_file == "hub.toml");
    const auto checked = parse({"--config=hub.toml", "--check"});
    CHECK(checked->check);
    CHECK(checked->config_file == "hub.toml");
}

TEST_CASE("naved without a configuration says how to give one") {
    CHECK(parse({}).error().find("--config") != std::string::npos);
    CHECK_FALSE(parse({"--check"}));
}

TEST_CASE("--version and --help need no configuration") {
    CHECK(parse({"--version"})->version);
    CHECK(parse({"--help"})->help);
    CHECK(usage().find("--check") != std::string::npos);
}

TEST_CASE("an unknown option or argument is refused by name") {
    CHECK(parse({"--confg", "x"}).error().find("confg") != std::string::npos);
    CHECK_FALSE(parse({"hub.toml"}));
}
