// Results of the management protocol as text for people.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace nave::ctl {

struct Report {
    std::string text;   // with line ends
    int exit_code = 0;  // 1 when nothing matched
};

/// What to print for an answer line; `what` is what was asked to be shown, `json` prints the result as it is, `all` keeps rows that count
/// nothing. The error is the gateway's, or says that the answer makes no sense.
struct ReportRequest {
    std::string_view command, what;
    bool json = false, all = false;
};
std::expected<Report, std::string> report(std::string_view answer, const ReportRequest& request);

}  // namespace nave::ctl
