// Edit distance, and the sentence made of it.
#include "controlplane/config/suggestion.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last, last(b.size() + 1), current(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            current[j] = std::min({last[j] + 1, current[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) current[j] = std::min(current[j], before_last[j - 2] + 1);
        }
        before_last = last;
        last = current;
    }
    return last[b.size()];
}

namespace {

/// True if the letters of `word` occur in `candidate` in that order: "holdtime" in "holding_time".
bool abbreviates(std::string_view word, std::string_view candidate) {
    std::size_t matched = 0;
    for (const char c : candidate) matched += matched < word.size() && c == word[matched] ? 1 : 0;
    return matched == word.size();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    constexpr std::size_t kLongestWord = 64;  // bounds the work for a hostile file
    if (word.size() > kLongestWord) return {};
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string& candidate : known) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
            best = candidate;
            best_distance = distance;
        }
    }
    if (!best.empty() || word.size() < 3) return best;
    const auto longer = std::ranges::find_if(known, [&](const std::string& candidate) { return abbreviates(word, candidate); });
    return longer == known.end() ? best : *longer;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
    if (known.empty()) return {};
    const std::string near = nearest(word, known);
    if (near.empty()) return fmt::format("; known: {}", fmt::join(known, ", "));
    return fmt::format("; did you mean \"{}\"?", near);
}

}  // namespace nave::config
