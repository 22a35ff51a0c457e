// All associations of an endpoint, with an index for each way in which one is looked for, and their deadlines.
#pragma once

#include "controlplane/ike/address_tally.hpp"
#include "controlplane/ike/association.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nave::ike {

/// Owns the associations; their addresses are stable until erase(). Every lookup is a hash, every change of a deadline O(log n).
class SaTable {
public:
    /// A new association with an id that was never used before.
    Association& add();
    /// Erases it and its entries in every index.
    void erase(Association& association);
    Association* find(SaId id);
    const std::unordered_map<SaId, std::unique_ptr<Association>>& all() const { return associations_; }
    ChildId next_child_id() { return ChildId{++last_child_}; }

    /// Draws an SPI of ours that is neither zero nor taken, and makes it lead to `owner`.
    std::uint64_t new_spi(Random& random, SaId owner);
    void forget_spi(std::uint64_t our_spi) { by_spi_.erase(our_spi); }
    Association* by_spi(std::uint64_t our_spi);

    /// The IKE_SA_INIT requests that made responders, so that a repeated one is recognised.
    void remember_init(Association& association, std::uint64_t initiator_spi);
    std::vector<Association*> by_init(std::uint64_t initiator_spi, const NbmaAddress& remote);

    /// Attempts of either side that are not yet established, by the peer's address.
    void begin_attempt(Association& association);
    void end_attempt(Association& association);
    std::vector<Association*> attempts(const NbmaAddress& remote);

    /// Established associations, by profile and the peer's identity.
    void begin_established(Association& association, const Identity& peer);
    void end_established(Association& association, const Identity& peer);
    std::vector<Association*> by_identity(ProfileId profile, const Identity& peer);
    /// Per address at which they came up.
    const AddressTally& established() const { return established_; }

    /// Responders whose peer is not authenticated (RFC 7296 §2.6).
    void begin_half_open(Association& association);
    void end_half_open(Association& association);
    const AddressTally& half_open() const { return half_open_; }
    /// One that is being made counts as well.
    void begin_half_open(const NbmaAddress& stranger) { half_open_.add(stranger); }
    void end_half_open(const NbmaAddress& stranger) { half_open_.remove(stranger); }

    void schedule(Association& association, std::optional<TimePoint> when);
    std::optional<TimePoint> next_deadline() const;
    /// One association whose deadline is not after `now`; null if there is none.
    Association* due(TimePoint now);

private:
    static std::string identity_key(ProfileId profile, const Identity& peer);

    std::unordered_map<SaId, std::unique_ptr<Association>> associations_;
    std::unordered_map<std::uint64_t, SaId> by_spi_;
    std::unordered_multimap<std::uint64_t, SaId> by_init_;
    std::unordered_multimap<NbmaAddress, SaId> attempts_;
    std::unordered_multimap<std::string, SaId> by_identity_;
    std::set<std::pair<TimePoint, SaId>> deadlines_;
    AddressTally half_open_{64};  // who owns an IPv6 address commonly owns its /64
    AddressTally established_{128};
    std::uint64_t last_sa_ = 0, last_child_ = 0;
};

}  // namespace nave::ike
