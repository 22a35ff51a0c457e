// navectl: the operator's tool.
#include "controlplane/ctl/client.hpp"
#include "controlplane/ctl/command_line.hpp"
#include "controlplane/ctl/reports.hpp"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace {

constexpr int kRefused = 1, kUsage = 2, kUnreachable = 3;

int complain(int exit_code, const std::string& text) {
    fmt::print(stderr, "navectl: {}\n", text);
    return exit_code;
}

int run(const std::vector<std::string>& arguments) {
    const auto invocation = nave::ctl::parse_command_line(arguments);
    if (!invocation) return complain(kUsage, invocation.error() + " (see navectl --help)");
    if (invocation->help) {
        fmt::print("{}", nave::ctl::usage());
        return 0;
    }
    const auto answer = nave::ctl::ask(invocation->socket, invocation->request());
    if (!answer) return complain(kUnreachable, answer.error());
    const auto report = nave::ctl::report(*answer, {invocation->command, invocation->what, invocation->json, invocation->all});
    if (!report) return complain(kRefused, report.error());
    fmt::print("{}", report->text);
    return report->exit_code;
}

}  // namespace

int main(int count, char** values) {
    try {
        return run({values + 1, values + count});
    } catch (const std::exception& failure) {
        return complain(kRefused, failure.what());  // for example a pipe that nobody reads
    }
}
