// Which files of revocation lists changed, and what is in them.
#include "controlplane/config/revocation_files.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sys/stat.h>

namespace nave::config {
namespace {

std::expected<std::vector<ike::RevocationList>, std::string> read_lists(const std::vector<std::string>& paths) {
    std::vector<ike::RevocationList> all;
    for (const std::string& path : paths) {
        const auto content = read_public_file(path);
        if (!content) return std::unexpected{fmt::format("cannot read {}: {}", path, content.error())};
        auto lists = ike::revocation_lists_from(*content);
        if (!lists) return std::unexpected{fmt::format("cannot use the revocation lists in {}: {}", path, lists.error())};
        std::ranges::move(*lists, std::back_inserter(all));
    }
    return all;
}

}  // namespace

RevocationFiles::Stamp RevocationFiles::stamp_of(const std::string& path) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) return {};
    return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size, status.st_ino};
}

std::vector<RevocationFiles::Stamp> RevocationFiles::stamps_of(const std::vector<std::string>& paths) {
    std::vector<Stamp> stamps;
    std::ranges::transform(paths, std::back_inserter(stamps), stamp_of);
    return stamps;
}

RevocationFiles::RevocationFiles(const Config& config) {
    for (const TunnelFiles& files : config.files) tunnels_.push_back({files.revocation_paths, stamps_of(files.revocation_paths)});
}

std::vector<RevocationFiles::News> RevocationFiles::look() {
    std::vector<News> news;
    for (std::size_t i = 0; i < tunnels_.size(); ++i) {
        Tunnel& tunnel = tunnels_[i];
        auto stamps = stamps_of(tunnel.paths);
        if (stamps == tunnel.stamps) continue;
        tunnel.stamps = std::move(stamps);
        news.push_back({TunnelId{static_cast<std::uint16_t>(i)}, read_lists(tunnel.paths)});
    }
    return news;
}

}  // namespace nave::config
