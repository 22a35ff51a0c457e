// What the two ends do, and what must hold meanwhile and at the end.
#include "tests/simulation/collisions.hpp"

#include "tests/simulation/two_ends.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::simulation {
namespace {

using std::chrono::milliseconds, std::chrono::seconds;

constexpr Duration kStorm = seconds{40}, kQuiet = seconds{180};  // in which a resumed session is rekeyed
constexpr Duration kPauseMax = seconds{4};             // between two actions of one end
constexpr std::uint32_t kAtOnceMilliseconds = 300;     // about a round trip, so that exchanges cross

/// By the seed both ends are as they come, or both make additional key exchanges, or only where the left one begins.
Abilities abilities_of(std::uint64_t seed, bool is_left) {
    using enum Abilities::KeyExchanges;
    const auto kind = seed / 6 % 3;
    return {.resources = static_cast<std::uint8_t>(seed % 3), .crypto_pool = seed / 3 % 2 == 1, .key_exchanges = kind == 0 ? one : kind == 1 || is_left ? several : optional};
}

class Collisions {
public:
    Collisions(std::uint64_t seed, bool verbose) : resources_{abilities_of(seed, true).resources}, world_{seed, abilities_of(seed, true), abilities_of(seed, false), verbose} {
        SeededRandom& random = world_.random;
        world_.weather = {.loss_percent = random.below(16), .duplicate_percent = random.below(16), .reorder_percent = random.below(30), .delay = milliseconds{1},
                          .delay_spread = milliseconds{random.below(200)}, .reorder_delay = milliseconds{random.below(400)}};
        world_.on_down = [this](End& end, const ike::SaDown&) { reconnect_later(end); };
        world_.after_each = [this] { check(); };
        for (End& end : world_.ends) {
            world_.at(world_.now + milliseconds{random.below(kAtOnceMilliseconds)}, [this, &end] { world_.connect(end); });
            world_.at(world_.now + seconds{2}, [this, &end] { act_for_ever(end); });
        }
    }

    CollisionsResult run() {
        world_.run_until(world_.now + kStorm);
        is_quiet_ = true;
        world_.weather = Weather::fair();
        world_.run_until(world_.now + kQuiet);
        check_end();
        result_.failures = world_.violations;
        result_.esp_opened = world_.esp_opened, result_.esp_lost = world_.esp_lost;
        for (const End& end : world_.ends)
            for (const auto& [name, count] : end.endpoint->counters()) {
                if (name == "child-rekey-collisions" || name == "ike-rekey-collisions") result_.collisions += count;
                if (name == "duplicates") result_.duplicates += count;
                if (name == "intermediate-exchanges" || name == "follow-up-exchanges") result_.additional_key_exchanges += count;
            }
        return std::move(result_);
    }

private:
    void reconnect_later(End& end) {
        world_.at(world_.now + milliseconds{world_.random.below(2000)}, [this, &end] {
            if (!end.is_up()) world_.connect(end);
        });
    }

    void act_for_ever(End& end) {
        if (is_quiet_) return;
        world_.at(world_.now + milliseconds{world_.random.below(static_cast<std::uint32_t>(kPauseMax / milliseconds{1}))}, [this, &end] { act_for_ever(end); });
        const std::uint32_t die = world_.random.below(100);
        act(end, die);
        // Every other time the peer has the same idea at about the same time.
        if (world_.random.chance(50)) world_.at(world_.now + milliseconds{world_.random.below(kAtOnceMilliseconds)}, [this, &end, die] { act(world_.other(end), die); });
    }

    void act(End& end, std::uint32_t die) {
        if (is_quiet_ || end.up.empty()) return;
        ++result_.actions;
        const ike::SaId sa = end.up[world_.random.below(static_cast<std::uint32_t>(end.up.size()))];
        const TimePoint now = world_.now;
        if (die < 45) return world_.act(end, "rekey child", [&](auto& endpoint, auto& out) { rekey_child(endpoint, sa, out); });
        if (die < 85) return world_.act(end, "rekey IKE", [&](auto& endpoint, auto& out) { endpoint.rekey_ike(sa, now, out); });
        if (die < 94) return world_.act(end, "probe", [&](auto& endpoint, auto& out) { endpoint.probe(sa, now, out); });
        is_excused_ = true;
        world_.act(end, "close", [&](auto& endpoint, auto& out) { endpoint.close(sa, ike::DownReason::closed_by_us, die >= 98, now, out); });
    }

    void rekey_child(ike::Endpoint& endpoint, ike::SaId sa, ike::Outbox& out) {
        for (const ike::SaView& view : endpoint.snapshot()) {
            if (view.sa != sa || view.children.empty()) continue;
            const auto& any = view.children[world_.random.below(static_cast<std::uint32_t>(view.children.size()))];
            endpoint.rekey_child(sa, any.inbound, world_.now, out);
        }
    }

    void check() {
        const bool usable = world_.usable();
        if (usable) was_up_ = true;
        // Of two associations one may be closed on purpose before the other end gives up its twin as redundant.
        if (usable && std::ranges::all_of(world_.ends, [](const End& end) { return end.up.size() == 1; })) is_excused_ = false;
        if (was_up_ && !usable && !is_excused_) {
            world_.violation(fmt::format("no usable pair: left {} send, right {} send", world_.can_send(world_.ends[0]) ? "can" : "cannot",
                                         world_.can_send(world_.ends[1]) ? "can" : "cannot"));
            is_excused_ = true;  // told once
        }
    }

    void check_end() {
        if (!world_.usable()) return world_.violation("at the end there is no usable pair");
        const std::size_t pairs = 1u + resources_;  // one for all, and one for each resource
        std::vector<ike::SaView> views;
        for (const End& end : world_.ends) {
            const auto all = end.endpoint->snapshot();
            if (all.size() != 1 || all[0].state != "established" || all[0].children.size() != pairs)
                return world_.violation(fmt::format("at the end {} has {} associations, the first of them {} with {} child SAs instead of {}", end.name, all.size(),
                                                    all.empty() ? "absent" : all[0].state, all.empty() ? 0 : all[0].children.size(), pairs));
            if (end.taken.size() != pairs || end.inbound.size() != pairs || end.outbound.size() != pairs)
                world_.violation(fmt::format("at the end {} holds {} SPIs, {} inbound and {} outbound SAs instead of {}", end.name, end.taken.size(), end.inbound.size(),
                                             end.outbound.size(), pairs));
            views.push_back(all[0]);
        }
        if (views[0].initiator_spi != views[1].initiator_spi || views[0].responder_spi != views[1].responder_spi) world_.violation("at the end the ends have different IKE SAs");
        for (const auto& child : views[0].children) {
            const bool has_twin = std::ranges::any_of(views[1].children, [&](const auto& each) { return each.inbound == child.outbound && each.outbound == child.inbound; });
            if (!has_twin) world_.violation("at the end the ends have different child SAs");
        }
    }

    std::uint8_t resources_;
    TwoEnds world_;
    CollisionsResult result_;
    bool is_quiet_ = false, was_up_ = false, is_excused_ = false;
};

}  // namespace

CollisionsResult collide(std::uint64_t seed, bool verbose) { return Collisions{seed, verbose}.run(); }

}  // namespace nave::simulation
