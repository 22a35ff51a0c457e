// Deadlines of many entries of a table, earliest first.
#pragma once

#include "common/time.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace nave::nhrp {

/// One deadline per key, which `take_due` hands out when its time has come.
template <class Key>
class Deadlines {
public:
    void set(const Key& key, TimePoint when) {
        clear(key);
        when_.emplace(key, when);
        order_.emplace(when, key);
    }
    void clear(const Key& key) {
        const auto found = when_.find(key);
        if (found == when_.end()) return;
        order_.erase({found->second, key});
        when_.erase(found);
    }
    /// Removes and gives one key whose deadline is at or before `now`.
    std::optional<Key> take_due(TimePoint now) {
        if (order_.empty() || order_.begin()->first > now) return std::nullopt;
        const Key key = order_.begin()->second;
        clear(key);
        return key;
    }
    std::optional<TimePoint> at(const Key& key) const {
        const auto found = when_.find(key);
        return found == when_.end() ? std::nullopt : std::optional{found->second};
    }
    std::optional<TimePoint> next() const {
        return order_.empty() ? std::nullopt : std::optional{order_.begin()->first};
    }

private:
    std::map<Key, TimePoint> when_;
    std::set<std::pair<TimePoint, Key>> order_;
};

}  // namespace nave::nhrp
