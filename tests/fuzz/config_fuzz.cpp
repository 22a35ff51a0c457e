// Any bytes as a configuration file: parsed or refused, and what was accepted can be shown and is consistent.
#include "controlplane/config/config.hpp"
#include "tests/fuzz/promise.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using namespace nave;

/// No file of the machine that fuzzes is read.
std::expected<Secret, std::string> no_key_file(const std::string&) { return std::unexpected{std::string{"not here"}}; }

std::expected<Bytes, std::string> no_file(const std::string&) { return std::unexpected{std::string{"not here"}}; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto loaded = config::parse({reinterpret_cast<const char*>(data), size}, "fuzz.toml", no_key_file, {}, no_file);
    if (!loaded) {
        must(!loaded.error().empty());
        for (const config::Problem& problem : loaded.error()) must(!problem.to_string().empty());
        return 0;
    }
    const config::Config& accepted = loaded->config;
    must(accepted.twins.size() == accepted.overlay.tunnels.size() && !accepted.overlay.tunnels.empty());
    for (const auto& tunnel : accepted.overlay.tunnels) {
        must(tunnel.underlay.value < accepted.ports.size());
        must(accepted.ports[tunnel.underlay.value].role == config::PortRole::underlay);
        must(!accepted.overlay.ike.profiles.at(tunnel.profile.value).keys.empty() && !tunnel.access.empty());
    }
    for (const config::Port& port : accepted.ports) must((port.role == config::PortRole::inside) == port.tunnel.has_value());
    must(!config::effective(accepted).empty());
    return 0;
}
