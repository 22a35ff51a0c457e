// The queue, the network and the remembering dataplanes.
#include "tests/simulation/two_ends.hpp"

#include "tests/simulation/standing_calendar.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::simulation {
namespace {

using std::chrono::milliseconds;

constexpr Duration kEspPauseMin = milliseconds{30}, kEspPauseMax = milliseconds{150};
constexpr Duration kComputeMax = milliseconds{200};  // of a busy crypto pool
constexpr std::size_t kViolationsMax = 10;

Duration between(SeededRandom& random, Duration low, Duration high) {
    return low + milliseconds{random.below(static_cast<std::uint32_t>((high - low) / milliseconds{1}) + 1)};
}

template <class Suite>
std::vector<Suite> suites_of(const Suite& one, const Suite& several, Abilities::KeyExchanges wanted) {
    if (wanted == Abilities::KeyExchanges::several) return {several};
    return {one, several};
}

ike::Settings settings_of(const std::string& name, const Abilities& abilities) {
    ike::Profile profile{.name = "dmvpn", .local = ike::Identity::parse(name + ".example").value(), .keys = {}, .child_limits = {}};
    profile.keys.push_back({ike::IdentityPattern::parse("*").value(), Secret{as_bytes("secret of both")}});
    if (abilities.key_exchanges != Abilities::KeyExchanges::one) {
        const auto ike = [](const char* text) { return ike::parse_ike_proposal(text).value(); };
        const auto esp = [](const char* text) { return ike::parse_esp_proposal(text).value(); };
        profile.ike_proposals = suites_of(ike("aes-gcm-256/prf-sha384/x25519"), ike("aes-gcm-256/prf-sha384/x25519/ke1-p256/ke2-p384"), abilities.key_exchanges);
        profile.esp_proposals = suites_of(esp("aes-gcm-256/x25519"), esp("aes-gcm-256/x25519/ke1-p256/ke2-p384"), abilities.key_exchanges);
    }
    ike::Settings settings;
    settings.profiles.push_back(std::move(profile));
    settings.resources = abilities.resources;
    settings.crypto_pool = abilities.crypto_pool;
    settings.calendar = &kStandingCalendar;
    return settings;
}

NbmaEndpoint address(std::uint32_t last) { return {NbmaAddress{IpAddress::v4(0xc0000200 + last)}, 500}; }

}  // namespace

End::End(std::string end_name, NbmaEndpoint end_local, const Abilities& abilities, std::uint64_t seed)
    : name{std::move(end_name)}, local{end_local}, random{seed} {
    ike::Settings settings = settings_of(name, abilities);
    if (seed / 2 % 2 == 1) settings.ticket_keys = {Secret{Bytes(32, 1)}};  // both ends of every other run hand out tickets
    endpoint = std::make_unique<ike::Endpoint>(std::move(settings), random, *this);
}

std::optional<Spi> End::allocate() { return *taken.insert(Spi{++last_spi_}).first; }
void End::release(Spi spi) { taken.erase(spi); }

TwoEnds::TwoEnds(std::uint64_t seed, const Abilities& left, const Abilities& right, bool verbose)
    : random{seed * 0x9e3779b9 + 1},
      ends{End{"left", address(10), left, seed * 2}, End{"right", address(20), right, seed * 2 + 1}},
      verbose_{verbose} {
    for (End& end : ends) at(now, [this, &end] { send_esp(end); });
}

void TwoEnds::at(TimePoint when, std::function<void()> event) { events_.emplace(when, std::move(event)); }

void TwoEnds::run_until(TimePoint end) {
    for (;;) {
        std::optional<TimePoint> next;
        if (!events_.empty()) next = events_.begin()->first;
        for (const End& each : ends) next = earlier(next, each.endpoint->next_deadline());
        if (!next || *next > end) break;
        now = std::max(now, *next);
        meet_deadlines();
        if (!events_.empty() && events_.begin()->first <= now) {
            const auto event = std::move(events_.begin()->second);
            events_.erase(events_.begin());
            event();
        }
        if (after_each) after_each();
    }
    now = end;
}

void TwoEnds::meet_deadlines() {
    for (End& end : ends) {
        const auto deadline = end.endpoint->next_deadline();
        if (!deadline || *deadline > now) continue;
        ike::Outbox out;
        end.endpoint->on_deadline(now, out);
        carry_out(end, out);
        if (const auto next = end.endpoint->next_deadline(); next && *next <= now) violation(end.name + ": a deadline that was met is still due");
    }
}

void TwoEnds::connect(End& end) {
    act(end, "connect", [&](ike::Endpoint& endpoint, ike::Outbox& out) {
        endpoint.connect({.profile = {}, .local = end.local, .remote = other(end).local, .expected = {}, .token = 1, .resumable = true}, now, out);
    });
}

void TwoEnds::act(End& end, std::string_view what, const std::function<void(ike::Endpoint&, ike::Outbox&)>& call) {
    if (!what.empty()) say(end, fmt::format("-- {}", what));
    ike::Outbox out;
    call(*end.endpoint, out);
    carry_out(end, out);
}

void TwoEnds::carry_out(End& end, const ike::Outbox& out) {
    for (const ike::Action& action : out) carry_out(end, action);
}

void TwoEnds::carry_out(End& end, const ike::Action& action) {
    if (const auto* datagram = std::get_if<ike::SendDatagram>(&action))
        send(datagram->remote, [this, datagram = *datagram](End& to) {
            act(to, {}, [&](ike::Endpoint& endpoint, ike::Outbox& out) { endpoint.on_datagram(datagram.remote, datagram.local, datagram.payload, now, out); });
        });
    if (const auto* wanted = std::get_if<ike::Compute>(&action))
        at(now + between(random, Duration{}, kComputeMax), [this, &end, job = *wanted] {
            ike::CryptoJob work = job.work;
            ike::compute(work);
            act(end, {}, [&](ike::Endpoint& endpoint, ike::Outbox& out) { endpoint.on_computed(job.job, std::move(work), now, out); });
        });
    if (const auto* line = std::get_if<ike::Log>(&action)) say(end, line->text);
    if (const auto* up = std::get_if<ike::SaUp>(&action))
        if (std::ranges::find(end.up, up->sa) == end.up.end()) end.up.push_back(up->sa);
    if (const auto* install = std::get_if<ike::InstallInbound>(&action)) {
        if (!end.taken.contains(install->spi) || !end.inbound.emplace(install->spi, *install).second) violation(end.name + ": an inbound SA with an SPI that is not free");
    }
    if (const auto* install = std::get_if<ike::InstallOutbound>(&action)) {
        const bool twin = std::ranges::any_of(end.inbound, [&](const auto& each) { return each.second.child == install->child; });
        if (!twin) violation(end.name + ": an outbound SA without its inbound twin");
        end.outbound.push_back(*install);
    }
    if (const auto* remove = std::get_if<ike::RemoveInbound>(&action)) {
        if (end.inbound.erase(remove->spi) != 1) violation(end.name + ": an inbound SA was removed that is not installed");
        end.used.erase(remove->spi);
        end.release(remove->spi);
    }
    if (const auto* remove = std::get_if<ike::RemoveOutbound>(&action)) {
        const auto erased = std::erase_if(end.outbound, [&](const auto& each) { return each.child == remove->child; });
        if (erased != 1) violation(end.name + ": an outbound SA was removed that is not installed");
    }
    if (const auto* down = std::get_if<ike::SaDown>(&action)) {
        std::erase(end.up, down->sa);
        if (on_down) on_down(end, *down);
    }
}

/// Into bad weather: any copy may be lost, and each has its own delay.
void TwoEnds::send(const NbmaEndpoint& destination, std::function<void(End&)> deliver) {
    End& to = destination.address == ends[0].local.address ? ends[0] : ends[1];
    const int copies = random.chance(weather.duplicate_percent) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        if (random.chance(weather.loss_percent)) continue;
        const Duration extra = random.chance(weather.reorder_percent) ? weather.reorder_delay : Duration{};
        at(now + between(random, weather.delay, weather.delay + weather.delay_spread) + extra, [&to, deliver] { deliver(to); });
    }
}

/// Traffic without end, on the newest SA of some resource or of all; that is how the other end learns that it is used.
void TwoEnds::send_esp(End& end) {
    at(now + between(random, kEspPauseMin, kEspPauseMax), [this, &end] { send_esp(end); });
    if (end.outbound.empty()) return;
    const auto& any = end.outbound[random.below(static_cast<std::uint32_t>(end.outbound.size()))];
    const Spi spi = std::ranges::find(end.outbound.rbegin(), end.outbound.rend(), any.resource, &ike::InstallOutbound::resource)->spi;
    send(other(end).local, [this, spi](End& to) {
        const auto held = to.inbound.find(spi);
        if (held == to.inbound.end()) {
            ++esp_lost;
            return;
        }
        ++esp_opened;
        const ike::SaId sa = held->second.sa;
        to.endpoint->traffic_seen(sa, now);
        if (to.used.insert(spi).second) act(to, {}, [&](ike::Endpoint& endpoint, ike::Outbox& out) { endpoint.inbound_used(sa, spi, now, out); });
    });
}

bool TwoEnds::can_send(const End& from) const {
    const End& to = &from == &ends[0] ? ends[1] : ends[0];
    return std::ranges::any_of(from.outbound, [&](const ike::InstallOutbound& sent) {
        const auto held = to.inbound.find(sent.spi);
        return !sent.resource && held != to.inbound.end() && held->second.algorithm == sent.algorithm && std::ranges::equal(held->second.keymat.view(), sent.keymat.view());
    });
}

void TwoEnds::violation(std::string text) {
    if (violations.size() < kViolationsMax) violations.push_back(fmt::format("{:.3f} s: {}", std::chrono::duration<double>(now - TimePoint{std::chrono::hours{1}}).count(), text));
    if (verbose_) fmt::print("VIOLATION {}\n", text);
}

void TwoEnds::say(const End& end, std::string_view text) const {
    if (verbose_) fmt::print("{:9.3f} {:5} {}\n", std::chrono::duration<double>(now - TimePoint{std::chrono::hours{1}}).count(), end.name, text);
}

}  // namespace nave::simulation
