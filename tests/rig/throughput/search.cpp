// Which rate next, and what the trials so far say.
#include "tests/rig/throughput/search.hpp"

#include <algorithm>
#include <ranges>

namespace nave::rig::throughput {

std::optional<double> RateSearch::next() const {
    if (trials_ >= settings_.trials_max) return std::nullopt;
    if (candidates_.empty()) return settings_.rate_max;
    if (is_open(candidates_.back())) return candidates_.back().wanted;
    // The loosest goal lies highest, and what is tried for it bounds the stricter ones from above.
    for (const double loss_max : std::views::reverse(settings_.goals))
        if (const auto known = range(loss_max); !settled(known)) return between(known);
    return std::nullopt;
}

void RateSearch::record(const Measured& trial) {
    const auto wanted = next();
    if (!wanted) return;
    if (candidates_.empty() || !is_open(candidates_.back())) candidates_.push_back({*wanted, {}});
    candidates_.back().trials.push_back(trial);
    ++trials_;
}

Found RateSearch::found(std::size_t goal) const {
    const auto known = range(settings_.goals.at(goal));
    Found found{.rate = 0, .loss = 1, .missed_at = std::nullopt, .converged = !candidates_.empty() && settled(known)};
    if (known.above != nullptr) found.missed_at = known.above->pace();
    if (known.below == nullptr) return found;
    // A generator that was held up may have offered less at the highest pace than at one below it.
    for (const auto& candidate : candidates_) {
        const double offered = candidate.mean(&Measured::offered);
        if (verdict(candidate, settings_.goals[goal]) != Verdict::met || candidate.pace() > known.below->pace() || offered < found.rate) continue;
        found.rate = offered;
        found.loss = candidate.median_loss();
    }
    return found;
}

RateSearch::Verdict RateSearch::verdict(const Candidate& candidate, double loss_max) const {
    const auto met = static_cast<unsigned>(std::ranges::count_if(candidate.trials, [&](const Measured& trial) { return trial.loss <= loss_max; }));
    const auto missed = static_cast<unsigned>(candidate.trials.size()) - met;
    const unsigned needed = settings_.repeat / 2 + 1;
    if (met >= needed) return Verdict::met;
    return missed > settings_.repeat - needed ? Verdict::missed : Verdict::open;
}

bool RateSearch::is_open(const Candidate& candidate) const {
    return std::ranges::any_of(settings_.goals, [&](double loss_max) { return verdict(candidate, loss_max) == Verdict::open; });
}

RateSearch::Range RateSearch::range(double loss_max) const {
    Range range;
    for (const auto& candidate : candidates_)
        if (verdict(candidate, loss_max) == Verdict::missed && (range.above == nullptr || candidate.pace() < range.above->pace())) range.above = &candidate;
    // Where noise made a lower rate fail than one that held, the lower one counts.
    for (const auto& candidate : candidates_) {
        if (verdict(candidate, loss_max) != Verdict::met || (range.above != nullptr && candidate.pace() >= range.above->pace())) continue;
        if (range.below == nullptr || candidate.pace() > range.below->pace()) range.below = &candidate;
    }
    return range;
}

bool RateSearch::settled(const Range& range) const {
    if (range.above == nullptr) return range.below != nullptr;
    const double above = range.above->pace();
    if (range.below == nullptr) return above <= settings_.rate_min * (1 + settings_.resolution);
    return above - range.below->pace() <= settings_.resolution * range.below->pace();
}

double RateSearch::between(const Range& range) const {
    if (range.above == nullptr) return settings_.rate_max;
    const double above = range.above->pace();
    if (range.below != nullptr) return (above + range.below->pace()) / 2;
    const double forwarded = range.above->mean(&Measured::offered) * (1 - range.above->median_loss());
    const bool first_guess = candidates_.size() == 1 && forwarded < above * (1 - settings_.resolution);
    return std::max(first_guess ? forwarded : above / 2, settings_.rate_min);
}

double RateSearch::Candidate::mean(double Measured::*value) const {
    double sum = 0;
    for (const auto& trial : trials) sum += trial.*value;
    return sum / static_cast<double>(std::max<std::size_t>(trials.size(), 1));
}

double RateSearch::Candidate::median_loss() const {
    std::vector<double> losses;
    for (const auto& trial : trials) losses.push_back(trial.loss);
    if (losses.empty()) return 1;
    const auto middle = losses.begin() + static_cast<std::ptrdiff_t>((losses.size() - 1) / 2);
    std::ranges::nth_element(losses, middle);
    return *middle;
}

}  // namespace nave::rig::throughput
