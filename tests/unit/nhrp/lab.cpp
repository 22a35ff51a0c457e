// The wire, the routes and the clock of the lab.
#include "tests/unit/nhrp/lab.hpp"

#include "tests/unit/nhrp/capture.hpp"

#include <algorithm>
#include <stdexcept>

namespace nave::nhrp {

Station::Station(Lab& lab_, std::string name_, std::string_view tunnel_, std::string_view nbma_, Settings settings)
    : lab{lab_}, name{std::move(name_)}, tunnel{ip(tunnel_)}, nbma{ip(nbma_)},
      node{std::make_unique<Node>(std::move(settings), tunnel, static_cast<std::uint8_t>(tunnel.value.is_v4() ? 24 : 64), lab_.random, *this)} {}

Route Station::route(const IpAddress& destination) const {
    Route best = NoRoute{};
    int length = -1;
    const auto offer = [&](const Prefix& prefix, Route candidate) {
        if (!prefix.contains(destination) || static_cast<int>(prefix.length) <= length) return;
        length = prefix.length;
        if (auto* next = std::get_if<PeerRoute>(&candidate)) next->prefix = prefix;
        best = candidate;
    };
    offer(Prefix::host(tunnel.value), LocalRoute{Prefix::host(tunnel.value)});
    for (const auto& prefix : lan) offer(prefix, LocalRoute{prefix});
    for (const auto& [prefix, next] : routes) offer(prefix, next);
    return best;
}

Route Station::way_to_ask(const IpAddress& destination) const {
    const Route found = route(destination);
    const auto* next = std::get_if<PeerRoute>(&found);
    const auto by_default = routes.find(Prefix::of(destination, 0));
    return next && !is_server(next->peer) && by_default != routes.end() ? Route{by_default->second} : found;
}

std::optional<CieCode> Station::registration_refusal(PeerId, const Prefix& prefix) const {
    const auto found = refused.find(prefix);
    return found == refused.end() ? std::nullopt : std::optional{found->second};
}

bool Station::may_answer(PeerId peer, const Prefix&) const { return !may_not_answer.contains(peer); }

bool Station::same_identity(PeerId a, PeerId b) const { return identities.at(a) == identities.at(b); }

NbmaAddress Station::local_nbma(PeerId peer) const {
    const bool is_second = peers.at(peer)->nbma.value.family() != nbma.value.family();
    return is_second && second_nbma ? *second_nbma : nbma;
}

NbmaAddress Station::observed_nbma(PeerId peer) const {
    const Station& other = *peers.at(peer);
    if (other.second_nbma && other.nbma.value.family() != nbma.value.family()) return *other.second_nbma;
    return other.public_nbma.value_or(other.nbma);
}

std::optional<NbmaEndpoint> Station::observed_behind_nat(PeerId peer) const {
    const Station& other = *peers.at(peer);
    return other.public_nbma ? std::optional{NbmaEndpoint{*other.public_nbma, other.public_port}} : std::nullopt;
}

void Station::set_lan(std::initializer_list<std::string> prefixes) {
    lan.clear();
    for (const auto& prefix : prefixes) lan.push_back(net(prefix));
    Outbox out;
    node->set_local_prefixes(lan, lab.now, out);
    lab.now += std::chrono::milliseconds{50};  // changes are collected for so long
    node->on_deadline(lab.now, out);
    lab.perform(*this, std::move(out));
}

void Station::resolve(std::string_view destination) {
    Outbox out;
    node->resolve(ip(destination), lab.now, out);
    lab.perform(*this, std::move(out));
}

void Station::relayed(const Station& from, std::string_view source, std::string_view destination) {
    const bool v4 = ip(source).is_v4();
    Bytes packet(85, 0);  // one byte more than its header says, so that it has to be trimmed
    packet[0] = v4 ? 0x45 : 0x60;
    packet[v4 ? 3 : 5] = v4 ? 84 : 44;
    packet[v4 ? 9 : 6] = 253;  // for experiments: nobody looks into it
    packet[v4 ? 8 : 7] = 64;
    std::ranges::copy(ip(source).bytes(), packet.begin() + (v4 ? 12 : 8));
    std::ranges::copy(ip(destination).bytes(), packet.begin() + (v4 ? 16 : 24));
    Outbox out;
    node->relayed(peer_of(from), packet, lab.now, out);
    lab.perform(*this, std::move(out));
}

void Station::receive(const Station& from, const Packet& packet) { receive_bytes(from, encode(packet)); }

void Station::receive_bytes(const Station& from, ByteView bytes) {
    Outbox out;
    node->on_packet(peer_of(from), bytes, lab.now, out);
    lab.perform(*this, std::move(out));
}

std::uint64_t Station::count(std::string_view counter) const {
    for (const auto& [key, value] : node->snapshot().counters)
        if (key == counter) return value;
    return 0;
}

bool Station::has_shortcut(std::string_view prefix) const {
    return std::ranges::any_of(node->snapshot().cache, [&](const CacheEntry& e) { return e.kind == CacheKind::shortcut && e.prefix == net(prefix); });
}

bool Station::is_registered() const {
    return std::ranges::any_of(node->snapshot().registrations, [](const auto& e) { return e.state == RegistrationState::registered; });
}

bool Station::has_logged(std::string_view words) const {
    return std::ranges::any_of(logged, [&](const std::string& line) { return line.find(words) != line.npos; });
}

PeerId Station::peer_of(const Station& other) const {
    // The newest SA with the other station is the one in use.
    for (auto entry = peers.rbegin(); entry != peers.rend(); ++entry)
        if (entry->second == &other) return entry->first;
    throw std::runtime_error(name + " has no SA with " + other.name);
}

Lab::~Lab() { append_to_capture(history); }

Station& Lab::add(std::string name, std::string_view tunnel, std::string_view nbma, Settings settings) {
    return *stations.emplace_back(std::make_unique<Station>(*this, std::move(name), tunnel, nbma, std::move(settings)));
}

Station& Lab::hub(std::string name, std::string_view tunnel, std::string_view nbma, Settings settings) {
    settings.server = settings.redirect = true;
    Station& added = add(std::move(name), tunnel, nbma, std::move(settings));
    added.is_hub = true;
    return added;
}

Station& Lab::spoke(std::string name, std::string_view tunnel, std::string_view nbma, Settings settings) {
    return add(std::move(name), tunnel, nbma, std::move(settings));
}

void Lab::connect(Station& a, Station& b) {
    for (auto [self, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
        const PeerId peer{next_peer_++};
        self->peers[peer] = other;
        self->identities[peer] = other->name;
        Outbox out;
        self->node->peer_up(peer, now, out);
        perform(*self, std::move(out));
    }
}

void Lab::disconnect(Station& a, Station& b) {
    for (auto [self, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
        const PeerId peer = self->peer_of(*other);
        Outbox out;
        self->node->peer_down(peer, now, out);
        perform(*self, std::move(out));
        self->peers.erase(peer);
        std::erase_if(self->routes, [&](const auto& entry) { return entry.second.peer == peer; });
    }
    std::erase_if(wire, [&](const Flight& f) { return (f.from == &a && f.to == &b) || (f.from == &b && f.to == &a); });
}

void Lab::join(Station& spoke, Station& hub, NhsId nhs) {
    connect(spoke, hub);
    const PeerId peer = spoke.peer_of(hub);
    spoke.routes[Prefix::of(hub.tunnel.value, 0)] = {peer, hub.tunnel};
    Outbox out;
    spoke.node->add_next_hop_server(nhs, peer, std::nullopt, now, out);
    perform(spoke, std::move(out));
}

Station* Lab::find(const NbmaAddress& nbma) const {
    for (const auto& station : stations)
        if (station->public_nbma.value_or(station->nbma) == nbma) return station.get();
    return nullptr;
}

void Lab::perform(Station& station, Outbox&& out) {
    for (auto& action : out) {
        if (const auto* send = std::get_if<Send>(&action)) {
            const auto to = station.peers.find(send->peer);
            if (to == station.peers.end()) continue;
            history.push_back({&station, to->second, send->bytes});
            if (random.below(100) < loss_percent) continue;
            wire.push_back(history.back());
            if (random.below(100) < repeat_percent) wire.push_back(history.back());
            if (random.below(100) < reorder_percent) std::swap(wire.back(), wire.at(random.below(static_cast<std::uint32_t>(wire.size()))));
            continue;
        }
        if (const auto* line = std::get_if<Log>(&action)) {
            station.logged.push_back(line->text);
            continue;
        }
        station.actions.push_back(action);
        if (const auto* added = std::get_if<BindingAdded>(&action)) station.routes[added->prefix] = {added->peer, added->next_hop};
        if (const auto* removed = std::get_if<BindingRemoved>(&action)) station.routes.erase(removed->prefix);
        if (const auto* gone = std::get_if<ShortcutGone>(&action)) station.routes.erase(gone->prefix);
        const auto* resolved = std::get_if<Resolved>(&action);
        if (!resolved || !shortcuts) continue;
        if (Station* other = find(resolved->nbma)) {
            const bool known = std::ranges::any_of(station.peers, [&](const auto& entry) { return entry.second == other; });
            if (!known) connect(station, *other);
            station.routes[resolved->prefix] = {station.peer_of(*other), resolved->next_hop};
        }
    }
}

void Lab::deliver_one() {
    const Flight flight = wire.front();
    wire.pop_front();
    const bool connected = std::ranges::any_of(flight.to->peers, [&](const auto& entry) { return entry.second == flight.from; });
    if (connected) flight.to->receive_bytes(*flight.from, flight.bytes);
}

void Lab::deliver() {
    for (int limit = 100'000; !wire.empty() && limit > 0; --limit) deliver_one();
}

Packet Lab::lose_one() {
    const Packet lost = wire.front().packet();
    wire.pop_front();
    return lost;
}

void Lab::fire_deadlines() {
    for (const auto& station : stations) {
        if (const auto due = station->node->next_deadline(); !due || *due > now) continue;
        Outbox out;
        station->node->on_deadline(now, out);
        perform(*station, std::move(out));
    }
}

bool Lab::advance_to_next_deadline() {
    std::optional<TimePoint> next;
    for (const auto& station : stations) next = earlier(next, station->node->next_deadline());
    if (!next) return false;
    now = std::max(now, *next);
    fire_deadlines();
    return true;
}

void Lab::advance(Duration time) {
    const TimePoint end = now + time;
    deliver();
    for (;;) {
        std::optional<TimePoint> next;
        for (const auto& station : stations) next = earlier(next, station->node->next_deadline());
        if (!next || *next > end) break;
        now = std::max(now, *next);
        fire_deadlines();
        deliver();
    }
    now = end;
}

Packet Lab::last(PacketType type) const {
    for (auto flight = history.rbegin(); flight != history.rend(); ++flight)
        if (const auto packet = flight->packet(); packet.type == type) return packet;
    throw std::runtime_error("no such packet was sent");
}

std::size_t Lab::sent(PacketType type) const {
    return static_cast<std::size_t>(std::ranges::count_if(history, [&](const Flight& f) { return f.packet().type == type; }));
}

Triangle::Triangle(Settings spoke_settings, Settings hub_settings, std::uint64_t seed)
    : lab{seed}, hub{lab.hub("hub", "10.255.0.1", "192.0.2.1", std::move(hub_settings))},
      a{lab.spoke("a", "10.255.0.11", "192.0.2.11", spoke_settings)}, b{lab.spoke("b", "10.255.0.12", "192.0.2.12", spoke_settings)} {
    for (Station* spoke : {&a, &b}) {
        lab.join(*spoke, hub);
        spoke->set_lan({spoke == &a ? "172.16.11.0/24" : "172.16.12.0/24"});
    }
    lab.deliver();
}

}  // namespace nave::nhrp
