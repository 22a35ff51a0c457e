// Revocation lists that come anew while the gateway runs: their files are looked at again.
#pragma once

#include "controlplane/config/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nave::config {

class RevocationFiles {
public:
    /// What the configuration holds was read just now.
    explicit RevocationFiles(const Config& config);

    struct News {
        TunnelId tunnel;
        std::expected<std::vector<ike::RevocationList>, std::string> lists;  // all of the tunnel; or in words why the former ones stay
    };
    /// The tunnels of which a file changed since the last look.
    std::vector<News> look();

private:
    struct Stamp {
        std::int64_t seconds = 0, nanoseconds = 0, size = -1;
        std::uint64_t file = 0;
        bool operator==(const Stamp&) const = default;
    };
    struct Tunnel {
        std::vector<std::string> paths;
        std::vector<Stamp> stamps;
    };
    static Stamp stamp_of(const std::string& path);
    static std::vector<Stamp> stamps_of(const std::vector<std::string>& paths);
    std::vector<Tunnel> tunnels_;  // by TunnelId
};

}  // namespace nave::config
