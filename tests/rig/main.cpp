// nave-bench: measures nave, and other gateways, from outside. The first word says what.
#include "tests/rig/dataplane_bench/dataplane_command.hpp"
#include "tests/rig/soak/soak_command.hpp"
#include "tests/rig/throughput/throughput_command.hpp"

#include <array>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Subcommand {
    std::string_view name, help;
    int (*run)(std::span<const std::string>);
};

constexpr std::array kSubcommands = {
    Subcommand{"dataplane", "cycles per packet of the packet path, by case, algorithm, size and number of peers", nave::rig::run_dataplane},
    Subcommand{"throughput", "rates, loss and latency of a device under test between two ports", nave::rig::run_throughput},
    Subcommand{"soak", "a hub and spokes that exchange and verify packets, a thousand million of them, while their SAs are replaced", nave::rig::run_soak},
};

void print_usage(std::FILE* to) {
    fmt::print(to, "usage: nave-bench COMMAND [--help | OPTIONS]\n\n");
    for (const auto& each : kSubcommands) fmt::print(to, "  {:<12} {}\n", each.name, each.help);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words{argv + 1, argv + argc};
    if (!words.empty() && words[0] == "--help") {
        print_usage(stdout);
        return 0;
    }
    for (const auto& each : kSubcommands)
        if (!words.empty() && words[0] == each.name) return each.run(std::span{words}.subspan(1));
    print_usage(stderr);
    return 2;
}
