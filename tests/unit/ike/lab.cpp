// The stage: gateways that remember, and the network between them.
#include "tests/unit/ike/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace nave::ike::play {

void SeededRandom::fill(std::span<std::uint8_t> bytes) {
    for (std::uint8_t& byte : bytes) {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        byte = static_cast<std::uint8_t>(z >> 56);
    }
}

NbmaEndpoint at(std::string_view address, std::uint16_t port) { return {NbmaAddress{IpAddress::parse(address).value()}, port}; }
Identity identity(std::string_view text) { return Identity::parse(text).value(); }
IdentityPattern pattern(std::string_view text) { return IdentityPattern::parse(text).value(); }
Secret secret(std::string_view text) { return Secret{as_bytes(text)}; }

Gateway::Gateway(std::string gateway_name, std::string_view own_address, std::uint64_t seed)
    : name{std::move(gateway_name)}, address{at(own_address).address}, random{seed}, last_spi_{static_cast<std::uint32_t>(seed) << 20 | 1u << 30} {
    settings.profiles.push_back(Profile{.name = "dmvpn", .local = identity(name + ".example"), .keys = {{pattern("*"), secret("secret")}}, .child_limits = {}});
    settings.calendar = &calendar;
    start();
}

void Gateway::start() {
    endpoint = std::make_unique<Endpoint>(settings, random, *this);
    ups.clear(), downs.clear(), inbound.clear(), outbound.clear(), spis.clear(), jobs.clear(), fetches.clear();
}

std::optional<Spi> Gateway::allocate() {
    if (spis.size() >= spis_max) return std::nullopt;
    return *spis.insert(Spi{++last_spi_}).first;
}

void Gateway::release(Spi spi) { REQUIRE(spis.erase(spi) == 1); }

void Gateway::take(const Outbox& out, std::vector<SendDatagram>& sent) {
    for (const Action& action : out) {
        if (const auto* send = std::get_if<SendDatagram>(&action)) sent.push_back(*send);
        if (const auto* up = std::get_if<SaUp>(&action)) ups.push_back(*up);
        if (const auto* down = std::get_if<SaDown>(&action)) downs.push_back(*down);
        if (const auto* move = std::get_if<PeerEndpointChanged>(&action)) moves.push_back(*move);
        if (const auto* log = std::get_if<Log>(&action)) logs.push_back(log->text);
        if (const auto* keys = std::get_if<KeyLog>(&action)) key_log.push_back(*keys);
        if (const auto* each = std::get_if<Trace>(&action)) trace.push_back(*each);
        if (const auto* job = std::get_if<Compute>(&action)) jobs.push_back(*job);
        if (const auto* fetch = std::get_if<FetchRevocation>(&action)) fetches.push_back(*fetch);
        if (const auto* install = std::get_if<InstallInbound>(&action)) {
            REQUIRE(spis.contains(install->spi));
            REQUIRE(std::ranges::any_of(ups, [&](const SaUp& up) { return up.sa == install->sa; }));  // SaUp precedes
            inbound[install->child] = *install;
        }
        if (const auto* install = std::get_if<InstallOutbound>(&action)) {
            REQUIRE(inbound.contains(install->child));
            outbound.push_back(*install);
            ++outbound_installs;
        }
        if (const auto* remove = std::get_if<RemoveInbound>(&action)) {
            REQUIRE(inbound.erase(remove->child) == 1);
            release(remove->spi);
        }
        if (const auto* remove = std::get_if<RemoveOutbound>(&action))
            REQUIRE(std::erase_if(outbound, [&](const InstallOutbound& sa) { return sa.child == remove->child; }) == 1);
    }
}

bool Gateway::is_up() const {
    return std::ranges::any_of(ups, [&](const SaUp& up) { return std::ranges::find(downs, up.sa, &SaDown::sa) == downs.end(); });
}

SaId Gateway::sa() const {
    std::optional<SaId> only;
    for (const SaUp& up : ups) {
        if (std::ranges::find(downs, up.sa, &SaDown::sa) != downs.end() || only == up.sa) continue;
        REQUIRE_FALSE(only);
        only = up.sa;
    }
    REQUIRE(only);
    return *only;
}

SaView Gateway::view() const {
    for (SaView& view : endpoint->snapshot())
        if (view.sa == sa()) return std::move(view);
    throw std::logic_error{"no view of an association that is up"};
}

std::uint64_t Gateway::count(std::string_view counter) const {
    const auto found = endpoint->counters().find(counter);
    return found == endpoint->counters().end() ? 0 : found->second;
}

bool Gateway::logged(std::string_view words) const {
    return std::ranges::any_of(logs, [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

Gateway& Lab::gateway(std::string name, std::string_view address) {
    gateways_.push_back(std::make_unique<Gateway>(std::move(name), address, seed_ * 64 + gateways_.size()));
    return *gateways_.back();
}

void Lab::put_behind_nat(Gateway& gateway, std::string_view public_address) { nats_[&gateway] = {at(public_address).address, {}}; }
void Lab::forward(Gateway& gateway, std::uint16_t inside_port, std::uint16_t outside_port) { nats_[&gateway].ports[inside_port] = outside_port; }
void Lab::rebind(Gateway& gateway) { nats_[&gateway].ports.clear(); }

SaId Lab::connect(Gateway& from, Gateway& to, std::uint64_t token, std::optional<IdentityPattern> expected) {
    const auto nat = nats_.find(&to);
    return connect_to(from, {nat == nats_.end() ? to.address : nat->second.outside, 500}, token, std::move(expected));
}

SaId Lab::connect_to(Gateway& from, const NbmaEndpoint& remote, std::uint64_t token, std::optional<IdentityPattern> expected) {
    SaId id;
    act(from, [&](Endpoint& endpoint, Outbox& out) {
        id = endpoint.connect({.profile = {}, .local = {from.address, 500}, .remote = remote, .expected = expected, .token = token}, now, out);
    });
    return id;
}

void Lab::establish(Gateway& from, Gateway& to) {
    connect(from, to);
    run();
    REQUIRE(from.is_up());
    REQUIRE(to.is_up());
    REQUIRE(talk(from, to));
}

void Lab::act(Gateway& gateway, const std::function<void(Endpoint&, Outbox&)>& call) {
    Outbox out;
    call(*gateway.endpoint, out);
    carry_out(gateway, out);
}

bool Lab::compute(Gateway& gateway) {
    if (gateway.jobs.empty()) return false;
    Compute job = std::move(gateway.jobs.front());
    gateway.jobs.pop_front();
    ike::compute(job.work);
    act(gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.on_computed(job.job, std::move(job.work), now, out); });
    return true;
}

void Lab::run_with_pools() {
    const auto any_computes = [&] { return std::ranges::any_of(gateways_, [&](const auto& each) { return compute(*each); }); };
    do run();
    while (any_computes());
}

void Lab::carry_out(Gateway& gateway, const Outbox& out) {
    std::vector<SendDatagram> sent;
    gateway.take(out, sent);
    for (SendDatagram& datagram : sent) {
        Packet packet{&gateway, datagram.local, datagram.remote, std::move(datagram.payload)};
        if (const auto nat = nats_.find(&gateway); nat != nats_.end()) {
            auto [mapping, fresh] = nat->second.ports.try_emplace(packet.source.port, next_nat_port_);
            if (fresh) ++next_nat_port_;
            packet.source = {nat->second.outside, mapping->second};
        }
        const std::size_t copies = weather_random_.below(100) < weather.duplicate_percent ? 2 : 1;
        for (std::size_t i = 0; i < copies; ++i) {
            if (weather_random_.below(100) < weather.loss_percent) continue;
            const bool early = !wire.empty() && weather_random_.below(100) < weather.reorder_percent;
            const auto place = early ? weather_random_.below(static_cast<std::uint32_t>(wire.size())) : static_cast<std::uint32_t>(wire.size());
            wire.insert(wire.begin() + place, packet);
        }
    }
}

void Lab::inject(const Packet& packet) {
    for (const auto& gateway : gateways_) {
        NbmaEndpoint local = packet.destination;
        if (const auto nat = nats_.find(gateway.get()); nat != nats_.end()) {
            if (nat->second.outside != packet.destination.address) continue;
            const auto mapping = std::ranges::find(nat->second.ports, packet.destination.port, [](const auto& entry) { return entry.second; });
            if (mapping == nat->second.ports.end()) continue;
            local = {gateway->address, mapping->first};
        } else if (gateway->address != packet.destination.address) {
            continue;
        }
        act(*gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.on_datagram(local, packet.source, packet.payload, now, out); });
        return;
    }
}

std::deque<Packet>::iterator Lab::first_of(Gateway* sender) {
    return std::ranges::find_if(wire, [&](const Packet& packet) { return !sender || packet.sender == sender; });
}

Packet Lab::intercept(Gateway* sender) {
    const auto found = first_of(sender);
    REQUIRE(found != wire.end());
    Packet packet = std::move(*found);
    wire.erase(found);
    return packet;
}

bool Lab::deliver(Gateway* sender) {
    if (first_of(sender) == wire.end()) return false;
    inject(intercept(sender));
    return true;
}

Bytes Lab::lose(Gateway* sender) { return intercept(sender).payload; }

void Lab::run() {
    while (deliver()) {}
}

std::optional<TimePoint> Lab::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& gateway : gateways_) next = earlier(next, gateway->endpoint->next_deadline());
    return next;
}

void Lab::run_deadlines() {
    for (const auto& gateway : gateways_) {
        const auto deadline = gateway->endpoint->next_deadline();
        if (!deadline || *deadline > now) continue;
        act(*gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.on_deadline(now, out); });
        const auto next = gateway->endpoint->next_deadline();
        REQUIRE((!next || *next > now));  // a deadline that stays due would spin the loop
    }
}

void Lab::advance_to_next_deadline() {
    const auto next = next_deadline();
    REQUIRE(next);
    now = std::max(now, *next);
    run_deadlines();
}

void Lab::advance(Duration duration) {
    const TimePoint end = now + duration;
    run();
    for (auto next = next_deadline(); next && *next <= end; next = next_deadline()) {
        now = std::max(now, *next);
        run_deadlines();
        run();
    }
    now = end;
}

void Lab::advance_losing(Duration duration, Gateway& sender) {
    const TimePoint end = now + duration;
    const auto lose_its = [&] { std::erase_if(wire, [&](const Packet& packet) { return packet.sender == &sender; }); };
    for (auto next = next_deadline(); next && *next <= end; next = next_deadline()) {
        now = std::max(now, *next);
        run_deadlines();
        for (lose_its(); deliver(); lose_its()) {}
    }
    now = end;
}

void Lab::rekey_child(Gateway& gateway) {
    act(gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.rekey_child(gateway.sa(), gateway.inbound_spi(), now, out); });
}

void Lab::rekey_ike(Gateway& gateway) {
    act(gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.rekey_ike(gateway.sa(), now, out); });
}

void Lab::close(Gateway& gateway, bool at_once) {
    act(gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.close(gateway.sa(), DownReason::closed_by_us, at_once, now, out); });
}

void Lab::send_traffic(Gateway& from, Gateway& to) {
    REQUIRE(reaches(from, to));
    const Spi spi = from.outbound.back().spi;
    const auto used = std::ranges::find_if(to.inbound, [&](const auto& entry) { return entry.second.spi == spi; });
    act(to, [&](Endpoint& endpoint, Outbox& out) { endpoint.inbound_used(used->second.sa, spi, now, out); });
}

bool Lab::reaches(const Gateway& from, const Gateway& to) {
    if (from.outbound.empty()) return false;
    const InstallOutbound& sent = from.outbound.back();
    return std::ranges::any_of(to.inbound, [&](const auto& entry) {
        const InstallInbound& held = entry.second;
        return held.spi == sent.spi && held.algorithm == sent.algorithm && held.mode == sent.mode && held.esn == sent.esn &&
               std::ranges::equal(held.keymat.view(), sent.keymat.view());
    });
}

}  // namespace nave::ike::play
