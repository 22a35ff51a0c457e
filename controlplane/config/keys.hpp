// Every key that a configuration may hold: the one list that reading, showing and the reference follow.
#pragma once

#include "controlplane/config/draft.hpp"
#include "controlplane/config/reader.hpp"

#include <string>
#include <vector>

namespace nave::config {

const Bindings<Draft>& root_keys();
const Bindings<Config>& control_keys();
const Bindings<Config>& dataplane_keys();
const Bindings<Config>& ike_keys();
const Bindings<PortDraft>& port_keys();
const Bindings<TunnelDraft>& tunnel_keys();
const Bindings<KeyDraft>& psk_keys();
const Bindings<CaDraft>& ca_keys();
/// A part of tunnel_keys().
Bindings<TunnelDraft> certificate_keys();
const Bindings<PpkDraft>& ppk_keys();
const Bindings<HubDraft>& hub_keys();
const Bindings<AccessDraft>& access_keys();

/// One key as documentation has it.
struct KnownKey {
    std::string section;          // "", "control", "port.NAME", "tunnel.NAME.hub", ...
    std::string name, accepts;
    std::string default_literal;  // TOML; empty when required, unset, or depending on other settings
    bool required = false;
};
std::vector<KnownKey> known_keys();

}  // namespace nave::config
