// EAL's command line: memory, cores and devices that fit the machine, and refusals that say what to do.
#include "dataplane/eal.hpp"

#include "dataplane/gateway.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace nave::dataplane;

namespace {

constexpr auto kAdaptive = RunMode::adaptive;
const EalMachine kSmall{.cpus = {0, 1}, .free_hugepage_megabytes = 0, .process_id = 77};
const EalMachine kLarge{.cpus = {0, 1, 2, 3, 4, 5}, .free_hugepage_megabytes = 2048, .process_id = 78};

std::vector<std::string> line(const EalConfig& config, const EalMachine& machine) {
    const auto arguments = eal_arguments(config, machine);
    INFO((arguments ? "" : arguments.error().text));
    REQUIRE(arguments.has_value());
    return *arguments;
}

std::string refused(const EalConfig& config, const EalMachine& machine) {
    const auto arguments = eal_arguments(config, machine);
    REQUIRE_FALSE(arguments.has_value());
    return arguments.error().text;
}

bool has(const std::vector<std::string>& arguments, std::string_view wanted) { return std::ranges::find(arguments, wanted) != arguments.end(); }

std::string after(const std::vector<std::string>& arguments, std::string_view option) {
    const auto found = std::ranges::find(arguments, option);
    return found == arguments.end() || found + 1 == arguments.end() ? "" : *(found + 1);
}

}  // namespace

TEST_CASE("without hugepages EAL gets ordinary memory of the configured size") {
    const auto arguments = line({.mode = kAdaptive, .memory_megabytes = 192}, kSmall);
    CHECK(has(arguments, "--no-huge"));
    CHECK(after(arguments, "-m") == "192");
    CHECK_FALSE(has(arguments, "--in-memory"));  // DPDK 22.11 rejects both together
}

TEST_CASE("free hugepages are used, without a mounted hugetlbfs") {
    const auto arguments = line({.mode = kAdaptive}, kLarge);
    CHECK(has(arguments, "--in-memory"));
    CHECK_FALSE(has(arguments, "--no-huge"));
}

TEST_CASE("hugepages lie in one file, which the other end of a virtio_user port can map") {
    CHECK(has(line({.mode = kAdaptive}, kLarge), "--single-file-segments"));
    CHECK_FALSE(has(line({.mode = kAdaptive}, kSmall), "--single-file-segments"));
}

TEST_CASE("too few free hugepages are as none") { CHECK(has(line({.mode = kAdaptive, .memory_megabytes = 4096}, kLarge), "--no-huge")); }

TEST_CASE("hugepages can be declined") { CHECK(has(line({.mode = kAdaptive, .hugepages = Hugepages::never}, kLarge), "--no-huge")); }

TEST_CASE("hugepages that are demanded but missing are refused with the command that sets them") {
    CHECK_THAT(refused({.mode = kAdaptive, .hugepages = Hugepages::required, .memory_megabytes = 512}, kSmall),
               Catch::Contains("512 MB") && Catch::Contains("sysctl vm.nr_hugepages=256"));
}

TEST_CASE("adaptive gateways float over all CPUs, so that several share a small machine") {
    CHECK(after(line({.workers = 1, .mode = kAdaptive}, kSmall), "--lcores") == "0@(0,1),1@(0,1)");
    CHECK(after(line({.workers = 3, .mode = kAdaptive}, kSmall), "--lcores") == "0@(0,1),1@(0,1),2@(0,1),3@(0,1)");
}

TEST_CASE("adaptive workers float even when cores are listed") {
    CHECK(after(line({.workers = 1, .worker_cores = {3}, .mode = kAdaptive}, kLarge), "--lcores") == "0@(0,1,2,3,4,5),1@(0,1,2,3,4,5)");
}

TEST_CASE("only the CPUs that the process may use are given to EAL") {
    CHECK(after(line({.mode = kAdaptive}, {.cpus = {4, 6}, .free_hugepage_megabytes = 0, .process_id = 1}), "--lcores") == "0@(4,6),1@(4,6)");
}

TEST_CASE("polling workers have a core each, and the control thread the rest") {
    CHECK(after(line({.workers = 2, .worker_cores = {2, 4}, .mode = RunMode::poll}, kLarge), "--lcores") == "0@(0,1,3,5),1@2,2@4");
}

TEST_CASE("when polling workers take every core the control thread shares them") {
    CHECK(after(line({.workers = 2, .worker_cores = {0, 1}, .mode = RunMode::poll}, kSmall), "--lcores") == "0@(0,1),1@0,2@1");
}

TEST_CASE("polling workers without listed cores float") { CHECK(after(line({.workers = 1, .mode = RunMode::poll}, kSmall), "--lcores") == "0@(0,1),1@(0,1)"); }

TEST_CASE("a core that the process may not use is refused with those it may") {
    CHECK_THAT(refused({.workers = 1, .worker_cores = {7}, .mode = RunMode::poll}, kSmall), Catch::Contains("worker core 7") && Catch::Contains("(0,1)"));
}

TEST_CASE("cores and workers must be equally many") {
    CHECK_THAT(refused({.workers = 2, .worker_cores = {1}, .mode = RunMode::poll}, kLarge), Catch::Contains("1 worker cores are given for 2 workers"));
}

TEST_CASE("one core for two polling workers is refused") {
    CHECK_THAT(refused({.workers = 2, .worker_cores = {1, 1}, .mode = RunMode::poll}, kLarge), Catch::Contains("worker core 1 is given twice"));
}

TEST_CASE("a gateway without workers is refused") { CHECK_THAT(refused({.workers = 0, .mode = kAdaptive}, kLarge), Catch::Contains("at least one")); }

TEST_CASE("without PCI ports the PCI bus is left alone") {
    const auto arguments = line({.mode = kAdaptive}, kSmall);
    CHECK(has(arguments, "--no-pci"));
    CHECK(has(arguments, "--iova-mode=va"));
}

TEST_CASE("only the PCI devices that ports name are taken") {
    const auto arguments = line({.mode = kAdaptive, .pci_devices = {"0000:03:00.0", "0000:03:00.1,txq_inline=64"}}, kLarge);
    CHECK_FALSE(has(arguments, "--no-pci"));
    CHECK(after(arguments, "-a") == "0000:03:00.0");
    CHECK(arguments.back() == "0000:03:00.1,txq_inline=64");
}

TEST_CASE("gateways on one machine share no file and no socket") {
    const auto one = line({.mode = kAdaptive}, kSmall), other = line({.mode = kAdaptive}, kLarge);
    CHECK(has(one, "--no-telemetry"));
    CHECK(has(one, "--no-shconf"));
    CHECK(has(one, "--file-prefix=nave-77"));
    CHECK(has(other, "--file-prefix=nave-78"));
}

TEST_CASE("EAL says little unless asked") {
    CHECK(has(line({.mode = kAdaptive}, kSmall), "--log-level=warning"));
    CHECK(has(line({.mode = kAdaptive, .verbose = true}, kSmall), "--log-level=info"));
}

TEST_CASE("three gateways run side by side on one machine") {
    std::vector<pid_t> gateways;
    for (int i = 0; i < 3; ++i) {
        gateways.push_back(fork());
        if (gateways.back() != 0) continue;
        const auto eal = Eal::start({.workers = 1, .mode = kAdaptive, .hugepages = Hugepages::never, .memory_megabytes = 64});
        if (!eal) std::fputs(eal.error().text.c_str(), stderr);
        std::this_thread::sleep_for(std::chrono::milliseconds{500});  // all three at once
        _exit(eal ? 0 : 1);
    }
    for (const pid_t gateway : gateways) {
        int status = 0;
        waitpid(gateway, &status, 0);
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0);
    }
}
