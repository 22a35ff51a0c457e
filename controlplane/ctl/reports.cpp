// One table per thing that can be shown.
#include "controlplane/ctl/reports.hpp"

#include "controlplane/ctl/drop_help.hpp"
#include "controlplane/ctl/table.hpp"

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace nave::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& row, const char* key) {
    const auto value = row.at(key).get<std::string>();
    return value.empty() ? "-" : value;
}

std::uint64_t count(const Json& row, const char* key) { return row.at(key).get<std::uint64_t>(); }

std::string joined(const Json& row, const char* key) {
    const auto values = row.at(key).get<std::vector<std::string>>();
    return values.empty() ? "-" : fmt::format("{}", fmt::join(values, ","));
}

std::string time(const Json& row, const char* key) {
    return row.at(key).is_null() ? "-" : short_time(static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.at(key).get<std::int64_t>())));
}

/// True if rows differ in that field, so that it is worth a column.
bool varies(const Json& rows, const char* key) {
    std::set<std::string> values;
    for (const Json& row : rows) values.insert(row.at(key).dump());
    return values.size() > 1;
}

std::string or_none(const Table& table, std::string_view none) { return table.empty() ? fmt::format("{}\n", none) : table.to_string(); }

/// "1.23M/1.50GB": packets and bytes of one direction.
std::string traffic(const Json& row, const char* packets, const char* bytes) {
    return fmt::format("{}/{}", short_count(count(row, packets)), short_bytes(count(row, bytes)));
}

/// A row has to fit 120 columns, so the usual state of an IKE SA has the short name that an ESP SA's has.
std::string ike_state(const Json& row) { return text(row, "ike_state") == "established" ? "up" : text(row, "ike_state"); }

bool is_limited(const Json& row) { return !row.at("rate_to").is_null() || !row.at("rate_from").is_null(); }

/// "20M" bits per second.
std::string rate(const Json& row, const char* key) { return row.at(key).is_null() ? "-" : short_count(count(row, key)); }

/// Packets that a peer's rates cost.
std::uint64_t cut(const Json& row) {
    std::uint64_t sum = count(row, "policed");
    for (const Json& drops : row.at("shaper_drops")) sum += drops.get<std::uint64_t>();
    return sum;
}

std::string peers(const Json& rows, bool) {
    const bool several_tunnels = varies(rows, "tunnel");
    std::vector<Column> columns{{"IDENTITY"}, {"ADDRESS"}, {"NBMA"}, {"NAT"}, {"PATH"}, {"IKE"}, {"SA"},
                                {"UP", Align::right}, {"IN", Align::right}, {"OUT", Align::right}};
    const bool some_limited = std::ranges::any_of(rows, is_limited);
    if (several_tunnels) columns.insert(columns.begin(), {"TUNNEL"});
    if (some_limited) columns.insert(columns.end(), {{"TO/FROM", Align::right}, {"CUT", Align::right}});
    Table table{columns};
    for (const Json& row : rows) {
        std::vector<std::string> cells{text(row, "identity"), joined(row, "tunnel_addresses"), text(row, "nbma"), text(row, "nat"), text(row, "path"),
                                       ike_state(row), text(row, "sa_state"), time(row, "uptime_seconds"),
                                       traffic(row, "packets_in", "bytes_in"), traffic(row, "packets_out", "bytes_out")};
        if (several_tunnels) cells.insert(cells.begin(), text(row, "tunnel"));
        if (some_limited) cells.insert(cells.end(), {fmt::format("{}/{}", rate(row, "rate_to"), rate(row, "rate_from")), short_count(cut(row))});
        table.add(std::move(cells));
    }
    return or_none(table, "no peers");
}

std::string nhrp(const Json& rows, bool) {
    const bool has_groups = std::ranges::any_of(rows, [](const Json& row) { return !row.at("group").get<std::string>().empty(); });
    std::vector<Column> columns{{"TUNNEL"}, {"KIND"}, {"PREFIX"}, {"ADDRESS"}, {"NBMA"}, {"PEER"}, {"STATE"}, {"EXPIRES", Align::right}};
    if (has_groups) columns.push_back({"GROUP"});
    Table table{columns};
    for (const Json& row : rows) {
        std::vector<std::string> cells{text(row, "tunnel"), text(row, "kind"), text(row, "prefix"), text(row, "tunnel_address"), text(row, "nbma"), text(row, "peer"),
                                       text(row, "state"), time(row, "expires_in_seconds")};
        if (has_groups) cells.push_back(text(row, "group"));
        table.add(std::move(cells));
    }
    return or_none(table, "no NHRP entries");
}

std::string ike(const Json& rows, bool) {
    Table table{{{"IDENTITY"}, {"STATE"}, {"ROLE"}, {"LOCAL"}, {"REMOTE"}, {"NAT"}, {"PROPOSAL"}, {"AGE", Align::right}, {"REKEY", Align::right}}};
    for (const Json& row : rows) {
        table.add({text(row, "identity"), text(row, "state"), text(row, "role"), text(row, "local"), text(row, "remote"), text(row, "nat"),
                   text(row, "proposal"), time(row, "age_seconds"), time(row, "rekey_in_seconds")});
    }
    return or_none(table, "no IKE SAs");
}

std::string sas(const Json& rows, bool) {
    Table table{{{"IDENTITY"}, {"DIRECTION"}, {"SPI"}, {"PROPOSAL"}, {"MODE"}, {"ESN"}, {"WORKER"}, {"PACKETS", Align::right}, {"BYTES", Align::right},
                 {"AGE", Align::right}, {"REKEY", Align::right}}};
    for (const Json& row : rows) {
        table.add({text(row, "identity"), text(row, "direction"), text(row, "spi"), text(row, "proposal"), text(row, "mode"),
                   row.at("esn").get<bool>() ? "yes" : "no", row.at("worker").is_null() ? "all" : std::to_string(row.at("worker").get<int>()),
                   short_count(count(row, "packets")), short_bytes(count(row, "bytes")),
                   time(row, "age_seconds"), time(row, "rekey_in_seconds")});
    }
    return or_none(table, "no ESP SAs");
}

std::string routes(const Json& rows, bool) {
    Table table{{{"TUNNEL"}, {"PREFIX"}, {"VIA"}, {"SOURCE"}}};
    for (const Json& row : rows) table.add({text(row, "tunnel"), text(row, "prefix"), text(row, "via"), text(row, "source")});
    return or_none(table, "no routes");
}

std::string ports(const Json& rows, bool) {
    Table table{{{"PORT"}, {"ROLE"}, {"DEVICE"}, {"LINK"}, {"MTU", Align::right}, {"ADDRESS"}, {"TWIN"}, {"TUNNEL"}, {"IN-PKTS", Align::right},
                 {"IN", Align::right}, {"OUT-PKTS", Align::right}, {"OUT", Align::right}, {"LOST", Align::right}}};
    for (const Json& row : rows) {
        table.add({text(row, "name"), text(row, "role"), text(row, "device"), text(row, "link"), fmt::format("{}", count(row, "mtu")),
                   joined(row, "addresses"), text(row, "twin"), text(row, "tunnel"), short_count(count(row, "received_packets")),
                   short_bytes(count(row, "received_bytes")), short_count(count(row, "sent_packets")), short_bytes(count(row, "sent_bytes")),
                   short_count(count(row, "missed") + count(row, "errors"))});
    }
    return or_none(table, "no ports");
}

std::string drops(const Json& rows, bool all) {
    Table table{{{"PACKETS", Align::right}, {"REASON"}, {"WHAT IT MEANS, WHAT TO DO"}}};
    for (const Json& row : rows) {
        const auto reason = row.at("reason").get<std::string>();
        if (all || count(row, "packets") != 0) table.add({fmt::format("{}", count(row, "packets")), reason, std::string{drop_help(reason)}});
    }
    return or_none(table, "no packet was dropped");
}

std::string stages(const Json& rows, bool) {
    const bool several_workers = varies(rows, "worker");
    std::map<std::uint64_t, double> cycles_of_worker;
    for (const Json& row : rows) cycles_of_worker[count(row, "worker")] += static_cast<double>(count(row, "cycles"));
    std::vector<Column> columns{{"STAGE"}, {"CALLS", Align::right}, {"PACKETS", Align::right}, {"PACKETS/CALL", Align::right},
                                {"CYCLES/PACKET", Align::right}, {"TIME", Align::right}};
    if (several_workers) columns.insert(columns.begin(), {"WORKER", Align::right});
    Table table{columns};
    for (const Json& row : rows) {
        const auto per = [&](const char* what, const char* each) {
            return count(row, each) == 0 ? std::string{"-"} : fmt::format("{:.1f}", static_cast<double>(count(row, what)) / static_cast<double>(count(row, each)));
        };
        const double all_cycles = cycles_of_worker[count(row, "worker")];
        const double share = all_cycles > 0 ? 100 * static_cast<double>(count(row, "cycles")) / all_cycles : 0;
        std::vector<std::string> cells{text(row, "stage"), short_count(count(row, "calls")), short_count(count(row, "packets")), per("packets", "calls"),
                                       per("cycles", "packets"), fmt::format("{:.1f}%", share)};
        if (several_workers) cells.insert(cells.begin(), fmt::format("{}", count(row, "worker")));
        table.add(std::move(cells));
    }
    return or_none(table, "no workers");
}

std::string counters(const Json& rows, bool all) {
    Table table{{{"VALUE", Align::right}, {"COUNTER"}}};
    for (const Json& row : rows) {
        if (all || count(row, "value") != 0) table.add({fmt::format("{}", count(row, "value")), text(row, "name")});
    }
    return or_none(table, "nothing was counted");
}

std::string settings(const Json& rows, bool) {
    std::string lines;
    for (const Json& row : rows) lines += fmt::format("{} = {}\n", row.at("key").get<std::string>(), row.at("value").get<std::string>());
    return lines;
}

std::string shown(const Json& rows, const ReportRequest& request) {
    static const std::map<std::string_view, std::string (*)(const Json&, bool)> kReports{
        {"peers", peers}, {"nhrp", nhrp}, {"ike", ike}, {"sas", sas}, {"routes", routes}, {"ports", ports},
        {"drops", drops}, {"stages", stages}, {"counters", counters}, {"config", settings}};
    const auto found = kReports.find(request.what);
    return found == kReports.end() ? rows.dump(2) + "\n" : found->second(rows, request.all);
}

Report cleared(const Json& result, const ReportRequest& request) {
    const std::uint64_t closed = count(result, "closed");
    // "all" of nothing is done; a peer that is not there was named wrongly.
    if (closed == 0 && request.what != "all") return {fmt::format("no peer matches \"{}\"; see navectl show peers\n", request.what), 1};
    return {fmt::format("closed {} {}\n", closed, closed == 1 ? "peer" : "peers"), 0};
}

Report described(const Json& result, const ReportRequest& request) {
    if (request.command == "show") return {request.json ? result.dump(2) + "\n" : shown(result, request), 0};
    if (request.command == "shutdown") return {request.json ? result.dump(2) + "\n" : "naved is shutting down\n", 0};
    Report report = cleared(result, request);
    if (request.json) report.text = result.dump(2) + "\n";
    return report;
}

}  // namespace

std::expected<Report, std::string> report(std::string_view answer, const ReportRequest& request) {
    try {
        const Json parsed = Json::parse(answer);
        if (!parsed.at("ok").get<bool>()) return std::unexpected{parsed.at("error").get<std::string>()};
        return described(parsed.at("result"), request);
    } catch (const std::exception& failure) {
        return std::unexpected{fmt::format("naved gave an answer that makes no sense here; are both of one version? ({})", failure.what())};
    }
}

}  // namespace nave::ctl
