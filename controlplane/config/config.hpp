// The gateway's configuration as plain values, and how it comes out of a TOML file or is refused.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "common/secret.hpp"
#include "controlplane/overlay/settings.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nave::config {

enum class Mode : std::uint8_t { adaptive, poll };
/// `automatic` uses hugepages when the machine has some free.
enum class Hugepages : std::uint8_t { automatic, required, off };
/// A port is an underlay when a tunnel names it so, and inside when it names a tunnel; never both.
enum class PortRole : std::uint8_t { underlay, inside };

/// [control]: what concerns the control thread alone.
struct Control {
    std::string socket;                                 // path of the management socket; never empty after loading
    ike::Severity log_level = ike::Severity::info;      // lines below it are not written
    std::string ticket_key;                             // file of the keys for session resumption; empty: they live as long as the process
    std::string key_log;                                // folder for all keys, as Wireshark's tables; empty: they are not written
};

/// [dataplane]. The numbers of SAs and peers stand in overlay::Settings.
struct Dataplane {
    Mode mode = Mode::adaptive;
    std::uint8_t workers = 1;
    std::vector<std::uint16_t> cores;                   // one per worker; empty: the system chooses
    std::uint32_t memory_mib = 256;                     // MiB, of packets and tables; by default more for several tables
    Hugepages hugepages = Hugepages::automatic;
    std::uint32_t routes_max = 65536;                   // of each IP version in each inside route table
    std::uint32_t route_blocks_max = 1024;              // of each table: /24 blocks that hold longer prefixes
};

/// An address together with the length of its network, as an interface has it.
struct InterfaceAddress {
    IpAddress address;
    std::uint8_t length = 0;                            // bits
    Prefix network() const { return Prefix::of(address, length); }
    auto operator<=>(const InterfaceAddress&) const = default;
};

/// [port.NAME]; Config::ports is indexed by PortId, in the order of the file.
struct Port {
    std::string name;
    PortId id;
    PortRole role = PortRole::underlay;
    std::string device;                                 // "0000:03:00.0", "af_packet:eth0", ...; the dataplane judges it
    std::optional<TunnelId> tunnel;                     // of an inside port: a tunnel of the route table that it uses
    std::vector<InterfaceAddress> addresses;            // static, at most one of each family; none: whatever the kernel's twin gets
    std::vector<IpAddress> gateways;                    // underlay only: next hop of everything of its family that is not on the link
    std::optional<std::uint16_t> vlan;                  // 802.1Q tag, 1 to 4094
    std::uint16_t mtu = 1500;                           // IP bytes
    std::uint32_t table = 254;                          // kernel route table; of an inside port, its tunnel's
    std::string twin;                                   // kernel interface (TAP) that mirrors the port
};

/// What the kernel side needs of a tunnel beyond overlay::Tunnel; indexed by TunnelId.
struct TunnelTwin {
    std::string twin;                                   // kernel interface (TUN) that mirrors the tunnel
    std::uint32_t table = 0;                            // kernel route table of the overlay; tunnels of one table share an inside
};

/// The files that a tunnel's certificates came from, as the configuration names them; indexed by TunnelId.
struct TunnelFiles {
    struct Authority {
        ike::IdentityPattern identity;
        std::string file;
    };
    std::string certificate, private_key;               // empty without a certificate of ours
    std::vector<Authority> authorities;
    std::vector<std::string> revocations, revocation_paths;  // as named, and with the configuration's folder
};

struct Config {
    std::string name = "naved";                         // names the gateway, its log lines and its socket
    Control control;
    Dataplane dataplane;
    std::vector<Port> ports;
    std::vector<TunnelTwin> twins;                      // by TunnelId, as overlay.tunnels
    std::vector<TunnelFiles> files;                     // by TunnelId
    overlay::Settings overlay;                          // tunnels, IKE profiles (one per tunnel), limits
};

/// One thing that is wrong, or in the case of a warning unwise, and where.
struct Problem {
    std::string file;
    std::uint32_t line = 0, column = 0;                 // from 1; 0: concerns the whole file
    std::string text;                                   // one line: the key, what was found, what is accepted
    /// "hub.toml:12:7: tunnel.nave0.mtu: found 70000; accepted: ..."
    std::string to_string() const;
};
using Problems = std::vector<Problem>;

struct Loaded {
    Config config;
    Problems warnings;
    bool holds_keys = false;                            // a pre-shared or post-quantum key stands in the text itself
};

/// Gives the content of a key file, or in words why it may not be used.
using KeyReader = std::function<std::expected<Secret, std::string>(const std::string& path)>;
/// Reads a key file of at most 16384 bytes that nobody but its owner may read or write; the last line end is not part of the key.
std::expected<Secret, std::string> read_key_file(const std::string& path);

/// Gives the content of a file that holds no secret, or in words why it cannot be read.
using FileReader = std::function<std::expected<Bytes, std::string>(const std::string& path)>;
/// Reads a regular file of at most 1 MiB.
std::expected<Bytes, std::string> read_public_file(const std::string& path);

/// What is wrong with a device string, in words; empty when nothing is. Only the packet path knows devices.
using DeviceJudge = std::function<std::string(const std::string& device)>;

/// Parses TOML text. All problems are collected, not only the first; a Config without problems is complete and consistent.
/// `file` is the name that problems carry; relative key files and certificates lie in its folder.
std::expected<Loaded, Problems> parse(std::string_view text, const std::string& file, const KeyReader& read_key = read_key_file,
                                      const DeviceJudge& judge_device = {}, const FileReader& read_file = read_public_file);
/// Reads and parses a file.
std::expected<Loaded, Problems> load(const std::string& file, const DeviceJudge& judge_device = {});

/// What `naved --check` prints, with line ends, and what the file says if it may be used.
struct CheckReport {
    std::string text;
    std::optional<Config> config;

    bool ok() const { return config.has_value(); }
};
CheckReport check(const std::string& file, const DeviceJudge& judge_device = {});

/// One effective setting: its full key, and its value as a TOML literal.
struct Setting {
    std::string key, value;
};
/// Every setting with the value in force, whether from the file or by default, in the order of the reference. Never holds a secret.
std::vector<Setting> effective(const Config& config);

/// The socket of a gateway that configures none.
std::string default_socket(std::string_view name);

}  // namespace nave::config
