// What each reason to drop a packet means, and what to do about it.
#pragma once

#include <string_view>

namespace nave::ctl {

/// A sentence or two for an operator, by the name of the reason ("esp-replayed"); empty for a name that nobody knows.
std::string_view drop_help(std::string_view reason);

}  // namespace nave::ctl
