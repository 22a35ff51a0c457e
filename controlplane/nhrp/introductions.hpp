// Registrations of other spokes at this one: taken on a hub's word, which is asked for when it is not known.
#pragma once

#include "controlplane/nhrp/bindings.hpp"
#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/resolver.hpp"
#include "controlplane/nhrp/vouchers.hpp"

#include <deque>

namespace nave::nhrp {

/// Two spokes with a direct SA register with each other, past every hub. One that is bad could so take the place of a third, or send in
/// its name; a hub knows who holds what. Silence of the hubs ends nothing that was taken before; their no does.
class Introductions {
public:
    Introductions(Context& context, Bindings& bindings, Resolver& resolver, const Vouchers& vouchers)
        : context_{context}, bindings_{bindings}, resolver_{resolver}, vouchers_{vouchers} {}

    /// A hub led this station's question to us: it will introduce itself, and the hubs' word on it shall be here by then.
    void expect(const TunnelAddress& station, TimePoint now, Outbox& out);
    /// A Registration Request of a spoke. It is answered as soon as the hubs' word on each of its entries is known; until then it waits, or
    /// is repeated by its sender.
    void on_registration(const Received& received, TimePoint now, Outbox& out);
    /// There is news from a hub: looks again at what waits.
    void review(TimePoint now, Outbox& out);
    void peer_down(PeerId peer);

private:
    enum class Verdict : std::uint8_t { nothing_against, no, awaited };
    struct Waiting {
        PeerId from;
        Bytes bytes;
        Packet packet;
        TimePoint since, repeated_at;
    };
    void consider(const Received& received, TimePoint since, TimePoint repeated_at, TimePoint now, Outbox& out);
    Verdict verdict(const Received& received, const Prefix& prefix, TimePoint since, TimePoint now, Outbox& out);
    std::optional<TimePoint> refused_at(PeerId peer, const TunnelAddress& next_hop, const Prefix& prefix) const;

    Context& context_;
    Bindings& bindings_;
    Resolver& resolver_;
    const Vouchers& vouchers_;
    std::deque<Waiting> waiting_;
};

}  // namespace nave::nhrp
