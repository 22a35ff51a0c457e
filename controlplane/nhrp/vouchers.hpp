// What hubs' answers said of who is where: the word on which a spoke takes another one's registration.
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/deadlines.hpp"

#include <map>

namespace nave::nhrp {

class Vouchers {
public:
    explicit Vouchers(Context& context) : context_{context} {}

    /// A hub's answer: `prefix` is at `next_hop`, which lives at `nbma`, or `claimed` before a NAT.
    struct Word {
        TunnelAddress next_hop;
        NbmaAddress nbma, claimed;
    };
    void learn(const Prefix& prefix, const Word& word, TimePoint now, Duration holding_time);
    /// Whether the newest word agrees that the prefix is at `next_hop`, and that this lives where the peer's packets come from.
    /// Nothing when no hub has said anything.
    std::optional<bool> agree(PeerId peer, const TunnelAddress& next_hop, const Prefix& prefix) const;
    /// When the newest word on the prefix came.
    std::optional<TimePoint> learned_at(const Prefix& prefix) const;
    /// A hub's Purge Request: what was said of the prefix, of what overlaps it, and of their next hops, is true no more.
    void purge(const Prefix& prefix);

    void on_deadline(TimePoint now);
    std::optional<TimePoint> next_deadline() const { return expiries_.next(); }

private:
    struct Entry {
        Word word;
        TimePoint learned;
    };
    using Table = std::map<Prefix, Entry>;
    Table::const_iterator covering(const Prefix& prefix) const;
    void store(const Prefix& prefix, const Entry& entry, Duration holding_time);

    Context& context_;
    Table table_;
    Deadlines<Prefix> expiries_;
};

}  // namespace nave::nhrp
