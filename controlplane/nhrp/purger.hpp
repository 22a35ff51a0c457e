// Purging (RFC 2332 §5.2.5): who resolved what through us, and the Purge Requests under way.
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/deadlines.hpp"

#include <map>
#include <set>
#include <tuple>

namespace nave::nhrp {

class Purger {
public:
    explicit Purger(Context& context) : context_{context} {}

    /// Remembers that `requester` was told `prefix` is at `next_hop`, until the answer expires by itself.
    void record(const IpAddress& requester, const Prefix& prefix, TunnelAddress next_hop, TimePoint expires);
    /// Asks everybody who was told of something at `next_hop` that overlaps `prefix` to drop it.
    void purge_answers(TunnelAddress next_hop, const Prefix& prefix, TimePoint now, Outbox& out);
    /// The same for all that was said of `next_hop`.
    void purge_next_hop(TunnelAddress next_hop, TimePoint now, Outbox& out);
    /// Asks the hub `server` to drop our registrations of `prefixes`; repeated until it answers.
    void purge_registration(PeerId peer, const IpAddress& server, std::vector<Prefix> prefixes, TimePoint now, Outbox& out);
    /// What is registered there again must not be dropped by a repetition, of a purge of more neither.
    void keep_registrations(PeerId peer, const std::set<Prefix>& prefixes);
    /// The same once, without asking for an answer, under the registration's own request id (old IOS matches by it).
    void purge_registration_once(PeerId peer, const IpAddress& server, std::uint32_t request_id, const Prefix& prefix, Outbox& out);

    /// A Purge Reply, or an error about a Purge Request. False: `from` was not asked that.
    bool on_answer(PeerId from, std::uint32_t request_id);
    void peer_down(PeerId peer);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const { return earlier(expiries_.next(), retries_.next()); }
    std::size_t answer_count() const { return answers_.size(); }
    std::size_t pending_count() const { return pending_.size(); }

private:
    struct Answer {
        TunnelAddress next_hop;
        Prefix prefix;
        IpAddress requester;
        auto operator<=>(const Answer&) const = default;
    };
    struct Pending {
        std::optional<PeerId> peer;  // fixed for a hub; else looked up for each attempt
        IpAddress destination;
        std::vector<Prefix> prefixes;
        std::uint32_t attempts = 0;
        std::set<PeerId> asked{};    // whom it went to: only they may answer
    };

    void start(Pending pending, TimePoint now, Outbox& out);
    void transmit(std::uint32_t id, Pending& pending, TimePoint now, Outbox& out);
    void send(PeerId peer, const IpAddress& destination, std::uint32_t id, std::uint16_t flags, const std::vector<Prefix>& prefixes, Outbox& out);

    Context& context_;
    std::set<Answer> answers_;
    Deadlines<Answer> expiries_;
    std::map<std::uint32_t, Pending> pending_;  // by request id
    Deadlines<std::uint32_t> retries_;
};

}  // namespace nave::nhrp
