// The endpoint's events: each finds its association, lets the machine work on it, and settles what it touched.
#include "controlplane/ike/endpoint_impl.hpp"

#include "common/headers.hpp"
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/children.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/protected_exchange.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/revocation.hpp"
#include "controlplane/ike/timers.hpp"
#include "controlplane/ike/trace.hpp"

#include <algorithm>

namespace nave::ike {
namespace {

constexpr std::uint8_t kKeepalive = 0xff;
constexpr Duration kJoinPatience = std::chrono::seconds{2};

/// The IKE message of a datagram; empty, and counted, if it holds none.
ByteView without_marker(Context& context, std::uint16_t local_port, ByteView payload) {
    if (payload.size() == 1 && payload[0] == kKeepalive) {
        context.count("keepalives-received");
        return {};
    }
    if (local_port == kUdpPortIke) return payload;
    constexpr std::size_t kMarker = 4;
    const bool has_marker = payload.size() > kMarker && std::ranges::all_of(payload.first(kMarker), [](std::uint8_t byte) { return byte == 0; });
    if (has_marker) return payload.subspan(kMarker);
    context.count("without-marker");
    return {};
}

/// Of what was one before; the datagram has to live as long.
Arrival arrival_of(const Datagram& datagram) { return {datagram.local, datagram.remote, datagram.message, decode_header(datagram.message).value()}; }

/// 0 in a stranger's first message.
std::uint64_t our_spi(const Header& header) { return header.from_initiator ? header.responder_spi : header.initiator_spi; }

IkeSa* ike_by_spi(Association& association, std::uint64_t our_spi) {
    if (association.ike->our_spi() == our_spi) return association.ike.get();
    auto* established = association.in<Established>();
    if (!established) return nullptr;
    for (Sibling& sibling : established->siblings)
        if (sibling.ike->our_spi() == our_spi) return sibling.ike.get();
    return nullptr;
}

}  // namespace

Context Endpoint::Impl::begin(TimePoint now, Outbox& out) {
    return {.settings = settings,
            .random = random,
            .spis = spis,
            .table = table,
            .tickets = tickets,
            .counters = counters,
            .stranger_log = stranger_log,
            .desk = desk,
            .now = now,
            .out = out};
}

void Endpoint::Impl::settle(Context& context) {
    while (!context.touched.empty() || !context.reconnects.empty()) {
        for (const SaId id : std::exchange(context.touched, {})) {
            Association* association = table.find(id);
            if (!association) continue;
            pursue(context, *association);
            if (association->in<Gone>()) table.erase(*association);
            else table.schedule(*association, ike::next_deadline(context, *association));
        }
        for (const ConnectRequest& request : std::exchange(context.reconnects, {})) connect(context, request, Join::own);
    }
}

SaId Endpoint::Impl::connect(Context& context, const ConnectRequest& request, Join join) {
    for (Association* attempt : table.attempts(request.remote.address)) {
        const bool is_own = attempt->initiator && attempt->profile == request.profile && attempt->local.address == request.local.address &&
                            (attempt->remote == request.remote || (attempt->encapsulated && !request.punch));
        auto* responding = attempt->in<AwaitingAuthRequest>();
        const bool is_young = join == Join::any && responding && context.now - responding->began_at < kJoinPatience &&
                              (attempt->remote == request.remote || !request.punch);
        if (!is_own && !is_young) continue;
        attempt->requests.push_back(request);
        if (responding && !responding->impatient_at) responding->impatient_at = context.now + kJoinPatience;
        context.count("attempts-joined");
        context.touch(*attempt);
        return attempt->id;
    }
    Association& association = table.add();
    const SaId id = association.id;
    start_attempt(context, association, request);
    return id;
}

void Endpoint::Impl::receive(const Arrival& arrival, TimePoint now, Outbox& out) {
    Sender sender = Stranger{arrival.header.initiator_spi, arrival.remote.address};
    if (Association* association = table.by_spi(our_spi(arrival.header))) sender = association->id;
    if (!waiting.holds(sender)) return handle(sender, arrival, {}, now, out);
    if (!waiting.queue(sender, copy_of(arrival))) begin(now, out).count("postponed-too-many");
}

bool Endpoint::Impl::is_up(const Sender& sender) {
    const auto* id = std::get_if<SaId>(&sender);
    const Association* association = id ? table.find(*id) : nullptr;
    return association && association->in<Established>();
}

void Endpoint::Impl::handle(const Sender& sender, const Arrival& arrival, std::vector<CryptoJob> computed, TimePoint now, Outbox& out) {
    Context context = begin(now, out);
    context.computed = std::move(computed);
    context.postpones = settings.crypto_pool;
    try {
        deliver(context, arrival);
    } catch (const RevocationBusy&) {
        context.take_back_counts();
        context.count("revocation-busy");
    } catch (Postponed& postponed) {
        context.take_back_counts();
        const JobId job{++last_job};
        if (const auto* stranger = std::get_if<Stranger>(&sender)) table.begin_half_open(stranger->address);
        waiting.wait_for(job, {sender, copy_of(arrival), std::move(context.computed)});
        context.count("postponed");
        if (auto* work = std::get_if<CryptoJob>(&postponed.awaited)) out.push_back(Compute{job, std::move(*work), is_up(sender)});
        else awaiting_answers.emplace(std::get<FetchId>(postponed.awaited), job);
    }
    settle(context);
}

void Endpoint::Impl::resume(JobId job, std::optional<CryptoJob> work, TimePoint now, Outbox& out) {
    auto visit = waiting.leave(job);
    if (!visit) return;
    if (const auto* stranger = std::get_if<Stranger>(&visit->sender)) table.end_half_open(stranger->address);
    if (work) visit->computed.push_back(std::move(*work));
    handle(visit->sender, arrival_of(visit->datagram), std::move(visit->computed), now, out);
    for (const Datagram& next : visit->behind) receive(arrival_of(next), now, out);
}

void Endpoint::Impl::resume(FetchId answered, TimePoint now, Outbox& out) {
    const auto [first, last] = awaiting_answers.equal_range(answered);
    std::vector<JobId> jobs;
    for (auto each = first; each != last; ++each) jobs.push_back(each->second);
    awaiting_answers.erase(first, last);
    for (const JobId job : jobs) resume(job, std::nullopt, now, out);
}

void Endpoint::Impl::deliver(Context& context, const Arrival& arrival) {
    const Header& header = arrival.header;
    if (context.computed.empty()) trace_plain(context, arrival.remote, arrival.local, arrival.message);
    if (!header.response && header.major_version != 2) {
        context.count("unsupported-version");
        return send_stateless(context, arrival, {.type = NotifyType::invalid_major_version, .data = {2}});
    }
    if (header.exchange == ExchangeType::ike_sa_init && !header.response) {
        if (header.responder_spi != 0) return context.count("malformed");
        return on_init_request(context, cookies, arrival);
    }
    if (header.exchange == ExchangeType::ike_session_resume && !header.response) return on_resume_request(context, cookies, arrival);
    Association* association = table.by_spi(our_spi(header));
    IkeSa* ike = association ? ike_by_spi(*association, our_spi(header)) : nullptr;
    if (!ike) return context.count("unknown-spi");
    if (header.exchange == ExchangeType::ike_sa_init) {
        if (header.from_initiator || header.message_id != 0) return context.count("malformed");
        if (association->in<AwaitingAuthResponse>()) return on_competing_answer(context, *association, arrival);
        if (!association->in<AwaitingInitResponse>()) return context.count("unexpected-responses");
        context.touch(*association);
        return on_init_response(context, *association, arrival);
    }
    if (header.exchange == ExchangeType::ike_session_resume) return on_resume_response(context, *association, arrival);
    on_protected(context, *association, *ike, arrival);
}

Endpoint::Endpoint(Settings settings, Random& random, SpiSource& spis) : impl_{std::make_unique<Impl>(std::move(settings), random, spis)} {
    if (asks_about_itself(impl_->settings)) impl_->asks_at = TimePoint{};
}
Endpoint::~Endpoint() = default;

SaId Endpoint::connect(const ConnectRequest& request, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    const SaId id = impl_->connect(context, request, Impl::Join::any);
    impl_->settle(context);
    return id;
}

void Endpoint::on_datagram(const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    const ByteView message = without_marker(context, local.port, payload);
    if (message.empty()) return;
    const auto header = decode_header(message);
    if (!header) return context.count("malformed");
    impl_->receive({local, remote, message, *header}, now, out);
}

void Endpoint::on_computed(JobId job, CryptoJob work, TimePoint now, Outbox& out) {
    impl_->resume(job, std::move(work), now, out);
}

void Endpoint::fetched(FetchId id, const std::expected<Bytes, std::string>& content, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    take_answer(context, id, content);
    impl_->settle(context);
    impl_->resume(id, now, out);
}

void Endpoint::on_deadline(TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    while (Association* association = impl_->table.due(now)) {
        context.has_waiting = impl_->waiting.holds(association->id);
        on_due(context, *association);
        impl_->settle(context);
    }
    const auto asks_at = earlier(impl_->desk.next_deadline(), impl_->asks_at);
    if (!asks_at || *asks_at > now) return;
    impl_->asks_at.reset();
    for (const FetchId unanswered : renew_answers(context)) impl_->resume(unanswered, now, out);
}

std::optional<TimePoint> Endpoint::next_deadline() const { return earlier(impl_->table.next_deadline(), earlier(impl_->desk.next_deadline(), impl_->asks_at)); }

void Endpoint::close(SaId sa, DownReason reason, bool at_once, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    Association* association = impl_->table.find(sa);
    if (!association) return;
    context.touch(*association);
    if (reason == DownReason::closed_by_us) forget_ticket(context, *association);  // whoever wants it closed wants it to begin from the beginning
    if (association->in<Established>()) end(context, *association, reason, at_once ? "closed without waiting for the peer" : "closed", Ending::farewell);
    else if (!association->in<Closing>() && !association->in<Lingering>()) fail_attempt(context, *association, reason, "closed before it was up");
    if (at_once && association->in<Closing>()) {
        association->ike->outstanding.reset();  // the one DELETE goes out now, whatever else waits for its answer
        pursue(context, *association);
        move_to(context, *association, Gone{}, "not waiting for an answer");
    }
    impl_->settle(context);
}

void Endpoint::rekey_ike(SaId sa, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    Association* association = impl_->table.find(sa);
    if (!association || !association->in<Established>()) return;
    association->in<Established>()->rekey_at = now;
    context.touch(*association);
    impl_->settle(context);
}

void Endpoint::rekey_child(SaId sa, Spi inbound, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    Association* association = impl_->table.find(sa);
    auto* established = association ? association->in<Established>() : nullptr;
    ChildSa* child = established ? child_by_inbound(*established, inbound) : nullptr;
    if (!child || !child->is_live()) return;
    child->rekey_at = std::min(child->rekey_at, now);
    context.touch(*association);
    impl_->settle(context);
}

void Endpoint::inbound_used(SaId sa, Spi inbound, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    Association* association = impl_->table.find(sa);
    auto* established = association ? association->in<Established>() : nullptr;
    ChildSa* child = established ? child_by_inbound(*established, inbound) : nullptr;
    if (!child) return;
    use_outbound(context, *association, *child);
    context.touch(*association);
    impl_->settle(context);
}

void Endpoint::peer_moved(SaId sa, const NbmaEndpoint& seen, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    Association* association = impl_->table.find(sa);
    if (association && association->in<Established>() && association->encapsulated) follow(context, *association, association->local, seen);
    impl_->settle(context);
}

void Endpoint::traffic_seen(SaId sa, TimePoint now) {
    Association* association = impl_->table.find(sa);
    if (auto* established = association ? association->in<Established>() : nullptr) established->heard_at = std::max(established->heard_at, now);
}

void Endpoint::probe(SaId sa, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    Association* association = impl_->table.find(sa);
    auto* established = association ? association->in<Established>() : nullptr;
    if (!established) return;
    established->probe_wanted = true;
    context.touch(*association);
    impl_->settle(context);
}

void Endpoint::local_address_gone(const NbmaAddress& old_local, TimePoint now, Outbox& out) {
    Context context = impl_->begin(now, out);
    for (const auto& [id, association] : impl_->table.all()) {
        if (association->local.address != old_local) continue;
        context.touch(*association);
        if (association->in<Established>()) end(context, *association, DownReason::closed_by_us, "our address is gone", Ending::silent);
        else if (association->in<Closing>() || association->in<Lingering>()) association->state = Gone{};
        else fail_attempt(context, *association, DownReason::closed_by_us, "our address is gone");
    }
    for (const ConnectRequest& request : std::exchange(context.reconnects, {}))
        out.push_back(SaDown{SaId{}, request.token, DownReason::closed_by_us, "our address is gone"});
    impl_->settle(context);
}

void Endpoint::replace_revocations(ProfileId profile, std::vector<RevocationList> lists, TimePoint now, Outbox& out) {
    if (profile.value >= impl_->settings.profiles.size()) return;
    impl_->settings.profiles[profile.value].revocations = std::move(lists);
    Context context = impl_->begin(now, out);
    drop_revoked(context, profile);
    impl_->settle(context);
}

void Endpoint::replace_pinned(ProfileId profile, std::vector<PinnedIdentity> pinned) {
    if (profile.value < impl_->settings.profiles.size()) impl_->settings.profiles[profile.value].pinned = std::move(pinned);
}

void Endpoint::replace_ticket_keys(std::vector<Secret> keys) { impl_->settings.ticket_keys = std::move(keys); }

const std::map<std::string, std::uint64_t, std::less<>>& Endpoint::counters() const { return impl_->counters; }

}  // namespace nave::ike
