// EAL's command line, what the machine offers to it, and starting it.
#include "dataplane/eal.hpp"

#include "dataplane/gateway.hpp"
#include "dataplane/log_capture.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace nave::dataplane {

namespace {


bool has(const std::vector<unsigned>& cpus, unsigned cpu) { return std::ranges::find(cpus, cpu) != cpus.end(); }

std::string cpu_set(const std::vector<unsigned>& cpus) { return fmt::format("({})", fmt::join(cpus, ",")); }

/// lcore 0 is the control thread, lcore N + 1 is worker N. Floating lcores share a set of CPUs and the scheduler places them.
std::expected<std::string, SetupError> lcore_map(const EalConfig& config, const EalMachine& machine) {
    const bool pinned = config.mode == RunMode::poll && !config.worker_cores.empty();
    std::vector<unsigned> for_control = machine.cpus;
    if (pinned) {
        if (config.worker_cores.size() != config.workers)
            return refuse(fmt::format("{} worker cores are given for {} workers; give one core for each worker", config.worker_cores.size(), config.workers));
        for (const unsigned core : config.worker_cores) {
            if (!has(machine.cpus, core))
                return refuse(fmt::format("worker core {} is not among the CPUs that this process may use ({}); choose other cores, or give it more CPUs", core,
                                          fmt::join(machine.cpus, ",")));
            if (std::ranges::count(config.worker_cores, core) > 1) return refuse(fmt::format("worker core {} is given twice; each worker needs a core of its own", core));
        }
        std::erase_if(for_control, [&](unsigned cpu) { return has(config.worker_cores, cpu); });
        if (for_control.empty()) for_control = machine.cpus;
    }
    std::string map = "0@" + cpu_set(for_control);
    for (unsigned worker = 0; worker < config.workers; ++worker)
        map += fmt::format(",{}@{}", worker + 1, pinned ? std::to_string(config.worker_cores[worker]) : cpu_set(machine.cpus));
    return map;
}

bool takes_hugepages(const EalConfig& config, const EalMachine& machine) {
    return config.hugepages != Hugepages::never && machine.free_hugepage_megabytes >= config.memory_megabytes;
}

std::size_t read_count(const std::filesystem::path& file) {
    std::size_t count = 0;
    std::ifstream{file} >> count;
    return count;
}

std::size_t free_hugepage_megabytes() {
    constexpr std::string_view kFolder = "/sys/kernel/mm/hugepages", kPrefix = "hugepages-";
    std::size_t kilobytes = 0;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{kFolder, ignored}) {
        const std::string name = entry.path().filename();  // such as "hugepages-2048kB"
        if (!name.starts_with(kPrefix)) continue;
        const std::size_t size = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
        const std::size_t free = read_count(entry.path() / "free_hugepages"), reserved = read_count(entry.path() / "resv_hugepages");
        if (free > reserved) kilobytes += size * (free - reserved);
    }
    return kilobytes / 1024;
}

std::vector<unsigned> allowed_cpus() {
    constexpr unsigned kMost = 128;  // EAL's sets end there
    std::vector<unsigned> cpus;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
    for (unsigned cpu = 0; cpu < kMost; ++cpu)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

std::string_view advice(int error) {
    switch (error) {
    case ENOMEM: return "lower the memory of the configuration, or free memory";
    case EACCES:
    case EPERM: return "run it as root, or give it access to the devices and to hugepages";
    case EALREADY: return "it runs in this process already";
    default: return "check the device list and the cores of the configuration";
    }
}

}  // namespace

std::expected<std::vector<std::string>, SetupError> eal_arguments(const EalConfig& config, const EalMachine& machine) {
    if (config.workers == 0) return refuse("no worker is configured; at least one is needed");
    const auto lcores = lcore_map(config, machine);
    if (!lcores) return std::unexpected{lcores.error()};
    const bool huge = takes_hugepages(config, machine);
    if (config.hugepages == Hugepages::required && !huge)
        return refuse(fmt::format("{} MB of hugepages are demanded but {} MB are free; free some, set more with `sysctl vm.nr_hugepages={}`, or configure hugepages = \"auto\"",
                                  config.memory_megabytes, machine.free_hugepage_megabytes, config.memory_megabytes / 2));

    // Nothing of the process is shared through files: several gateways run on one machine, and a killed one leaves nothing.
    std::vector<std::string> arguments{config.program, "--lcores", *lcores, "--no-telemetry", "--no-shconf", fmt::format("--file-prefix=nave-{}", machine.process_id)};
    arguments.push_back(fmt::format("--log-level={}", config.verbose ? "info" : "warning"));
    arguments.insert(arguments.end(), {"-m", std::to_string(config.memory_megabytes)});
    arguments.emplace_back(huge ? "--in-memory" : "--no-huge");
    // A vhost-user backend maps at most eight files of ours (virtio_user), not one for each page.
    if (huge) arguments.emplace_back("--single-file-segments");
    if (config.pci_devices.empty()) {
        // Virtual devices know no physical addresses.
        arguments.insert(arguments.end(), {"--no-pci", "--iova-mode=va"});
    }
    for (const auto& device : config.pci_devices) arguments.insert(arguments.end(), {"-a", device});
    return arguments;
}

std::expected<Eal, SetupError> Eal::start(const EalConfig& config) {
    const EalMachine machine{.cpus = allowed_cpus(), .free_hugepage_megabytes = free_hugepage_megabytes(), .process_id = static_cast<int>(getpid())};
    auto arguments = eal_arguments(config, machine);
    if (!arguments) return std::unexpected{arguments.error()};
    std::vector<char*> pointers;
    for (auto& argument : *arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);

    LogCapture log;
    if (rte_eal_init(static_cast<int>(arguments->size()), pointers.data()) < 0) {
        const int error = rte_errno;
        return refuse(fmt::format("DPDK does not start: {}; {}. It says: {}", rte_strerror(error), advice(error), log.text()));
    }
    if (config.verbose) fmt::print(stderr, "{}\n", log.text());
    // EAL keeps an empty folder for sockets that it does not make in this mode; removed at once, since no kill can be caught.
    std::error_code ignored;
    std::filesystem::remove(rte_eal_get_runtime_dir(), ignored);
    return Eal{takes_hugepages(config, machine)};
}

}  // namespace nave::dataplane
