// Why the dataplane cannot start, in words for the operator.
#pragma once

#include <string>

namespace nave::dataplane {

/// What was attempted, what went wrong and what to do about it: one or two sentences without a final newline.
struct SetupError {
    std::string text;
};

}  // namespace nave::dataplane
