// Recursive routing: routes into a tunnel that would take along the tunnel's own packets to a peer. Pure.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "controlplane/kernel/objects.hpp"
#include "controlplane/kernel/underlay_view.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace nave::kernel {

/// A route that is not followed, and the peer whose underlay address it covers.
struct RecursiveRoute {
    TableNumber table = kMainTable;
    Prefix prefix{};
    std::optional<IpAddress> gateway{};
    IpAddress peer{};
    auto operator<=>(const RecursiveRoute&) const = default;
    /// For the log: the route, what is wrong with it, and what to do.
    std::string text() const;
};

/// The underlay addresses at which peers came up, where they have shown that they receive. Where their packets come from later does not count:
/// with a forged source a peer could have anybody's routes refused.
class GuardedPeers {
public:
    /// False if the peer is known already.
    bool add(PeerId peer, PortId port, const IpAddress& address);
    /// The address at which it was; nothing if it was not known.
    std::optional<IpAddress> remove(PeerId peer);

    /// A peer that a route into the tunnel covers no less specifically than the underlay's own route to it does: as if both stood in one
    /// table. The default route covers nobody, as tables are apart so that there can be one in the tunnel.
    std::optional<IpAddress> captured_by(const Prefix& prefix, const UnderlayView& underlay) const;

private:
    std::map<PeerId, std::pair<PortId, IpAddress>> places_;
    std::set<std::tuple<IpAddress, PortId, PeerId>> by_address_;
};

}  // namespace nave::kernel
