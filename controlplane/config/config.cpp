// From a file to a configuration or to everything that is wrong with it.
#include "controlplane/config/config.hpp"

#include "controlplane/config/finish.hpp"
#include "controlplane/config/keys.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <tuple>

namespace nave::config {
namespace {

constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;

Config assemble(Draft& draft) {
    Config config = std::move(draft.config);
    for (PortDraft& port : draft.ports) config.ports.push_back(std::move(port.port));
    for (TunnelDraft& tunnel : draft.tunnels) {
        config.twins.push_back(std::move(tunnel.twin));
        config.files.push_back(std::move(tunnel.files));
        config.overlay.ike.profiles.push_back(std::move(tunnel.profile));
        config.overlay.tunnels.push_back(std::move(tunnel.tunnel));
    }
    return config;
}

void sort_by_place(Problems& problems) {
    std::ranges::sort(problems, {}, [](const Problem& problem) { return std::tuple{problem.line, problem.column, std::string_view{problem.text}}; });
}

Problems whole_file(const std::string& file, std::string text) { return {{file, 0, 0, std::move(text)}}; }

/// A key inside a file that others may read is nobody's secret.
void warn_of_readable_keys(const std::string& file, Loaded& loaded) {
    struct stat status{};
    if (!loaded.holds_keys || stat(file.c_str(), &status) != 0 || (status.st_mode & 077u) == 0) return;
    loaded.warnings.push_back(
        {file, 0, 0,
         fmt::format("holds a key, and others than its owner may use it (mode {:04o}); chmod 600 it, or use key_file", status.st_mode & 07777u)});
}

}  // namespace

std::string Problem::to_string() const {
    return line == 0 ? fmt::format("{}: {}", file, text) : fmt::format("{}:{}:{}: {}", file, line, column, text);
}

std::expected<Loaded, Problems> parse(std::string_view text, const std::string& file, const KeyReader& read_key, const DeviceJudge& judge_device,
                                      const FileReader& read_file) {
    const auto document = parse_document(text, file);
    if (!document) return std::unexpected{Problems{document.error()}};
    Reader reader{file, read_key, read_file};
    Draft draft;
    read_table(reader, *document, root_keys(), draft);
    resolve(reader, draft, *document);
    check_gateway(reader, draft);
    check_ports(reader, draft);
    if (judge_device) check_devices(reader, draft, judge_device);
    check_tunnels(reader, draft);
    check_trust(reader, draft, *document);
    check_certificates(reader, draft);
    sort_by_place(reader.problems());
    sort_by_place(reader.warnings());
    if (!reader.problems().empty()) return std::unexpected{std::move(reader.problems())};
    const auto in_text = [](const auto& secret) { return secret.source->member("key") != nullptr; };
    const bool holds_keys = std::ranges::any_of(draft.tunnels, [&](const TunnelDraft& tunnel) {
        return std::ranges::any_of(tunnel.psk, in_text) || std::ranges::any_of(tunnel.ppk, in_text);
    });
    return Loaded{assemble(draft), std::move(reader.warnings()), holds_keys};
}

std::expected<Loaded, Problems> load(const std::string& file, const DeviceJudge& judge_device) {
    struct stat status{};
    if (stat(file.c_str(), &status) != 0) return std::unexpected{whole_file(file, fmt::format("cannot read the configuration: {}", std::strerror(errno)))};
    if (!S_ISREG(status.st_mode)) return std::unexpected{whole_file(file, "cannot read the configuration: it is not a regular file")};
    if (static_cast<std::size_t>(status.st_size) > kFileBytesMax)
        return std::unexpected{whole_file(file, fmt::format("has {} bytes; accepted: up to {}", status.st_size, kFileBytesMax))};
    std::ifstream stream{file, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{stream}, {}};
    if (!stream) return std::unexpected{whole_file(file, fmt::format("cannot read the configuration: {}", std::strerror(errno)))};
    auto loaded = parse(text, file, read_key_file, judge_device);
    if (loaded) warn_of_readable_keys(file, *loaded);
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return loaded;
}

CheckReport check(const std::string& file, const DeviceJudge& judge_device) {
    auto loaded = load(file, judge_device);
    CheckReport report;
    if (!loaded) {
        for (const Problem& problem : loaded.error()) report.text += problem.to_string() + "\n";
        return report;
    }
    for (const Problem& warning : loaded->warnings) report.text += fmt::format("{} (warning)\n", warning.to_string());
    report.text += fmt::format("{}: ok\n", file);
    report.config = std::move(loaded->config);
    return report;
}

}  // namespace nave::config
