// The inside of an Endpoint: its settings and tables, and the frame in which every event is handled.
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/cookie.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/ike/revocation_desk.hpp"
#include "controlplane/ike/waiting_room.hpp"

#include <map>
#include <optional>

namespace nave::ike {

struct Endpoint::Impl {
    Settings settings;
    Random& random;
    SpiSource& spis;
    SaTable table{};
    TicketBook tickets{};
    CounterMap counters{};
    CookieJar cookies{};
    StrangerLog stranger_log{};
    WaitingRoom waiting{};
    std::uint64_t last_job = 0;
    RevocationDesk desk{};
    std::multimap<FetchId, JobId> awaiting_answers{};
    std::optional<TimePoint> asks_at{};  // about our own certificates, for the first time

    Context begin(TimePoint now, Outbox& out);
    /// Ends an event: for every association that it touched, starts what is wanted next, files its deadline, erases it if it is gone.
    void settle(Context& context);
    /// `any`: also an attempt of the peer that is under way; nobody may hold ours up twice by pretending one.
    enum class Join : std::uint8_t { any, own };
    SaId connect(Context& context, const ConnectRequest& request, Join join);
    /// Behind what its sender waits for, if anything, else at once.
    void receive(const Arrival& arrival, TimePoint now, Outbox& out);
    bool is_up(const Sender& sender);
    /// `computed`: what was asked for when it was handled before. Waits if one more result is needed.
    void handle(const Sender& sender, const Arrival& arrival, std::vector<CryptoJob> computed, TimePoint now, Outbox& out);
    /// Ends the wait for that job, or for nothing in particular: handles what waited, then what came behind it.
    void resume(JobId job, std::optional<CryptoJob> work, TimePoint now, Outbox& out);
    void resume(FetchId answered, TimePoint now, Outbox& out);
    void deliver(Context& context, const Arrival& arrival);
};

}  // namespace nave::ike
