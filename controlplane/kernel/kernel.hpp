// The kernel side of the gateway: opens the twins, moves packets to and from them, mirrors the kernel and keeps our rules and routes in it.
#pragma once

#include "common/plane_messages.hpp"
#include "common/time.hpp"
#include "controlplane/kernel/announcer.hpp"
#include "controlplane/kernel/plan.hpp"
#include "controlplane/kernel/view.hpp"
#include "controlplane/overlay/gateway.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nave::kernel {

/// Control thread only; lives in the network namespace in which it was opened.
class Kernel {
public:
    /// What came out of looking at the kernel.
    struct Report {
        std::vector<Change> changes;
        std::vector<overlay::Log> log;
        bool underlay_changed = false;  // of the view, perhaps
    };

    /// Makes and configures all twins; removes what a killed predecessor left in the tables of `plan`. The error says in words what is
    /// wrong and what to do. `adjacencies_max`: what the dataplane has room for, with so many workers.
    static std::expected<Kernel, std::string> open(Plan plan, std::uint32_t adjacencies_max, std::uint8_t workers);
    /// Takes our rules out of the kernel; the twins, their addresses and routes go with them.
    ~Kernel();
    Kernel(Kernel&&) noexcept;
    Kernel& operator=(Kernel&&) = delete;

    /// Readable when synchronise() has something to do.
    int descriptor() const;
    /// Follows the kernel's changes; the first call gives the whole state.
    Report synchronise();
    /// Somebody in the dataplane has done with an inside neighbour; when all have, its number may go to another.
    void on_removed(const AdjacencyRemoved& removed);
    const View& view() const;
    const Plan& plan() const;
    /// The addresses on a port's twin, as "192.0.2.1/24".
    std::vector<std::string> addresses(PortId port) const;
    /// The name of a twin that somebody removed, without which the gateway cannot go on.
    std::optional<std::string> lost_twin() const;

    /// Twins by number, ports' first.
    std::size_t twin_count() const;
    int twin_descriptor(std::size_t twin) const;
    /// Reads the next packet that the kernel sends through this twin into a message to be injected; false when there is none.
    bool read(std::size_t twin, PacketMessage& message);
    /// Hands a punted packet to the kernel: arp and local to the port's twin, tunnel and glean to the tunnel's.
    void deliver(const PacketMessage& message);

    /// Where on the underlay a peer came up: routes that lead there into a tunnel are refused. True when synchronise() has to look at the routes again.
    [[nodiscard]] bool guard(PeerId peer, PortId port, const IpAddress& address);
    [[nodiscard]] bool unguard(PeerId peer);
    /// Puts a route of the overlay into its tunnel's table, or takes it out.
    std::optional<overlay::Log> set_route(const overlay::KernelRoute& route);
    /// Has the kernel find out or confirm a neighbour's MAC.
    void resolve(PortId port, const IpAddress& address);
    /// Asks for inside neighbours that routes need, and has known ones confirmed, since the kernel does not see traffic use them.
    void on_deadline(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    struct Counters {
        std::uint64_t to_twins = 0, from_twins = 0;
        std::uint64_t refused_by_twin = 0;      // punted packets that the kernel did not take: twin down
        std::uint64_t without_twin = 0;         // punted packets for a port or tunnel that has none
        std::uint64_t resynchronised = 0;       // dumps after lost events or changes that the kernel does not tell in full
        std::uint64_t adjacencies_refused = 0;  // inside neighbours beyond the dataplane's room
    };
    Counters counters() const;

private:
    struct Impl;
    /// Of an inside network: the kernel finds the neighbour even if it does not forward IPv6. False for all else.
    bool glean_ipv6(const PacketMessage& message);
    explicit Kernel(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace nave::kernel
