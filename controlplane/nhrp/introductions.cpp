// Introductions: what the hubs say of each entry, and what waits for their word.
#include "controlplane/nhrp/introductions.hpp"

#include <algorithm>
#include <utility>

namespace nave::nhrp {
namespace {

constexpr std::size_t kWaitingMax = 64;  // beyond it the oldest goes: its sender repeats it
constexpr Duration kAskAgain = std::chrono::seconds{1};   // after a no, which may be true no more
constexpr Duration kSilence = std::chrono::seconds{5};    // then the hubs say nothing
constexpr Duration kPatience = std::chrono::seconds{20};  // with a sender that does not repeat itself

}  // namespace

void Introductions::expect(const TunnelAddress& station, TimePoint now, Outbox& out) {
    const auto learned = vouchers_.learned_at(Prefix::host(station.value));
    if (!learned || now - *learned >= kAskAgain) resolver_.confirm(station.value, now, out);
}

void Introductions::on_registration(const Received& received, TimePoint now, Outbox& out) {
    const auto repeated = std::ranges::find_if(waiting_, [&](const Waiting& each) {
        return each.from == received.from && each.packet.request_id == received.packet.request_id;
    });
    TimePoint since = now;
    if (repeated != waiting_.end()) {
        since = repeated->since;
        waiting_.erase(repeated);
    }
    consider(received, since, now, now, out);
}

void Introductions::review(TimePoint now, Outbox& out) {
    for (const auto& [from, bytes, packet, since, repeated_at] : std::exchange(waiting_, {}))
        if (now - repeated_at < kPatience) consider({from, bytes, packet}, since, repeated_at, now, out);
}

void Introductions::consider(const Received& received, TimePoint since, TimePoint repeated_at, TimePoint now, Outbox& out) {
    const IpAddress& source = received.packet.source_protocol;
    // Whom no hub knows there may not hang prefixes on it either.
    const Verdict on_next_hop = verdict(received, Prefix::host(source), since, now, out);
    bool is_awaited = on_next_hop == Verdict::awaited;
    std::vector<Prefix> prohibited;
    for (const auto& client : received.packet.clients) {
        const Prefix prefix = client.prefix(source);
        const Verdict found = on_next_hop == Verdict::nothing_against ? verdict(received, prefix, since, now, out) : on_next_hop;
        if (found == Verdict::no) prohibited.push_back(prefix);
        is_awaited = is_awaited || found == Verdict::awaited;
    }
    if (!is_awaited) return bindings_.on_registration(received, prohibited, now, out);
    if (waiting_.size() == kWaitingMax) waiting_.pop_front();
    waiting_.push_back({received.from, Bytes{received.bytes.begin(), received.bytes.end()}, received.packet, since, repeated_at});
}

Introductions::Verdict Introductions::verdict(const Received& received, const Prefix& prefix, TimePoint since, TimePoint now, Outbox& out) {
    const PeerId peer = received.from;
    const TunnelAddress next_hop{received.packet.source_protocol};
    const auto agreed = vouchers_.agree(peer, next_hop, prefix);
    const bool is_refused_anyway = !context_.directory.may_answer(peer, prefix);
    if (agreed == true || is_refused_anyway) return Verdict::nothing_against;
    // A no from before the request may be true no more: the peer has just moved, or registered with the hub.
    const auto refused = refused_at(peer, next_hop, prefix);
    if (refused && *refused >= since) return Verdict::no;
    if (!agreed && now - since >= kSilence && bindings_.holds(peer, next_hop, prefix)) return Verdict::nothing_against;
    if (!refused || now - *refused >= kAskAgain) resolver_.confirm(prefix.address, now, out);
    return Verdict::awaited;
}

std::optional<TimePoint> Introductions::refused_at(PeerId peer, const TunnelAddress& next_hop, const Prefix& prefix) const {
    const auto refused = resolver_.refused_at(prefix.address);
    const auto agreed = vouchers_.agree(peer, next_hop, prefix);
    const auto contradicted = agreed == false ? vouchers_.learned_at(prefix) : std::nullopt;
    return std::max(refused, contradicted);  // nothing is earlier than any time
}

void Introductions::peer_down(PeerId peer) {
    std::erase_if(waiting_, [&](const Waiting& each) { return each.from == peer; });
}

}  // namespace nave::nhrp
