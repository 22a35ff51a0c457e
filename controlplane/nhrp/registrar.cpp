// Registering with hubs: state, replies, losses.
#include "controlplane/nhrp/registrar.hpp"

#include "controlplane/nhrp/rendezvous.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::nhrp {
namespace {

constexpr Duration kSettling = std::chrono::milliseconds{50};
constexpr Duration kAskAgain = std::chrono::seconds{10};  // for a spoke that another hub refuses because it knows another one there

/// The reply's verdict on an entry: hubs that know no prefixes may shorten the list, which counts as a refusal.
CieCode code_for(const Packet& reply, const Prefix& prefix) {
    for (const auto& client : reply.clients)
        if (client.prefix(reply.source_protocol) == prefix) return client.code;
    return CieCode::administratively_prohibited;
}

}  // namespace

void Registrar::add(NhsId nhs, PeerId peer, std::optional<TunnelAddress> hub, TimePoint now, Outbox& out) {
    const auto known = servers_.find(nhs);
    if (known != servers_.end() && known->second.peer == peer && known->second.configured == hub) return;
    if (known != servers_.end()) lose(nhs, known->second, RegistrationState::waiting_for_peer, RegistrationEnd::peer_down, out);
    Server& server = servers_[nhs] = Server{.peer = peer, .configured = hub};
    update_hub_addresses();
    if (up_.contains(peer)) start(nhs, server, now, out);
}

void Registrar::remove(NhsId nhs, Outbox& out) {
    const auto found = servers_.find(nhs);
    if (found == servers_.end()) return;
    withdraw(nhs, found->second, out);
    servers_.erase(found);
    update_hub_addresses();
}

void Registrar::withdraw(NhsId nhs, Server& server, Outbox& out) {
    if (server.state == RegistrationState::registered && server.learned)
        purger_.purge_registration_once(server.peer, server.learned->value, server.main.id, Prefix::host(context_.own.value), out);
    lose(nhs, server, RegistrationState::waiting_for_peer, RegistrationEnd::removed, out);
}

void Registrar::withdraw_all(Outbox& out) {
    for (auto& [nhs, server] : servers_) withdraw(nhs, server, out);
}

void Registrar::peer_up(PeerId peer, TimePoint now, Outbox& out) {
    up_.insert(peer);
    for (auto& [nhs, server] : servers_)
        if (server.peer == peer) start(nhs, server, now, out);
}

void Registrar::peer_down(PeerId peer, Outbox& out) {
    up_.erase(peer);
    for (auto& [nhs, server] : servers_)
        if (server.peer == peer) lose(nhs, server, RegistrationState::waiting_for_peer, RegistrationEnd::peer_down, out);
}

void Registrar::restart(TimePoint now, Outbox& out) {
    for (auto& [nhs, server] : servers_)
        if (up_.contains(server.peer)) start(nhs, server, now, out);
}

std::vector<Prefix> Registrar::set_prefixes(std::vector<Prefix> prefixes, TimePoint now) {
    std::set<Prefix> wanted{prefixes.begin(), prefixes.end()};
    std::vector<Prefix> gone;
    if (wanted == own_prefixes_) return gone;
    std::ranges::set_difference(own_prefixes_, wanted, std::back_inserter(gone));
    own_prefixes_ = std::move(wanted);
    prefixes_changed(gone, {}, now);
    return gone;
}

void Registrar::tell(const Prefix& prefix, const std::optional<std::string>& holder, TimePoint now) {
    const auto known = told_prefixes_.find(prefix);
    const bool was_told = known != told_prefixes_.end();
    if (holder ? was_told && known->second == *holder : !was_told) return;
    const std::string before = was_told ? known->second : std::string{};
    if (was_told) told_prefixes_.erase(known);
    if (holder) told_prefixes_.emplace(prefix, *holder);
    prefixes_changed(was_told ? std::vector{prefix} : std::vector<Prefix>{}, before, now);
}

/// What the hub was asked for may be registered there, whether we heard of it or not.
std::vector<Prefix> Registrar::withdrawn(Server& server, const std::vector<Prefix>& gone) {
    std::vector<Prefix> purged;
    for (const auto& prefix : gone)
        if (const auto held = server.prefixes.extract(prefix); !held.empty() && held.mapped() == CieCode::success) purged.push_back(prefix);
    if (gone.empty()) return purged;
    std::erase_if(server.lan, &Exchange::answered);
    for (auto& exchange : server.lan) {
        const auto is_gone = [&](const Prefix& prefix) { return std::ranges::binary_search(gone, prefix); };
        std::ranges::copy_if(exchange.prefixes, std::back_inserter(purged), is_gone);
        std::erase_if(exchange.prefixes, is_gone);
    }
    std::erase_if(server.lan, [](const Exchange& exchange) { return exchange.prefixes.empty(); });
    return purged;
}

void Registrar::prefixes_changed(const std::vector<Prefix>& gone, const std::string& holder, TimePoint now) {
    for (auto& [nhs, server] : servers_) {
        const std::vector<Prefix> purged = withdrawn(server, gone);
        if (server.state != RegistrationState::registered) continue;
        for (const Prefix& prefix : purged) server.gone.emplace(prefix, holder);
        // Changes come one by one, and a request names several.
        server.lan_due = std::min(server.lan_due.value_or(now + kSettling), now + kSettling);
    }
}

void Registrar::shut_down(Outbox& out) {
    while (!servers_.empty()) remove(servers_.begin()->first, out);
}

void Registrar::start(NhsId nhs, Server& server, TimePoint now, Outbox& out) {
    server.main = Exchange{.id = new_id(server)};
    server.lan.clear();
    server.lan_due.reset();
    if (server.state != RegistrationState::registered) set_state(nhs, server, RegistrationState::registering, "the hub's SA is up", out);
    transmit(server, server.main, now, out);
}

bool Registrar::on_reply(const Received& received, TimePoint now, Outbox& out) {
    for (auto& [nhs, server] : servers_) {
        if (server.peer != received.from) continue;
        if (server.main.id == received.packet.request_id && (server.main.attempts != 0 || server.main.answered)) {
            on_main_reply(nhs, server, received.packet, now, out);
            return true;
        }
        for (auto& exchange : server.lan) {
            if (exchange.id != received.packet.request_id) continue;
            on_prefix_reply(nhs, server, exchange, received.packet, now, out);
            return true;
        }
    }
    return false;
}

void Registrar::on_main_reply(NhsId nhs, Server& server, const Packet& reply, TimePoint now, Outbox& out) {
    if (server.main.answered) return context_.counters.add(Counter::duplicate_reply);
    const auto own = Prefix::host(context_.own.value);
    const CieCode code = reply.clients.empty() ? CieCode::administratively_prohibited : reply.clients.front().code;
    server.main.answered = true;
    server.main.next = now + Duration{context_.settings.holding_time} / 3;
    if (code != CieCode::success) {
        context_.counters.add(Counter::registrations_refused);
        out.push_back(RegistrationRefused{nhs, own, code});
        const Exchange asked = server.main;
        lose(nhs, server, RegistrationState::refused, RegistrationEnd::refused, out);
        server.main = asked;
        server.prefixes = {{own, code}};
        return;
    }
    server.main.attempts = 0;
    server.prefixes.erase(own);
    const auto before = std::tuple{server.state, server.learned, server.observed};
    const bool names_hub = reply.destination_protocol != context_.own.value && !reply.destination_protocol.is_unspecified();
    server.learned = names_hub ? std::optional{TunnelAddress{reply.destination_protocol}} : server.configured;
    // The first entry of the NAT extension is the hub, as we named it; the second is us, as the hub sees us.
    server.observed.reset();
    if (const auto seen = client_list(reply, extension_type::nat_address); seen && seen->size() >= 2) server.observed = seen->at(1).nbma;
    server.arranges_rendezvous = rendezvous_with(reply, context_.own.value).has_value();
    set_state(nhs, server, RegistrationState::registered, "the hub confirmed", out);
    if (before != std::tuple{server.state, server.learned, server.observed})
        out.push_back(Registered{nhs, server.peer, server.learned.value_or(TunnelAddress{}), server.observed});
    update_hub_addresses();
    start_prefixes(server, Extent::all, now, out);
}

void Registrar::on_prefix_reply(NhsId nhs, Server& server, Exchange& exchange, const Packet& reply, TimePoint now, Outbox& out) {
    if (exchange.answered) return context_.counters.add(Counter::duplicate_reply);
    exchange.answered = true;
    exchange.next.reset();  // renewed together with the main registration
    for (const auto& prefix : exchange.prefixes) {
        if (!exchange.holder.empty() && code_for(reply, prefix) != CieCode::success && !server.lan_due) server.lan_due = now + kAskAgain;
        if (!own_prefixes_.contains(prefix) && !told_prefixes_.contains(prefix)) continue;
        const CieCode code = code_for(reply, prefix);
        const auto known = server.prefixes.find(prefix);
        if (known != server.prefixes.end() && known->second == code) continue;
        server.prefixes[prefix] = code;
        if (code == CieCode::success) {
            out.push_back(PrefixRegistered{nhs, prefix});
            continue;
        }
        context_.counters.add(Counter::registrations_refused);
        out.push_back(RegistrationRefused{nhs, prefix, code});
        log(out, Severity::notice, fmt::format("prefixes-{}", nhs.value),
            fmt::format("hub {} does not register our prefix {}: {}", nhs.value, prefix.to_string(), name(code)));
    }
}

bool Registrar::on_error(PeerId from, std::uint32_t request_id, std::uint16_t code, Outbox& out) {
    for (auto& [nhs, server] : servers_) {
        const bool ours = server.peer == from && ((server.main.id == request_id && server.main.attempts != 0) ||
                                                  std::ranges::find(server.lan, request_id, &Exchange::id) != server.lan.end());
        if (!ours) continue;
        // It stays unanswered: what is wrong may be mended at the hub before the next repetition.
        log(out, Severity::warning, fmt::format("registration-{}", nhs.value),
            fmt::format("hub {} answers our registration with error {} ({})", nhs.value, code, name(static_cast<ErrorCode>(code))));
        return true;
    }
    return false;
}

void Registrar::lose(NhsId nhs, Server& server, RegistrationState state, RegistrationEnd reason, Outbox& out) {
    const bool was_registered = server.state == RegistrationState::registered;
    server.main = {};
    server.lan.clear();
    server.lan_due.reset();
    server.gone.clear();
    server.prefixes.clear();
    server.observed.reset();
    server.arranges_rendezvous = false;
    set_state(nhs, server, state, name(reason), out);
    if (was_registered || reason == RegistrationEnd::unanswered) out.push_back(RegistrationLost{nhs, reason});
}

void Registrar::set_state(NhsId nhs, Server& server, RegistrationState state, std::string_view reason, Outbox& out) const {
    if (server.state == state) return;
    log(out, state == RegistrationState::refused ? Severity::warning : Severity::info, fmt::format("registration-{}", nhs.value),
        fmt::format("registration with hub {}: {} -> {}: {}", nhs.value, name(server.state), name(state), reason));
    server.state = state;
}

void Registrar::update_hub_addresses() {
    context_.hubs.clear();
    for (const auto& [nhs, server] : servers_) {
        if (!context_.directory.is_server(server.peer)) continue;
        for (const auto& address : {server.configured, server.learned})
            if (address) context_.hubs.insert(address->value);
    }
}

std::optional<NbmaAddress> Registrar::observed() const {
    for (const auto& [nhs, server] : servers_)
        if (server.observed && context_.directory.is_server(server.peer)) return server.observed;
    return std::nullopt;
}

bool Registrar::arranges_rendezvous(PeerId peer) const {
    return context_.directory.is_server(peer) && std::ranges::any_of(servers_, [&](const auto& entry) { return entry.second.peer == peer && entry.second.arranges_rendezvous; });
}

void Registrar::append_to(Snapshot& snapshot) const {
    for (const auto& [nhs, server] : servers_) {
        RegistrationEntry entry{.nhs = nhs,
                                .peer = server.peer,
                                .state = server.state,
                                .hub = server.learned ? server.learned : server.configured,
                                .observed = server.observed,
                                .unanswered = server.main.attempts,
                                .next_request = server.main.next,
                                .prefixes = {},
                                .refused = {}};
        for (const auto& [prefix, code] : server.prefixes) {
            if (code == CieCode::success) entry.prefixes.push_back(prefix);
            else entry.refused.emplace_back(prefix, code);
        }
        snapshot.registrations.push_back(std::move(entry));
    }
}

}  // namespace nave::nhrp
