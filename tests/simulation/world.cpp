// Many gateways under one virtual clock; see the header.
#include "tests/simulation/world.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <set>

namespace nave::simulation {

namespace {
constexpr PortId kPort{0};
constexpr Duration kEventDelay = std::chrono::microseconds{50};  // from a worker to the control thread
constexpr Duration kNameDelay = std::chrono::milliseconds{30};
constexpr std::size_t kLogLinesMax = 2000;
constexpr std::uint32_t kSpinsMax = 1000;

/// NAVE_SEED_SHIFT plays every case with other dice, for long runs.
std::uint64_t seed_shift() {
    const char* shift = std::getenv("NAVE_SEED_SHIFT");
    return shift ? std::strtoull(shift, nullptr, 10) : 0;
}
}  // namespace

struct World::Station {
    Blueprint blueprint;
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<overlay::Gateway> gateway;
    std::unique_ptr<ModelDataplane> dataplane;
    std::uint64_t life = 0;
    std::optional<TimePoint> wake_at;
    TimePoint last_wake;
    std::uint32_t spins = 0;  // wakes without time going on
    std::map<Prefix, TunnelAddress> kernel_routes;
    std::vector<std::string> log, old_violations;
};

World::World(std::uint64_t seed, Weather weather) : random_{seed + seed_shift()}, underlay_{weather, random_} {}
World::~World() = default;

std::size_t World::add(Blueprint blueprint) {
    auto& station = stations_.emplace_back(std::make_unique<Station>());
    station->blueprint = std::move(blueprint);
    station->random = std::make_unique<SeededRandom>(random_.u64());
    return stations_.size() - 1;
}

Blueprint& World::blueprint(std::size_t index) { return stations_[index]->blueprint; }
overlay::Gateway& World::gateway(std::size_t index) { return *stations_[index]->gateway; }
ModelDataplane& World::dataplane(std::size_t index) { return *stations_[index]->dataplane; }
bool World::is_running(std::size_t index) const { return stations_[index]->gateway != nullptr; }
const std::vector<std::string>& World::log(std::size_t index) const { return stations_[index]->log; }

const std::map<Prefix, TunnelAddress>& World::kernel_routes(std::size_t index) const { return stations_[index]->kernel_routes; }

void World::start_at(std::size_t index, TimePoint when) { push(when, index, 0, Start{}); }

void World::start(std::size_t index) {
    Station& station = *stations_[index];
    const Blueprint& plan_of = station.blueprint;
    ++station.life;
    station.wake_at.reset();
    station.dataplane = std::make_unique<ModelDataplane>(plan_of.settings.sa_slots, index, sealing_keys_);
    underlay_.place(plan_of.underlay, index, plan_of.nat);
    if (plan_of.second_underlay) underlay_.place(*plan_of.second_underlay, index, plan_of.nat);
    overlay::Outbox out;
    station.gateway = std::make_unique<overlay::Gateway>(plan_of.settings, *station.random, now_, out);
    std::set<TableId> told;
    for (const overlay::Tunnel& tunnel : plan_of.settings.tunnels)
        for (const Prefix& prefix : told.insert(tunnel.table).second ? plan_of.lan : std::vector<Prefix>{}) station.gateway->set_local_prefix(tunnel.id, prefix, true, now_, out);
    station.gateway->set_underlay_address(kPort, plan_of.underlay.value.family(), plan_of.underlay, now_, out);
    if (const auto& second = plan_of.second_underlay) station.gateway->set_underlay_address(kPort, second->value.family(), second, now_, out);
    carry_out(index, out);
    push(now_ + counter_interval_ + std::chrono::milliseconds{random_.below(1000)}, index, station.life, ReadCounters{});
}

void World::crash(std::size_t index) {
    Station& station = *stations_[index];
    if (!station.gateway) return;
    station.old_violations.insert(station.old_violations.end(), station.dataplane->violations().begin(), station.dataplane->violations().end());
    underlay_.remove(station.blueprint.underlay);
    if (station.blueprint.second_underlay) underlay_.remove(*station.blueprint.second_underlay);
    station.gateway.reset();
    station.dataplane.reset();
    station.wake_at.reset();
    ++station.life;
}

void World::shut_down(std::size_t index) {
    with(index, [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { gateway.shut_down(now, out); });
    crash(index);
}

void World::change_address(std::size_t index, NbmaAddress address) {
    Station& station = *stations_[index];
    underlay_.remove(station.blueprint.underlay);
    station.blueprint.underlay = address;
    underlay_.place(address, index, station.blueprint.nat);
    with(index, [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { gateway.set_underlay_address(kPort, address.value.family(), address, now, out); });
}

void World::with(std::size_t index, const std::function<void(overlay::Gateway&, TimePoint, overlay::Outbox&)>& call) {
    overlay::Outbox out;
    call(*stations_[index]->gateway, now_, out);
    carry_out(index, out);
}

std::size_t World::ping(std::size_t from, std::size_t to) { return ping(from, stations_[from]->blueprint.host, stations_[to]->blueprint.host, to); }

std::size_t World::ping(std::size_t from, const IpAddress& source, const IpAddress& destination, std::size_t to) {
    const std::size_t id = traces_.size();
    traces_.push_back({.from = from, .to = to, .path = {}, .sent_at = now_});
    Effects effects;
    stations_[from]->dataplane->send(Data{.id = id, .source = source, .destination = destination, .path = {}}, now_, effects);
    carry_out(from, effects);
    return id;
}

void World::push(TimePoint when, std::size_t station, std::uint64_t life, decltype(Entry::what) what) {
    queue_.push_back({when, ++order_, station, life, std::move(what)});
    std::ranges::push_heap(queue_, std::greater{}, [](const Entry& entry) { return std::pair{entry.when, entry.order}; });
}

void World::run_for(Duration span) {
    const TimePoint end = now_ + span;
    while (!queue_.empty() && queue_.front().when <= end) {
        std::ranges::pop_heap(queue_, std::greater{}, [](const Entry& entry) { return std::pair{entry.when, entry.order}; });
        Entry entry = std::move(queue_.back());
        queue_.pop_back();
        now_ = std::max(now_, entry.when);
        handle(entry);
    }
    now_ = end;
}

bool World::run_until(const std::function<bool()>& condition, Duration limit, Duration step) {
    const TimePoint end = now_ + limit;
    while (!condition()) {
        if (now_ >= end) return false;
        run_for(step);
    }
    return true;
}

void World::handle(Entry& entry) {
    ++handled_;
    Station& station = *stations_[entry.station];
    if (auto* arrival = std::get_if<Arrival>(&entry.what)) return arrive(*arrival);
    if (std::holds_alternative<Start>(entry.what)) return start(entry.station);
    if (!station.gateway || station.life != entry.life) return;
    overlay::Outbox out;
    if (std::holds_alternative<Wake>(entry.what)) {
        if (station.wake_at != entry.when) return;
        station.wake_at.reset();
        station.spins = station.last_wake == now_ ? station.spins + 1 : 0;
        station.last_wake = now_;
        if (station.spins > kSpinsMax) {
            violations_.push_back(fmt::format("gateway {}: its deadline does not move on", entry.station));
            return crash(entry.station);
        }
        station.gateway->on_deadline(now_, out);
    } else if (std::holds_alternative<ReadCounters>(entry.what)) {
        station.gateway->on_counters(station.dataplane->counters(), now_, out);
        push(now_ + counter_interval_, entry.station, station.life, ReadCounters{});
    } else if (std::holds_alternative<WriteRoute>(entry.what)) {
        Effects effects;
        station.dataplane->write_route(effects);
        return carry_out(entry.station, effects);
    } else if (const auto* asked = std::get_if<Resolve>(&entry.what)) {
        const auto found = names_.find(asked->name);
        if (found == names_.end()) station.gateway->on_resolved(asked->name, std::unexpected{std::string{"no such name"}}, now_, out);
        else station.gateway->on_resolved(asked->name, found->second, now_, out);
    } else if (const auto* event = std::get_if<Event>(&entry.what)) {
        station.gateway->on_event(*event, now_, out);
    }
    carry_out(entry.station, out);
}

void World::arrive(Arrival& arrival) {
    const auto index = underlay_.arrive(arrival.packet);
    if (!index || !stations_[*index]->gateway) return;
    Station& station = *stations_[*index];
    if (const auto* datagram = std::get_if<IkeDatagram>(&arrival.packet.content)) {
        if (datagram->payload.size() == 1 && datagram->payload[0] == 0xff) return;  // NAT keepalive, RFC 3948 §4
        overlay::Outbox out;
        station.gateway->on_datagram(kPort, arrival.packet.destination, arrival.packet.source, datagram->payload, now_, out);
        return carry_out(*index, out);
    }
    Effects effects;
    station.dataplane->receive(arrival.packet, arrival.sender, now_, effects);
    carry_out(*index, effects);
}

void World::carry_out(std::size_t index, overlay::Outbox& out) {
    Station& station = *stations_[index];
    for (overlay::Action& action : out) {
        Effects effects;
        if (auto* send = std::get_if<overlay::SendDatagram>(&action)) effects.push_back(Transmit{{send->local, send->remote, IkeDatagram{std::move(send->payload)}}});
        else if (auto* nhrp = std::get_if<overlay::SendNhrp>(&action)) {
            if (!suppressed_ || !suppressed_(index, nhrp->peer, nhrp->packet)) station.dataplane->send_nhrp(nhrp->peer, nhrp->packet, effects);
        }
        else if (const auto* command = std::get_if<overlay::Dataplane>(&action)) station.dataplane->execute(command->command, effects);
        else if (const auto* path = std::get_if<overlay::ReachPeer>(&action)) station.dataplane->reach(*path);
        else if (const auto* gone = std::get_if<overlay::ForgetPeer>(&action)) station.dataplane->forget(gone->peer);
        else if (auto* wanted = std::get_if<overlay::ResolveHub>(&action)) push(now_ + kNameDelay, index, station.life, Resolve{std::move(wanted->name)});
        else if (const auto* line = std::get_if<overlay::Log>(&action)) note(index, *line);
        else if (const auto* route = std::get_if<overlay::KernelRoute>(&action)) {
            if (route->present) station.kernel_routes[route->prefix] = route->gateway;
            else station.kernel_routes.erase(route->prefix);
        }
        carry_out(index, effects);
        if (!station.gateway) return;
    }
    out.clear();
    plan(index);
}

void World::carry_out(std::size_t index, Effects& effects) {
    Station& station = *stations_[index];
    for (Effect& effect : effects) {
        if (auto* transmit = std::get_if<Transmit>(&effect)) {
            for (auto& [delay, packet] : underlay_.send(std::move(transmit->packet))) push(now_ + delay, index, 0, Arrival{std::move(packet), index});
        } else if (auto* raised = std::get_if<Raised>(&effect)) {
            if (!random_.chance(event_loss_percent_)) push(now_ + kEventDelay, index, station.life, raised->event);
        } else if (std::holds_alternative<RouteQueued>(effect)) {
            push(now_ + std::chrono::microseconds{random_.below(static_cast<std::uint32_t>(route_lag_ / std::chrono::microseconds{1}) + 1)}, index, station.life, WriteRoute{});
        } else if (auto* delivered = std::get_if<Delivered>(&effect)) {
            Trace& trace = traces_[delivered->data.id];
            ++trace.copies;
            if (!trace.path) trace.path = delivered->data.path;
            if (index != trace.to) violations_.push_back(fmt::format("a packet for gateway {} was delivered at {}", trace.to, index));
        } else if (station.gateway) {
            overlay::Outbox out;
            if (const auto* punted = std::get_if<Punted>(&effect)) station.gateway->on_nhrp(punted->peer, punted->nhrp, now_, out);
            if (const auto* redirected = std::get_if<Redirected>(&effect)) station.gateway->on_redirect(redirected->peer, redirected->head, now_, out);
            carry_out(index, out);
        }
    }
}

void World::plan(std::size_t index) {
    Station& station = *stations_[index];
    const auto next = station.gateway->next_deadline();
    if (!next) return;
    const TimePoint when = std::max(*next, now_);
    if (station.wake_at && *station.wake_at <= when) return;
    station.wake_at = when;
    push(when, index, station.life, Wake{});
}

void World::note(std::size_t index, const overlay::Log& line) {
    Station& station = *stations_[index];
    if (echo_) fmt::print(stderr, "{:10.3f} [{}] {}\n", std::chrono::duration<double>(now_.time_since_epoch()).count() - 3600, index, line.text);
    if (station.log.size() < kLogLinesMax) station.log.push_back(line.text);
}

bool World::has_logged(std::size_t index, std::string_view part) const {
    return std::ranges::any_of(stations_[index]->log, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

std::uint64_t World::counter(std::size_t index, std::string_view name) const {
    for (const auto& [key, value] : stations_[index]->gateway->counters())
        if (key == name) return value;
    return 0;
}

std::vector<std::string> World::violations() const {
    std::vector<std::string> all = violations_;
    for (const auto& station : stations_) {
        all.insert(all.end(), station->old_violations.begin(), station->old_violations.end());
        if (station->dataplane) all.insert(all.end(), station->dataplane->violations().begin(), station->dataplane->violations().end());
    }
    return all;
}

}  // namespace nave::simulation
