// The management protocol: one JSON object a line asks, one JSON object a line answers.
#pragma once

#include "controlplane/management/operable.hpp"

#include <array>
#include <string>
#include <string_view>

namespace nave::management {

/// What `show` knows, in the words of the protocol and of navectl.
inline constexpr std::array<std::string_view, 10> kShowable{"peers", "nhrp", "ike", "sas", "routes", "ports", "drops", "stages", "counters", "config"};

/// Answers one request line, such as {"command": "show", "what": "peers"}, {"command": "clear", "peer": "all"} or
/// {"command": "shutdown"}. The answer is one line without its end: {"ok": true, "result": ...} or {"ok": false, "error": "..."}.
/// Takes any bytes; never throws. Control thread.
std::string answer(std::string_view line, Operable& gateway);

/// An answer that refuses, for whoever cannot even ask the gateway.
std::string refusal(std::string_view error);

}  // namespace nave::management
