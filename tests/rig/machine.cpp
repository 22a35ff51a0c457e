// Asking the kernel, and two cores that play ping-pong.
#include "tests/rig/machine.hpp"

#include "tests/rig/crew.hpp"
#include "tests/rig/statistics.hpp"

#include <fmt/format.h>
#include <fstream>
#include <rte_cycles.h>

namespace nave::rig {

std::string describe_processor() {
    constexpr std::string_view kKey = "model name";
    std::string model = "unknown processor";
    std::ifstream in{"/proc/cpuinfo"};
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with(kKey)) continue;
        if (const auto colon = line.find(": "); colon != std::string::npos) model = line.substr(colon + 2);
        break;
    }
    return fmt::format("{}, TSC {:.0f} MHz", model, static_cast<double>(rte_get_tsc_hz()) / 1e6);
}

double core_round_trip() {
    constexpr unsigned kSamples = 200, kTrips = 50;
    struct alignas(128) {
        std::atomic<unsigned> value{0};
    } ball;
    std::vector<double> samples;
    Crew::run(2, [&](unsigned member, Rendezvous& all) {
        all.meet();
        for (unsigned sample = 0, turn = 0; sample < kSamples; ++sample) {
            const std::uint64_t begin = rte_rdtsc();
            for (unsigned trip = 0; trip < kTrips; ++trip, turn += 2) {
                while (ball.value != turn + member) {}
                ball.value = turn + member + 1;
            }
            if (member == 0) samples.push_back(static_cast<double>(rte_rdtsc() - begin) / kTrips);
        }
    });
    return median(samples);
}

}  // namespace nave::rig
