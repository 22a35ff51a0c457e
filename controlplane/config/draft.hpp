// A configuration while it is being read: what the file says, before names are resolved and defaults that depend on others are set.
#pragma once

#include "controlplane/config/document.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nave::config {

// Each draft keeps the table it came from, for the places of later complaints; nullptr when made from a Config.

struct KeyDraft {
    const Value* source = nullptr;
    ike::IdentityPattern identity;
    Secret key;
};

struct CaDraft {
    const Value* source = nullptr;
    ike::IdentityPattern identity;                  // everybody when the file names nobody
    std::string file;
    std::vector<ike::Certificate> certificates;
};

struct PpkDraft {
    const Value* source = nullptr;
    ike::Ppk ppk;
};

struct HubDraft {
    const Value* source = nullptr;
    overlay::Hub hub;
};

struct AccessDraft {
    const Value* source = nullptr;
    overlay::AccessRule rule;
};

struct PortDraft {
    const Value* source = nullptr;
    Port port;
    std::string tunnel;             // name of the tunnel of an inside port
};

struct TunnelDraft {
    const Value* source = nullptr;
    overlay::Tunnel tunnel;
    ike::Profile profile;
    TunnelTwin twin;
    std::string underlay;           // name of the port
    std::vector<KeyDraft> psk;
    TunnelFiles files;              // `authorities` follows from `ca`
    std::vector<ike::Certificate> certificate;
    std::optional<ike::PrivateKey> private_key;
    std::vector<CaDraft> ca;
    std::vector<PpkDraft> ppk;
    std::vector<HubDraft> hubs;
    std::vector<AccessDraft> access;
};

struct Draft {
    Config config;                  // everything but ports, tunnels and profiles
    std::vector<PortDraft> ports;
    std::vector<TunnelDraft> tunnels;
};

/// Drafts of a finished configuration, to show it by the keys that read it.
PortDraft draft_of(const Config& config, const Port& port);
TunnelDraft draft_of(const Config& config, const overlay::Tunnel& tunnel);

}  // namespace nave::config
