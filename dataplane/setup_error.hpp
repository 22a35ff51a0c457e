// Why the dataplane cannot start, in words for the operator.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace nave::dataplane {

/// What was attempted, what went wrong and what to do about it: one or two sentences without a final newline.
struct SetupError {
    std::string text;
};

/// The way to say no with those words.
inline std::unexpected<SetupError> refuse(std::string text) { return std::unexpected{SetupError{std::move(text)}}; }

}  // namespace nave::dataplane
