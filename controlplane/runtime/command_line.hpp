// The command line of naved.
#pragma once

#include <expected>
#include <string>

namespace nave::runtime {

struct CommandLine {
    std::string config_file;
    bool check = false;    // validate the file and exit
    bool version = false;
    bool help = false;
};

/// The error is one line, for standard error.
std::expected<CommandLine, std::string> parse_command_line(int argc, const char* const* argv);
/// What --help prints.
std::string usage();

}  // namespace nave::runtime
