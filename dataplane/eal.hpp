// Starting DPDK's environment (EAL) from a few wishes: memory, cores, devices.
#pragma once

#include "common/ids.hpp"
#include "dataplane/setup_error.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace nave::dataplane {

enum class RunMode : std::uint8_t;

enum class Hugepages : std::uint8_t {
    if_available,  // use them when enough are free, ordinary memory otherwise
    required,      // refuse to start without
    never,
};

struct EalConfig {
    std::string program = "naved";
    std::uint8_t workers = 1;                // lcores besides the main one
    std::vector<unsigned> worker_cores{};    // CPUs for the workers in poll mode, one each; empty: workers float over all allowed CPUs
    RunMode mode{};                          // adaptive workers always float, so that gateways share cores
    Hugepages hugepages = Hugepages::if_available;
    std::size_t memory_megabytes = 256;      // for buffers and tables
    std::vector<std::string> pci_devices{};  // PCI addresses, with options, that ports name; empty: the PCI bus is left alone
    bool verbose = false;                    // EAL's own notices on stderr; warnings otherwise
};

/// What the machine offers; the argument that makes `eal_arguments` a pure function.
struct EalMachine {
    std::vector<unsigned> cpus;                // CPUs that the process may run on, ascending
    std::size_t free_hugepage_megabytes = 0;
    int process_id = 0;
};

/// The command line for EAL, program name first. Fails when a core or hugepages were demanded that the machine lacks.
std::expected<std::vector<std::string>, SetupError> eal_arguments(const EalConfig& config, const EalMachine& machine);

/// The running EAL of this process, at most one in its life. It ends with the process: DPDK 22.11's own clean-up unmaps memory
/// that its interrupt thread may still read, and nothing outlives the process that would need it.
class Eal {
public:
    /// Starts EAL; the calling thread becomes the main lcore. The error says what to do: no hugepages, no privilege, bad core.
    static std::expected<Eal, SetupError> start(const EalConfig& config);

    /// The lcore for a worker, below `workers` of the configuration.
    static unsigned lcore(WorkerId worker) { return worker.value + 1u; }
    /// True when buffers lie in hugepages.
    bool uses_hugepages() const { return uses_hugepages_; }

private:
    explicit Eal(bool uses_hugepages) : uses_hugepages_{uses_hugepages} {}
    bool uses_hugepages_;
};

}  // namespace nave::dataplane
