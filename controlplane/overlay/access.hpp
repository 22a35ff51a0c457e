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

class Access {
public:
    /// `network`: the tunnel's own subnet, in which every host address is a tunnel address.
    Access(std::vector<AccessRule> rules, const Prefix& network, const TunnelAddress& own);

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

    /// Whether its rule names this very prefix, rather than a block around it.
    bool names_exactly(const ike::Identity& identity, const Prefix& prefix) const;

    void claim(const ike::Identity& identity, const Prefix& prefix);
    /// Gives it up; ignored when another identity holds it.
    void release(const ike::Identity& identity, const Prefix& prefix);
    const ike::Identity* holder(const Prefix& prefix) const;
    std::size_t claims() const { return claims_.size(); }
    /// A prefix behind ourselves, which nobody else may register.
    void set_local(const Prefix& prefix, bool present);
    bool is_tunnel_address(const Prefix& prefix) const { return prefix.is_host() && network_.contains(prefix); }

private:
    struct Claim {
        ike::Identity identity;
        bool exact;  // the holder's rule names this very prefix: the operator decided, so it bounds nobody else
    };
    static bool names_exactly(const AccessRule& rule, const Prefix& prefix);
    bool is_permitted(const AccessRule& rule, const Prefix& prefix) const;
    /// True if another rule names a smaller block around the prefix: the most specific rule decides.
    bool is_reserved(const AccessRule& rule, const Prefix& prefix) const;
    std::optional<nhrp::CieCode> conflict(const ike::Identity& identity, const AccessRule& rule, const Prefix& prefix) const;

    std::vector<AccessRule> rules_;
    Prefix network_;
    TunnelAddress own_;
    std::set<Prefix> local_;
    std::map<Prefix, Claim> claims_;
};

}  // namespace nave::overlay
