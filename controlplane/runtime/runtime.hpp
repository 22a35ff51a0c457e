// The control thread: one loop that joins the dataplane's rings, the kernel, the overlay, the operator and the clock.
#pragma once

#include "common/counters.hpp"
#include "common/plane_rings.hpp"
#include "common/random.hpp"
#include "controlplane/config/config.hpp"
#include "controlplane/runtime/event_loop.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace nave::runtime {

/// What the dataplane says of an open port.
struct PortDevice {
    MacAddress mac;
    bool up = false;
    std::uint16_t queues = 1;
    std::uint64_t missed = 0, errors = 0;  // packets that the device itself lost
};

/// All that the control thread works with; everything here outlives the runtime.
struct Surroundings {
    const config::Config& config;
    std::span<PlaneRings* const> rings;  // by WorkerId
    RouteRings& route_rings;
    Doorbell& bell;                      // rung by the workers and the route writer
    const Counters& counters;
    Random& random;
    Signals& signals;
    std::function<PortDevice(PortId)> device;
    std::uint32_t adjacencies_max = 0;   // inside neighbours that the dataplane has room for
};

class Runtime {
public:
    /// Opens the twins and the management socket. The error says in words what is wrong and what to do.
    static std::expected<Runtime, std::string> start(const Surroundings& surroundings);
    Runtime(Runtime&&) noexcept;
    Runtime& operator=(Runtime&&) = delete;
    ~Runtime();

    /// Runs until SIGTERM, SIGINT or an operator ends it, and says farewell to the peers. Gives the process's exit code.
    int run();

private:
    struct Impl;
    explicit Runtime(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace nave::runtime
