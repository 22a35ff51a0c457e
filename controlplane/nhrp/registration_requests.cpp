// Registration Requests on their way: what they say, when they are repeated and renewed.
#include "controlplane/nhrp/registrar.hpp"

#include "controlplane/nhrp/group.hpp"
#include "controlplane/nhrp/holder.hpp"
#include "controlplane/nhrp/rendezvous.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace nave::nhrp {
namespace {

constexpr std::uint32_t kAttemptsMax = 7;  // waits of 1, 2, 4, 8, 16, 32 and 64 s
constexpr std::uint32_t kAttemptsToDoubt = 3;
constexpr std::size_t kPrefixesPerRequest = 16;
constexpr std::uint8_t kRegistrationHopCount = 1;          // a hub is one hop away; Cisco rejects 0
constexpr std::uint8_t kUniquePrefixLength = 0xff;  // RFC 2332 §5.2.0.1, with the U bit

}  // namespace

std::uint32_t Registrar::new_id(const Server& server) {
    return context_.new_request_id([&](std::uint32_t taken) {
        return server.main.id == taken || std::ranges::find(server.lan, taken, &Exchange::id) != server.lan.end();
    });
}

void Registrar::transmit(const Server& server, Exchange& exchange, TimePoint now, Outbox& out) {
    // With an unknown hub the destination is our own address, as FRR and Cisco do (RFC 2332 §5.2.3).
    const auto hub = server.configured ? server.configured : exchange.prefixes.empty() ? std::nullopt : server.learned;
    Packet packet = context_.originate(PacketType::registration_request, server.peer, hub ? hub->value : context_.own.value);
    packet.hop_count = kRegistrationHopCount;
    packet.flags = flag::nat;
    packet.request_id = exchange.id;
    ClientInfo client;
    client.holding_time = context_.settings.holding_time;
    if (exchange.prefixes.empty()) {
        if (context_.settings.unique) packet.flags |= flag::registration_unique;
        client.prefix_length = context_.settings.unique ? kUniquePrefixLength : context_.own.value.bit_count();
        packet.clients.push_back(client);
    }
    for (const auto& prefix : exchange.prefixes) {
        client.prefix_length = prefix.length;
        client.nbma = packet.source_nbma;
        client.protocol = prefix.address;
        packet.clients.push_back(client);
    }
    context_.add_request_extensions(packet);
    packet.extensions.push_back({.type = extension_type::nat_address, .compulsory = false, .value = {}});
    ClientInfo nhs;  // Cisco's NAT detection: the hub as we know it, zeros for an unknown tunnel address
    nhs.prefix_length = context_.own.value.bit_count();
    nhs.nbma = context_.directory.observed_nbma(server.peer);
    const auto known = server.learned ? server.learned : server.configured;
    nhs.protocol = known ? known->value : Prefix::of(context_.own.value, 0).address;
    packet.extensions.back().value = encode_client_list({nhs});
    if (exchange.prefixes.empty() && context_.settings.group) packet.extensions.push_back(encode_group(*context_.settings.group));
    if (!exchange.holder.empty()) packet.extensions.push_back(encode_holder(exchange.holder));
    if (exchange.prefixes.empty() && context_.directory.is_behind_nat(server.peer)) offer_rendezvous(packet);

    exchange.answered = false;
    exchange.next = now + std::chrono::seconds{1u << std::min(exchange.attempts, kAttemptsMax - 1)};
    ++exchange.attempts;
    context_.send(server.peer, std::move(packet), out);
}

Registrar::Holdings Registrar::to_ask_for(const Server& server, Extent extent) const {
    std::set<Prefix> asked;
    for (const auto& exchange : server.lan) asked.insert(exchange.prefixes.begin(), exchange.prefixes.end());
    Holdings found;
    const auto consider = [&](const Prefix& prefix, const std::string& holder) {
        const auto answer = server.prefixes.find(prefix);
        // What was refused of ours waits for the next renewal; of a spoke, who refused it may have known another one there.
        const bool is_settled = answer != server.prefixes.end() && (holder.empty() || answer->second == CieCode::success);
        if (extent == Extent::all || !(asked.contains(prefix) || is_settled)) found[holder].push_back(prefix);
    };
    for (const Prefix& prefix : own_prefixes_) consider(prefix, {});
    for (const auto& [prefix, holder] : told_prefixes_) consider(prefix, holder);
    return found;
}

bool Registrar::is_held(const Prefix& prefix, const std::string& holder) const {
    const auto told = told_prefixes_.find(prefix);
    return holder.empty() ? own_prefixes_.contains(prefix) : told != told_prefixes_.end() && told->second == holder;
}

/// Of what went since, all that its holder has not got back: to purge that and tell it anew would take more packets than the hub takes of a peer.
void Registrar::purge_gone(Server& server, TimePoint now, Outbox& out) {
    std::vector<Prefix> purged;
    const auto purge = [&] {
        if (!purged.empty() && server.learned) purger_.purge_registration(server.peer, server.learned->value, std::exchange(purged, {}), now, out);
    };
    for (const auto& [prefix, holder] : std::exchange(server.gone, {})) {
        if (is_held(prefix, holder)) continue;
        purged.push_back(prefix);
        if (purged.size() == kPrefixesPerRequest) purge();
    }
    purge();
}

void Registrar::start_prefixes(Server& server, Extent extent, TimePoint now, Outbox& out) {
    server.lan_due.reset();
    purge_gone(server, now, out);
    if (extent == Extent::all) server.lan.clear();
    else std::erase_if(server.lan, &Exchange::answered);
    const Holdings holdings = to_ask_for(server, extent);
    std::set<Prefix> kept;
    for (const auto& [holder, wanted] : holdings) kept.insert(wanted.begin(), wanted.end());
    purger_.keep_registrations(server.peer, kept);
    for (const auto& [holder, wanted] : holdings) {
        for (std::size_t first = 0; first < wanted.size(); first += kPrefixesPerRequest) {
            const auto begin = wanted.begin() + static_cast<std::ptrdiff_t>(first);
            const auto count = static_cast<std::ptrdiff_t>(std::min(kPrefixesPerRequest, wanted.size() - first));
            Exchange& exchange = server.lan.emplace_back(Exchange{.id = new_id(server), .prefixes = {begin, begin + count}, .holder = holder});
            transmit(server, exchange, now, out);
        }
    }
}

void Registrar::repeat(NhsId nhs, Server& server, TimePoint now, Outbox& out) {
    if (server.main.next && *server.main.next <= now) {
        if (server.main.answered) {
            server.main = Exchange{.id = new_id(server)};
        } else if (server.main.attempts == kAttemptsMax) {
            context_.counters.add(Counter::registrations_unanswered);
            lose(nhs, server, RegistrationState::registering, RegistrationEnd::unanswered, out);
            server.main = Exchange{.id = new_id(server)};
        }
        if (server.main.attempts == kAttemptsToDoubt && server.state == RegistrationState::registering && context_.directory.is_server(server.peer))
            log(out, Severity::warning, fmt::format("registration-{}", nhs.value),
                fmt::format("{} is up and does not answer our registration: compare key of the tunnel at both ends",
                            context_.directory.observed_nbma(server.peer).value.to_string()));
        transmit(server, server.main, now, out);
    }
    if (server.lan_due && *server.lan_due <= now) start_prefixes(server, Extent::unasked, now, out);
    for (auto& exchange : server.lan) {
        if (!exchange.next || *exchange.next > now) continue;
        if (exchange.attempts < kAttemptsMax) transmit(server, exchange, now, out);
        else exchange.next.reset();  // this hub does not answer for prefixes; asked again with the next renewal
    }
}

void Registrar::on_deadline(TimePoint now, Outbox& out) {
    for (auto& [nhs, server] : servers_) repeat(nhs, server, now, out);
}

std::optional<TimePoint> Registrar::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [nhs, server] : servers_) {
        next = earlier(earlier(next, server.main.next), server.lan_due);
        for (const auto& exchange : server.lan) next = earlier(next, exchange.next);
    }
    return next;
}

}  // namespace nave::nhrp
