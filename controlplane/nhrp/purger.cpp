// Purge Requests: sent, repeated, given up.
#include "controlplane/nhrp/purger.hpp"

#include <array>

namespace nave::nhrp {
namespace {

constexpr std::array kPurgeRetrySeconds{1, 2, 4, 7};

}  // namespace

void Purger::record(const IpAddress& requester, const Prefix& prefix, TunnelAddress next_hop, TimePoint expires) {
    const Answer answer{next_hop, prefix, requester};
    if (!answers_.contains(answer) && answers_.size() >= context_.settings.limits.answers) {
        context_.counters.add(Counter::answers_full);
        return;
    }
    answers_.insert(answer);
    expiries_.set(answer, expires);
}

void Purger::purge_answers(TunnelAddress next_hop, const Prefix& prefix, TimePoint now, Outbox& out) {
    for (auto answer = answers_.lower_bound(Answer{next_hop, {}, {}}); answer != answers_.end() && answer->next_hop == next_hop;) {
        if (!prefix.contains(answer->prefix) && !answer->prefix.contains(prefix)) {
            ++answer;
            continue;
        }
        expiries_.clear(*answer);
        start({.peer = std::nullopt, .destination = answer->requester, .prefixes = {answer->prefix}}, now, out);
        answer = answers_.erase(answer);
    }
}

void Purger::purge_next_hop(TunnelAddress next_hop, TimePoint now, Outbox& out) {
    purge_answers(next_hop, Prefix::of(next_hop.value, 0), now, out);
}

void Purger::purge_registration(PeerId peer, const IpAddress& server, std::vector<Prefix> prefixes, TimePoint now, Outbox& out) {
    start({.peer = peer, .destination = server, .prefixes = std::move(prefixes)}, now, out);
}

void Purger::keep_registrations(PeerId peer, const std::set<Prefix>& prefixes) {
    const auto takes_one = [&](const Prefix& purged) {
        const auto first = prefixes.lower_bound(purged);  // what lies inside a prefix is sorted right behind it
        return first != prefixes.end() && purged.contains(*first);
    };
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        const auto current = entry++;
        auto& [id, pending] = *current;
        if (pending.peer != peer) continue;
        std::erase_if(pending.prefixes, takes_one);
        if (!pending.prefixes.empty()) continue;
        retries_.clear(id);
        pending_.erase(current);
    }
}

void Purger::purge_registration_once(PeerId peer, const IpAddress& server, std::uint32_t request_id, const Prefix& prefix, Outbox& out) {
    send(peer, server, request_id, flag::purge_no_reply, {prefix}, out);
}

bool Purger::on_answer(PeerId from, std::uint32_t request_id) {
    const auto found = pending_.find(request_id);
    if (found == pending_.end() || !found->second.asked.contains(from)) return false;
    retries_.clear(request_id);
    pending_.erase(found);
    return true;
}

void Purger::peer_down(PeerId peer) {
    for (auto& [id, pending] : pending_) pending.asked.erase(peer);
    std::erase_if(pending_, [&](const auto& entry) {
        const bool gone = entry.second.peer == peer;
        if (gone) retries_.clear(entry.first);
        return gone;
    });
}

void Purger::on_deadline(TimePoint now, Outbox& out) {
    while (const auto answer = expiries_.take_due(now)) answers_.erase(*answer);
    while (const auto id = retries_.take_due(now)) {
        Pending& pending = pending_.at(*id);
        if (pending.attempts < kPurgeRetrySeconds.size()) {
            transmit(*id, pending, now, out);
            continue;
        }
        context_.counters.add(Counter::purges_unanswered);
        pending_.erase(*id);
    }
}

void Purger::start(Pending pending, TimePoint now, Outbox& out) {
    if (pending_.size() >= context_.settings.limits.purges) {
        context_.counters.add(Counter::purges_full);
        return;
    }
    const std::uint32_t id = context_.new_request_id([&](std::uint32_t taken) { return pending_.contains(taken); });
    transmit(id, pending_[id] = std::move(pending), now, out);
}

void Purger::transmit(std::uint32_t id, Pending& pending, TimePoint now, Outbox& out) {
    retries_.set(id, now + std::chrono::seconds{kPurgeRetrySeconds.at(pending.attempts++)});
    std::optional<PeerId> peer = pending.peer;
    if (!peer) {
        const Route route = context_.directory.route(pending.destination);
        if (const auto* next = std::get_if<PeerRoute>(&route)) peer = next->peer;
    }
    if (!peer) return;  // the requester is gone for now; it may be back before the last attempt
    pending.asked.insert(*peer);
    send(*peer, pending.destination, id, 0, pending.prefixes, out);
}

void Purger::send(PeerId peer, const IpAddress& destination, std::uint32_t id, std::uint16_t flags, const std::vector<Prefix>& prefixes, Outbox& out) {
    Packet packet = context_.originate(PacketType::purge_request, peer, destination);
    packet.flags = flags;
    packet.request_id = id;
    for (const auto& prefix : prefixes) {
        ClientInfo info;
        info.prefix_length = prefix.length;
        info.protocol = prefix.address;
        packet.clients.push_back(info);
    }
    context_.add_request_extensions(packet);
    context_.send(peer, std::move(packet), out);
}

}  // namespace nave::nhrp
