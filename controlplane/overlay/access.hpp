// Who may hold which addresses: the operator's rules by identity, and who holds what now (first come, first served).
#pragma once

#include "common/addresses.hpp"
#include "controlplane/ike/identity.hpp"
#include "controlplane/nhrp/codes.hpp"
#include "controlplane/overlay/settings.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace nave::overlay {

/// Who holds what in one route table, through whichever of its tunnels: an identity is one party in all of them.
class Claims {
public:
    /// `exact`: the holder's rule names this very prefix: the operator decided, so it bounds nobody else.
    void claim(const ike::Identity& identity, const Prefix& prefix, TunnelId tunnel, bool exact);
    /// Gives it up; ignored when another identity holds it.
    void release(const ike::Identity& identity, const Prefix& prefix, TunnelId tunnel);
    const ike::Identity* holder(const Prefix& prefix) const;
    /// Why this identity came too late for the prefix; nothing when it is free, or its own.
    std::optional<nhrp::CieCode> conflict(const ike::Identity& identity, const Prefix& prefix, bool exact) const;
    std::size_t size() const { return claims_.size(); }

private:
    struct Claim {
        ike::Identity identity;
        std::map<TunnelId, bool> exact;  // of each tunnel through which it is held; at least one
    };
    static bool is_exact(const Claim& claim);

    std::map<Prefix, Claim> claims_;
};

class Access {
public:
    /// Of one tunnel, in whose network every host address is a tunnel address. `claims` outlives it.
    Access(const Tunnel& tunnel, Claims& claims);

    /// The first rule that matches, of those that give rights; nullptr refuses. Valid as long as this object.
    const AccessRule* rule(const ike::Identity& identity) const;
    /// How a peer is treated apart from its rights: the first of all rules that matches its identity or its certificate's subject (nothing: it has
    /// none), those for the NHRP group among them by which it calls itself (empty: by none). A group must not decide what a peer gains by lying.
    const AccessRule* treatment(const ike::Identity& identity, const std::optional<ike::Identity>& subject, std::string_view nhrp_group) const;
    /// Whether the rules let this identity hold, answer for and send from the prefix, whoever holds it now.
    bool permits(const ike::Identity& identity, const Prefix& prefix) const;
    /// Why this identity may never register the prefix; nothing when the rules and our own networks leave it to whoever comes first.
    std::optional<nhrp::CieCode> prohibition(const ike::Identity& identity, const Prefix& prefix) const;
    /// Why this identity may not register the prefix now; nothing when it may. What it holds itself, it may move.
    std::optional<nhrp::CieCode> refusal(const ike::Identity& identity, const Prefix& prefix) const;
    /// The same for a hub's own prefix: it needs no rule, yet takes nobody's place.
    std::optional<nhrp::CieCode> refusal_of_hub(const ike::Identity& identity, const Prefix& prefix) const;

    /// Whether its rule names this very prefix, rather than a block around it.
    bool names_exactly(const ike::Identity& identity, const Prefix& prefix) const;

    const ike::Identity* holder(const Prefix& prefix) const { return claims_.holder(prefix); }
    void claim(const ike::Identity& identity, const Prefix& prefix);
    /// Gives it up; ignored when another identity holds it.
    void release(const ike::Identity& identity, const Prefix& prefix);
    /// A prefix behind ourselves, or the network of another tunnel of our table, which nobody else may register.
    void set_local(const Prefix& prefix, bool present);
    bool touches_local(const Prefix& prefix) const;
    bool is_tunnel_address(const Prefix& prefix) const { return prefix.is_host() && network_.contains(prefix); }

private:
    static bool names_exactly(const AccessRule& rule, const Prefix& prefix);
    bool is_permitted(const AccessRule& rule, const Prefix& prefix) const;
    /// True if another rule names a smaller block around the prefix: the most specific rule decides.
    bool is_reserved(const AccessRule& rule, const Prefix& prefix) const;

    std::vector<AccessRule> rules_;
    Prefix network_;
    TunnelAddress own_;
    TunnelId tunnel_;
    std::set<Prefix> local_;
    Claims& claims_;
};

}  // namespace nave::overlay
