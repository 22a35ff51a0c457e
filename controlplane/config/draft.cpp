// From a finished configuration back to drafts.
#include "controlplane/config/draft.hpp"

namespace nave::config {

PortDraft draft_of(const Config& config, const Port& port) {
    PortDraft draft;
    draft.port = port;
    if (port.tunnel) draft.tunnel = config.overlay.tunnels[port.tunnel->value].name;
    return draft;
}

TunnelDraft draft_of(const Config& config, const overlay::Tunnel& tunnel) {
    TunnelDraft draft;
    draft.tunnel = tunnel;
    draft.profile = config.overlay.ike.profiles[tunnel.profile.value];
    draft.twin = config.twins[tunnel.id.value];
    draft.underlay = config.ports[tunnel.underlay.value].name;
    for (const auto& key : draft.profile.keys) draft.psk.push_back({nullptr, key.remote, key.key});
    draft.files = config.files[tunnel.id.value];
    for (const auto& authority : draft.files.authorities) draft.ca.push_back({nullptr, authority.identity, authority.file, {}});
    for (const auto& ppk : draft.profile.ppks) draft.ppk.push_back({nullptr, ppk});
    for (const auto& hub : tunnel.hubs) draft.hubs.push_back({nullptr, hub});
    for (const auto& rule : tunnel.access) draft.access.push_back({nullptr, rule});
    return draft;
}

}  // namespace nave::config
