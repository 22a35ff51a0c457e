// What other hubs tell this one of the spokes that are registered with them, by Registration Requests in their own name.
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/deadlines.hpp"
#include "controlplane/nhrp/snapshot.hpp"

#include <map>
#include <string>

namespace nave::nhrp {

/// Judged as if the spoke had registered here. Never passed on to further hubs: each tells all others of its own spokes, so nothing goes in circles.
class HubBindings {
public:
    struct Word {
        TunnelAddress next_hop;  // the hub's
        std::string holder;      // the spoke's identity; empty: the hub itself
        bool operator==(const Word&) const = default;
    };
    explicit HubBindings(Context& context) : context_{context} {}

    CieCode add(PeerId hub, const Prefix& prefix, Word word, TimePoint expires, Outbox& out);
    /// Ends this hub's word on `prefix`, and all its words when the hub itself lies within: what lies inside a network may be of other spokes.
    void purge(PeerId hub, const Prefix& prefix, Outbox& out);
    void peer_down(PeerId hub, Outbox& out);
    /// Ends what the directory refuses now, because our own networks have changed.
    void recheck(Outbox& out);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const { return expiries_.next(); }

    void append_to(Snapshot& snapshot) const;

private:
    using Key = std::pair<PeerId, Prefix>;
    using Words = std::map<Key, Word>;
    void remove(Words::iterator entry, Outbox& out);
    std::optional<CieCode> refusal(const Key& key, const Word& word) const;

    Context& context_;
    Words words_;
    Deadlines<Key> expiries_;
};

}  // namespace nave::nhrp
