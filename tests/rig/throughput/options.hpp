// The command line of `nave-bench throughput`.
#pragma once

#include "common/addresses.hpp"
#include "dataplane/device_string.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::rig::throughput {

/// One end of the rig.
struct EndOptions {
    dataplane::DeviceString device;
    std::uint32_t address = 0;  // IPv4, host order
    std::uint8_t length = 32;   // bits of its network
    std::optional<std::uint32_t> gateway;      // nothing: frames go straight to the other end, as over a cable or a bridge
    std::optional<MacAddress> gateway_mac;     // nothing: asked for by ARP
};

/// What makes the streams differ.
enum class Vary : std::uint8_t { ports, addresses };

/// A rate as it was given: packets/s, or a share of the line rate.
struct RateLimit {
    double value = 0;
    bool is_share = false;
};

struct Options {
    std::array<EndOptions, 2> ends;  // a, b
    std::vector<std::size_t> sizes{64, 128, 256, 512, 1024, 1280, 1518};  // RFC 2544 §9.1
    std::uint16_t flows = 1;
    Vary vary = Vary::ports;
    bool bidirectional = false;
    std::optional<RateLimit> rate_max;         // nothing: the line rate where the ports know it, else kRateUnknownLine
    std::optional<double> line_rate;           // bits/s; nothing: what the ports say
    double rate_min = 1000;                    // packets/s
    double resolution = 0.01;                  // share
    double ndr_loss = 0, pdr_loss = 0.005;     // shares
    double latency_load = 0.8;                 // share of the NDR
    double trial_seconds = 1, settle_seconds = 0.2;
    unsigned repeat = 1, trials_max = 60;
    std::optional<unsigned> core;
    std::string json_file, plot_file, title = "nave-bench throughput";  // no file: none is written
    bool quiet = false, help = false;
};

/// packets/s, where nothing says how fast the line is.
inline constexpr double kRateUnknownLine = 1e6;

/// The error says which option is wrong and what is accepted.
std::expected<Options, std::string> parse_options(std::span<const std::string> arguments);
/// What --help prints.
std::string usage();

/// "800000", "800k", "1.5M" packets/s, or "90%" of the line rate; nothing when it is neither or not above zero.
std::optional<RateLimit> parse_rate(std::string_view text);
/// "10G", "2500M" bits/s and the like; nothing when it is not a number above zero.
std::optional<double> parse_magnitude(std::string_view text);

}  // namespace nave::rig::throughput
