// The settings in force, by the keys that read them.
#include "controlplane/config/config.hpp"
#include "controlplane/config/keys.hpp"

namespace nave::config {

std::vector<Setting> effective(const Config& config) {
    std::vector<Setting> all;
    Draft root;
    root.config.name = config.name;
    show_table("", root, root_keys(), all);
    show_table("control.", config, control_keys(), all);
    show_table("dataplane.", config, dataplane_keys(), all);
    show_table("ike.", config, ike_keys(), all);
    for (const Port& port : config.ports) show_table("port." + port.name + ".", draft_of(config, port), port_keys(), all);
    for (const auto& tunnel : config.overlay.tunnels) show_table("tunnel." + tunnel.name + ".", draft_of(config, tunnel), tunnel_keys(), all);
    return all;
}

}  // namespace nave::config
