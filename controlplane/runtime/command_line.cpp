// Options of naved by Boost.Program_options.
#include "controlplane/runtime/command_line.hpp"

#include <boost/program_options.hpp>
#include <sstream>

namespace nave::runtime {

namespace {

namespace options = boost::program_options;

options::options_description described(CommandLine& into) {
    options::options_description description{"naved: a DMVPN gateway, hub or spoke"};
    description.add_options()("config,c", options::value(&into.config_file)->value_name("FILE"), "the configuration (TOML)")(
        "check", options::bool_switch(&into.check), "say whether the configuration is good, and exit")(
        "version", options::bool_switch(&into.version), "print the version, and exit")("help,h", options::bool_switch(&into.help), "print this, and exit");
    return description;
}

}  // namespace

std::expected<CommandLine, std::string> parse_command_line(int argc, const char* const* argv) {
    CommandLine line;
    try {
        options::variables_map values;
        options::store(options::command_line_parser(argc, argv).options(described(line)).positional({}).run(), values);
        options::notify(values);
    } catch (const options::error& error) {
        return std::unexpected{std::string{"naved: "} + error.what() + "; see naved --help"};
    }
    if (line.config_file.empty() && !line.version && !line.help) return std::unexpected{"naved: which configuration? Start with naved --config FILE"};
    return line;
}

std::string usage() {
    CommandLine unused;
    std::ostringstream text;
    text << described(unused);
    return text.str();
}

}  // namespace nave::runtime
