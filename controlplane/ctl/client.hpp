// The other end of the management socket: one request, one answer.
#pragma once

#include <chrono>
#include <expected>
#include <string>

namespace nave::ctl {

/// Sends one request line and waits for the answer line; both without line end. The error says in words what is wrong and what to
/// try: whether naved runs, which sockets there are, who may use them.
std::expected<std::string, std::string> ask(const std::string& socket, const std::string& request,
                                                 std::chrono::milliseconds patience = std::chrono::seconds{10});

}  // namespace nave::ctl
