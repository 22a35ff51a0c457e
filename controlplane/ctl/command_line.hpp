// What the operator typed, as a request to a socket.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace nave::ctl {

struct Invocation {
    std::string socket;    // path
    std::string command;   // "show", "clear" or "shutdown"
    std::string what;      // what to show, or which peer to clear
    bool json = false;     // the result as JSON instead of a table
    bool all = false;      // also rows that count nothing
    bool help = false;

    /// The request line of the management protocol, without line end.
    std::string request() const;
};

/// `arguments` without the program's name. The error names the argument, what is known, and the nearest to it.
std::expected<Invocation, std::string> parse_command_line(const std::vector<std::string>& arguments);
std::string usage();

}  // namespace nave::ctl
