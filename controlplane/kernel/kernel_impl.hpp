// The parts of Kernel.
#pragma once

#include "controlplane/kernel/inside_output.hpp"
#include "controlplane/kernel/kernel.hpp"
#include "controlplane/kernel/netlink.hpp"
#include "controlplane/kernel/separation.hpp"
#include "controlplane/kernel/twin.hpp"

#include <set>

namespace nave::kernel {

struct Kernel::Impl {
    static constexpr Duration kAskAgain = std::chrono::seconds{1}, kConfirm = std::chrono::seconds{30};

    Impl(Plan wanted_plan, Netlink sockets, std::uint32_t adjacencies_max, std::uint8_t workers)
        : plan{std::move(wanted_plan)}, netlink{std::move(sockets)}, announcer{adjacencies_max, workers} {}

    Plan plan;
    Netlink netlink;
    IcmpErrorsByInboundAddress icmp_errors;
    InsideOutput inside_output;
    std::vector<Twin> twins;  // ports', then tunnels'
    Mirror mirror;
    GuardedPeers peers;
    View view;
    Touched touched;  // since the view was brought up to date
    Announcer announcer;
    OurRoutes overlay_routes;  // what the overlay asked for
    OurRoutes wanted_routes;   // together with what addresses and configuration ask for
    std::set<Rule> wanted_rules;
    Counters counters;
    TimePoint ask_at{}, confirm_at{};
    bool announced = false;

    // Setting up
    std::expected<void, std::string> open_twins();
    std::expected<void, std::string> address_twins();
    std::expected<void, std::string> raise_twins();
    std::expected<void, std::string> open_twin(Twin::Kind kind, const std::string& name, InterfaceIndex& index, bool forwards);
    std::expected<void, KernelError> put_address(InterfaceIndex index, const NetworkAddress& address, bool prefix_route);

    // Following
    std::expected<void, KernelError> dump_all();
    struct Dirt { bool separation = false, dump = false; };
    void take(const ObjectChange& change, Dirt& dirt);
    void update_view(Report& report);
    /// True when there are routes that a peer at this address matters to.
    bool suspect_routes_to(const IpAddress& address);
    /// Brings our rules and routes in the kernel to what is wanted.
    void separate(std::vector<overlay::Log>& log);
    /// Ports' twins with an IPv6 address get what neighbour discovery needs beside it.
    void complete_ipv6(std::vector<overlay::Log>& log);
    void separate_rules(std::vector<overlay::Log>& log);
    void separate_routes(std::vector<overlay::Log>& log);
};

}  // namespace nave::kernel
