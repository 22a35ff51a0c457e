// The nearest known word to one that nobody knows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nave::config {

/// Steps that turn one text into the other: insert, leave out, replace, or swap two neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that needs the fewest steps, if they are few for its length; else the first that it abbreviates; else empty.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// `; did you mean "mtu"?`, or all that is known when nothing is near: `; known: a, b, c`.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace nave::config
