// Options by Boost.Program_options, words by hand.
#include "controlplane/ctl/command_line.hpp"

#include "controlplane/config/config.hpp"
#include "controlplane/config/suggestion.hpp"
#include "controlplane/management/requests.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sstream>

namespace nave::ctl {
namespace {

namespace options = boost::program_options;
using Words = std::vector<std::string>;

options::options_description visible_options() {
    options::options_description visible{"options"};
    visible.add_options()
        ("socket,s", options::value<std::string>()->value_name("PATH"), "the gateway's management socket")
        ("name,n", options::value<std::string>()->value_name("NAME"), "the gateway's name, for /run/nave/NAME.sock (default: naved)")
        ("json,j", options::bool_switch(), "print the result as JSON")
        ("all,a", options::bool_switch(), "show also drops and counters that are zero")
        ("help,h", options::bool_switch(), "print this help");
    return visible;
}

std::unexpected<std::string> error(std::string text) { return std::unexpected{std::move(text)}; }

/// Fills in command and what; gives in words what is wrong, or nothing.
std::string take_words(const Words& words, Invocation& invocation) {
    const Words showable{management::kShowable.begin(), management::kShowable.end()};
    const Words commands{"show", "clear", "shutdown"};
    if (words.empty()) return "a command is missing; known: show, clear, shutdown";
    invocation.command = words[0];
    if (std::ranges::find(commands, words[0]) == commands.end()) return fmt::format("unknown command \"{}\"{}", words[0], config::suggestion(words[0], commands));
    std::size_t expected = 1;
    if (words[0] == "show") {
        if (words.size() < 2) return fmt::format("show what? known: {}", fmt::join(showable, ", "));
        if (std::ranges::find(showable, words[1]) == showable.end()) return fmt::format("cannot show \"{}\"{}", words[1], config::suggestion(words[1], showable));
        invocation.what = words[1];
        expected = 2;
    } else if (words[0] == "clear") {
        if (words.size() < 3 || words[1] != "peer" || words[2].empty())
            return "accepted: clear peer all, or clear peer followed by an identity, tunnel address or NBMA address";
        invocation.what = words[2];
        expected = 3;
    }
    if (words.size() > expected) return fmt::format("\"{}\" is one word too many", words[expected]);
    return {};
}

}  // namespace

std::string Invocation::request() const {
    nlohmann::ordered_json request{{"command", command}};
    if (command == "show") request["what"] = what;
    if (command == "clear") request["peer"] = what;
    return request.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::expected<Invocation, std::string> parse_command_line(const std::vector<std::string>& arguments) {
    options::options_description all = visible_options();
    all.add_options()("words", options::value<Words>());
    options::positional_options_description positional;
    positional.add("words", -1);
    options::variables_map given;
    try {
        // No guessing: an abbreviated option would change its meaning when another is added.
        const auto style = options::command_line_style::unix_style & ~options::command_line_style::allow_guessing;
        options::store(options::command_line_parser(arguments).options(all).positional(positional).style(style).run(), given);
    } catch (const options::error& problem) {
        return error(problem.what());
    }
    Invocation invocation{
        .socket = {}, .command = {}, .what = {}, .json = given["json"].as<bool>(), .all = given["all"].as<bool>(), .help = given["help"].as<bool>()};
    if (invocation.help) return invocation;
    if (given.count("socket") != 0 && given.count("name") != 0) return error("--socket and --name both say which gateway; give one of them");
    invocation.socket = given.count("socket") != 0 ? given["socket"].as<std::string>()
                                                   : config::default_socket(given.count("name") != 0 ? given["name"].as<std::string>() : "naved");
    const std::string problem = take_words(given.count("words") != 0 ? given["words"].as<Words>() : Words{}, invocation);
    if (!problem.empty()) return error(problem);
    return invocation;
}

std::string usage() {
    std::ostringstream text;
    text << "navectl [options] show " << fmt::format("{}", fmt::join(management::kShowable, "|")) << "\n"
         << "navectl [options] clear peer IDENTITY|ADDRESS|all\n"
         << "navectl [options] shutdown\n\n"
         << visible_options() << "\nexit code: 0 done, 1 refused or nothing matched, 2 wrong usage, 3 no answer from naved\n";
    return text.str();
}

}  // namespace nave::ctl
