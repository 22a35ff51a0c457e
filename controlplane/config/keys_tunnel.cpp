// The keys of [tunnel.NAME], and the list of all keys.
#include "controlplane/config/keys.hpp"
#include "controlplane/config/texts.hpp"
#include "controlplane/ike/key_exchange.hpp"

#include <bit>

namespace nave::config {
namespace {

constexpr std::size_t kSecretsMax = 4096, kHubsMax = 16, kAccessMax = 4096, kProposalsMax = 64, kRoutesMax = 256;
using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;

Binding<TunnelDraft> address() {
    auto read = [](Reader& reader, const Value& value, TunnelDraft& out) {
        const auto given = value.kind == Value::Kind::text ? parse_interface_address(value.text) : std::unexpected{std::string{}};
        if (!given) return reader.refuse(value, kAcceptsInterfaceAddress, given.error());
        out.tunnel.address = TunnelAddress{given->address};
        out.tunnel.address_length = given->length;
    };
    return {"address", std::string{kAcceptsInterfaceAddress}, read, [](const TunnelDraft& draft) {
        return quote(print_interface_address({draft.tunnel.address.value, draft.tunnel.address_length}));
    }};
}

Binding<TunnelDraft> replay_window() {
    constexpr std::string_view kAccepts = "a power of two from 64 to 8192";
    auto read = [=](Reader& reader, const Value& value, TunnelDraft& out) {
        const bool in_range = value.kind == Value::Kind::integer && value.integer >= 64 && value.integer <= 8192;
        if (!in_range || !std::has_single_bit(static_cast<std::uint64_t>(value.integer))) return reader.refuse(value, kAccepts);
        out.tunnel.replay_window = static_cast<std::uint16_t>(value.integer);
    };
    return {"replay_window", std::string{kAccepts}, read, [](const TunnelDraft& draft) { return fmt::format("{}", draft.tunnel.replay_window); }};
}

Binding<TunnelDraft> child_lifetime_packets() {
    constexpr std::string_view kAccepts = "a whole number from 1000 to 9223372036854775807, or 0 for no limit";
    auto read = [=](Reader& reader, const Value& value, TunnelDraft& out) {
        if (value.kind != Value::Kind::integer || (value.integer != 0 && value.integer < 1000)) return reader.refuse(value, kAccepts);
        out.profile.child_limits.hard_packets = static_cast<std::uint64_t>(value.integer);
    };
    return {"child_lifetime_packets", std::string{kAccepts}, read,
            [](const TunnelDraft& draft) { return fmt::format("{}", draft.profile.child_limits.hard_packets); }};
}

Parsed<std::string> parse_word(std::string_view text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (text.empty() || text.size() > 8 || !printable) return std::unexpected{std::string{}};
    return std::string{text};
}

/// Required without a certificate, which says who we are.
Binding<TunnelDraft> identity() {
    auto read = [](Reader& reader, const Value& value, TunnelDraft& out) {
        const auto given = value.kind == Value::Kind::text ? ike::Identity::parse(value.text) : std::nullopt;
        if (!given) return reader.refuse(value, kAcceptsIdentity);
        out.profile.local = *given;
    };
    return {"identity", std::string{kAcceptsIdentity}, read, [](const TunnelDraft& draft) {
        return draft.profile.local.data.empty() ? std::string{} : quote(draft.profile.local.to_string());
    }};
}

Bindings<TunnelDraft> overlay_keys() {
    return {
        required(parsed<TunnelDraft>("underlay", "the name of a port", parse_reference, print_text, via(&TunnelDraft::underlay))),
        required(address()),
        number<TunnelDraft>("key", 0, 4294967295, via(&TunnelDraft::tunnel, &overlay::Tunnel::gre_key)),
        tables<TunnelDraft, HubDraft>("hub", "an array of tables with address and identity, [[tunnel.NAME.hub]] or hub = [{ ... }]", kHubsMax,
                                      hub_keys(), via(&TunnelDraft::hubs)),
        number<TunnelDraft>("hub_connections", 0, 255, via(&TunnelDraft::tunnel, &overlay::Tunnel::hub_connections)),
        truth<TunnelDraft>("relay", via(&TunnelDraft::tunnel, &overlay::Tunnel::relay)),
        duration<TunnelDraft>("hub_return", seconds{0}, hours{1}, via(&TunnelDraft::tunnel, &overlay::Tunnel::hub_return)),
        list<TunnelDraft>("routes", std::string{kAcceptsPrefix}, Count{0, kRoutesMax}, parse_prefix, print_prefix,
                          via(&TunnelDraft::tunnel, &overlay::Tunnel::routes)),
        tables<TunnelDraft, AccessDraft>("access", "an array of tables with identity, [[tunnel.NAME.access]]", kAccessMax, access_keys(),
                                         via(&TunnelDraft::access)),
        number<TunnelDraft>("mtu", 576, 9200, via(&TunnelDraft::tunnel, &overlay::Tunnel::mtu)),
        truth<TunnelDraft>("mss_clamp", via(&TunnelDraft::tunnel, &overlay::Tunnel::mss_clamp)),
        number<TunnelDraft>("ttl", 1, 255, via(&TunnelDraft::tunnel, &overlay::Tunnel::ttl)),
        duration<TunnelDraft>("holding_time", seconds{3}, seconds{65535}, via(&TunnelDraft::tunnel, &overlay::Tunnel::holding_time)),
        parsed<TunnelDraft>("nhrp_authentication", "a word of 1 to 8 printable characters", parse_word, print_text,
                            via(&TunnelDraft::tunnel, &overlay::Tunnel::nhrp_authentication)),
        parsed<TunnelDraft>("nhrp_group", std::string{kAcceptsNhrpGroup}, parse_nhrp_group, print_text, via(&TunnelDraft::tunnel, &overlay::Tunnel::nhrp_group)),
        truth<TunnelDraft>("redirect", via(&TunnelDraft::tunnel, &overlay::Tunnel::redirect)),
        truth<TunnelDraft>("shortcut", via(&TunnelDraft::tunnel, &overlay::Tunnel::shortcut)),
        duration<TunnelDraft>("shortcut_idle", seconds{1}, hours{24}, via(&TunnelDraft::tunnel, &overlay::Tunnel::shortcut_idle)),
        truth<TunnelDraft>("unique", via(&TunnelDraft::tunnel, &overlay::Tunnel::unique)),
        number<TunnelDraft>("table", 1, 4294967295, via(&TunnelDraft::twin, &TunnelTwin::table)),
        parsed<TunnelDraft>("twin", "a kernel interface name of up to 15 letters, digits, \"_\", \"-\" and \".\"", parse_interface_name, print_text,
                            via(&TunnelDraft::twin, &TunnelTwin::twin)),
    };
}

/// One with ML-KEM may be well written, and still not be there.
template <class Suite>
Parsed<Suite> suite_or_hint(std::optional<Suite> suite, std::string_view text) {
    if (suite || ike::is_supported(ike::Group::mlkem768) || text.find("mlkem") == std::string_view::npos) return without_hint(std::move(suite));
    return std::unexpected{std::string{"ML-KEM needs a naved that was built with OpenSSL 3.5"}};
}

Bindings<TunnelDraft> security_keys() {
    return {
        identity(),
        tables<TunnelDraft, KeyDraft>("psk", "an array of tables with identity and either key or key_file, psk = [{ ... }]", kSecretsMax, psk_keys(), via(&TunnelDraft::psk)),
        tables<TunnelDraft, PpkDraft>("ppk", "an array of tables with id and either key or key_file, [[tunnel.NAME.ppk]]", kSecretsMax, ppk_keys(),
                                      via(&TunnelDraft::ppk)),
        list<TunnelDraft>(
            "ike_proposals", "a suite such as \"aes-gcm-256/prf-sha384/p384\" or \"aes-cbc-256/sha256/prf-sha256/x25519\"", Count{1, kProposalsMax},
            [](std::string_view text) { return suite_or_hint(ike::parse_ike_proposal(text), text); },
            [](const ike::IkeProposal& proposal) { return ike::to_string(proposal); }, via(&TunnelDraft::profile, &ike::Profile::ike_proposals)),
        list<TunnelDraft>(
            "esp_proposals", "a suite such as \"aes-gcm-256\", \"chacha20-poly1305/no-esn/x25519\" or \"aes-cbc-256/sha256\"", Count{1, kProposalsMax},
            [](std::string_view text) { return suite_or_hint(ike::parse_esp_proposal(text), text); },
            [](const ike::EspProposal& proposal) { return ike::to_string(proposal); }, via(&TunnelDraft::profile, &ike::Profile::esp_proposals)),
        replay_window(),
        truth<TunnelDraft>("accept_tunnel_mode", via(&TunnelDraft::profile, &ike::Profile::accept_tunnel_mode)),
        truth<TunnelDraft>("force_encapsulation", via(&TunnelDraft::profile, &ike::Profile::force_encapsulation)),
        duration<TunnelDraft>("ike_lifetime", seconds{10}, hours{24 * 30}, via(&TunnelDraft::profile, &ike::Profile::ike_lifetime)),
        duration<TunnelDraft>("child_lifetime", seconds{10}, hours{24 * 30}, via(&TunnelDraft::profile, &ike::Profile::child_lifetime)),
        size<TunnelDraft>("child_lifetime_bytes", 1ull << 16, 1ull << 62, 1,
                          via(&TunnelDraft::profile, &ike::Profile::child_limits, &SaLimits::hard_bytes), ", 0 is no limit"),
        child_lifetime_packets(),
        duration<TunnelDraft>("liveness_interval", seconds{1}, hours{1}, via(&TunnelDraft::profile, &ike::Profile::liveness_interval)),
    };
}

template <class T>
void add(const std::string& section, const Bindings<T>& bindings, std::vector<KnownKey>& all) {
    for (const auto& binding : bindings)
        all.push_back({section, std::string{binding.name}, binding.accepts, binding.required ? "" : binding.show(T{}), binding.required});
}

}  // namespace

const Bindings<TunnelDraft>& tunnel_keys() {
    static const Bindings<TunnelDraft> keys = [] {
        auto all = overlay_keys();
        for (auto& binding : security_keys()) all.push_back(std::move(binding));
        for (auto& binding : certificate_keys()) all.push_back(std::move(binding));
        return all;
    }();
    return keys;
}

std::vector<KnownKey> known_keys() {
    std::vector<KnownKey> all;
    add("", root_keys(), all);
    add("control", control_keys(), all);
    add("dataplane", dataplane_keys(), all);
    add("ike", ike_keys(), all);
    add("port.NAME", port_keys(), all);
    add("tunnel.NAME", tunnel_keys(), all);
    add("tunnel.NAME.psk", psk_keys(), all);
    add("tunnel.NAME.ca", ca_keys(), all);
    add("tunnel.NAME.ppk", ppk_keys(), all);
    add("tunnel.NAME.hub", hub_keys(), all);
    add("tunnel.NAME.access", access_keys(), all);
    return all;
}

}  // namespace nave::config
