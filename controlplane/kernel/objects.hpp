// What the kernel keeps and this gateway mirrors or sets: links, addresses, neighbours, routes and policy rules, as values.
#pragma once

#include "common/addresses.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nave::kernel {

/// Kernel interface index; 0 names none.
using InterfaceIndex = int;
using TableNumber = std::uint32_t;

inline constexpr TableNumber kMainTable = 254;
/// Marks the routes and rules that are ours. Assigned to nobody: FRR takes for its own what it finds with a number of one of its daemons, 191 (nhrp)
/// among them, when it starts, and keeps copies of it for ever.
inline constexpr std::uint8_t kOurProtocol = 78;

struct Link {
    InterfaceIndex index = 0;
    std::string name{};
    bool up = false;            // administratively
    std::uint32_t mtu = 0;      // IP bytes
    MacAddress mac{};
    bool operator==(const Link&) const = default;
};

struct Address {
    InterfaceIndex index = 0;
    IpAddress address{};
    std::uint8_t length = 0;    // bits of its network
    bool secondary = false;     // of IPv6: temporary (RFC 8981)
    bool global = true;         // scope; not link or host
    bool tentative = false;     // not known to be ours alone, and not used before (RFC 4862 §5.4)
    bool deprecated = false;    // nothing begins with it any more (RFC 4862 §5.5.4)
    Prefix network() const { return Prefix::of(address, length); }
    bool operator==(const Address&) const = default;
};

struct Neighbour {
    InterfaceIndex index = 0;
    IpAddress address{};
    std::optional<MacAddress> mac{};   // usable now
    bool failed = false;             // the kernel asked and nobody answered
    bool operator==(const Neighbour&) const = default;
};

struct NextHop {
    InterfaceIndex index = 0;
    std::optional<IpAddress> gateway{};
    bool operator==(const NextHop&) const = default;
};

struct Route {
    enum class Kind : std::uint8_t { unicast, reject, other };
    TableNumber table = kMainTable;
    Prefix prefix{};
    std::uint32_t metric = 0;
    std::uint8_t protocol = 0;
    Kind kind = Kind::unicast;
    std::uint32_t next_hop_object = 0; // by which the route names its next hops; 0: it has them itself
    std::vector<NextHop> next_hops{};  // usable ones; several for a multipath route
    bool operator==(const Route&) const = default;
};

/// Next hops that routes share, as FRR makes them. With one that goes go its routes of IPv4, of which the kernel says nothing.
struct NextHopObject {
    std::uint32_t id = 0;
};

/// A policy rule with at most one selector, which is all that we set.
struct Rule {
    /// A blackhole is an end that nobody is told of.
    enum class Action : std::uint8_t { lookup, unreachable, blackhole };
    std::uint32_t priority = 0;
    Action action = Action::lookup;
    TableNumber table = 0;           // of a rule that ends the search: only says whose it is
    std::string incoming{}, outgoing{};  // interface names
    std::optional<Prefix> from{}, to{};
    std::uint8_t protocol = kOurProtocol;
    Family family = Family::v4;
    auto operator<=>(const Rule&) const = default;
};

using Object = std::variant<Link, Address, Neighbour, Route, NextHopObject, Rule>;

/// An object that appeared or changed (`present`), or went.
struct ObjectChange {
    Object object;
    bool present = true;
};

}  // namespace nave::kernel
