// The keys that say whom a tunnel trusts: its pre-shared keys, hubs and access rules.
#include "controlplane/config/keys.hpp"
#include "controlplane/config/texts.hpp"

namespace nave::config {
namespace {

constexpr std::size_t kKeyMin = 16, kKeyMax = 4096;  // bytes; a shorter one falls to a dictionary (RFC 7296 §2.15)
constexpr std::size_t kPrefixesMax = 64;
constexpr std::string_view kAcceptsKey = "a text of 16 to 4096 characters, as random as possible (openssl rand -base64 32)";

/// Takes the key over unless its length is wrong. Never says what the key is.
void take_key(Reader& reader, const Value& value, Secret key, KeyDraft& out) {
    if (key.size() < kKeyMin || key.size() > kKeyMax)
        return reader.problem(value, fmt::format("found a key of {} characters; accepted: {}", key.size(), kAcceptsKey));
    out.key = std::move(key);
}

Binding<KeyDraft> key() {
    auto read = [](Reader& reader, const Value& value, KeyDraft& out) {
        if (value.kind != Value::Kind::text) return reader.problem(value, fmt::format("accepted: {}", kAcceptsKey));
        take_key(reader, value, Secret{as_bytes(value.text)}, out);
    };
    return {"key", std::string{kAcceptsKey}, read, [](const KeyDraft& draft) { return std::string{draft.key.empty() ? "" : "\"(secret)\""}; }};
}

Binding<KeyDraft> key_file() {
    constexpr std::string_view kAccepts = "the path of a file that only its owner may read, relative to this file's folder";
    auto read = [=](Reader& reader, const Value& value, KeyDraft& out) {
        if (value.kind != Value::Kind::text || value.text.empty() || value.text.find('\0') != std::string::npos) return reader.refuse(value, kAccepts);
        const std::size_t problems = reader.problems().size();
        Secret content = reader.key_from_file(value);
        if (reader.problems().size() == problems) take_key(reader, value, std::move(content), out);
    };
    return {"key_file", std::string{kAccepts}, read, [](const KeyDraft&) { return std::string{}; }};
}

Parsed<NbmaAddress> parse_nbma(std::string_view text) {
    const auto address = parse_host(text);
    if (!address) return std::unexpected{address.error()};
    return NbmaAddress{*address};
}

Parsed<ike::IdentityPattern> parse_hub_identity(std::string_view text) {
    // A hub may relay for all; if everybody were one, every spoke could take any prefix.
    if (text == "*") return std::unexpected{std::string{"a hub may relay for all, so it must not be just anybody"}};
    return parse_pattern(text);
}

}  // namespace

const Bindings<KeyDraft>& psk_keys() {
    static const Bindings<KeyDraft> keys{
        required(parsed<KeyDraft>("identity", std::string{kAcceptsPattern}, parse_pattern, print_pattern, via(&KeyDraft::identity))),
        key(),
        key_file(),
    };
    return keys;
}

const Bindings<HubDraft>& hub_keys() {
    static const Bindings<HubDraft> keys{
        required(parsed<HubDraft>(
            "address", std::string{kAcceptsAddress}, parse_nbma, [](const NbmaAddress& address) { return address.value.to_string(); },
            via(&HubDraft::hub, &overlay::Hub::address))),
        required(parsed<HubDraft>("identity", "whom to expect there: an identity such as \"hub.example\", or a pattern such as \"*.hubs.example\"",
                                  parse_hub_identity, print_pattern, via(&HubDraft::hub, &overlay::Hub::identity))),
        number<HubDraft>("priority", 1, 255, via(&HubDraft::hub, &overlay::Hub::priority)),
    };
    return keys;
}

const Bindings<AccessDraft>& access_keys() {
    static const Bindings<AccessDraft> keys{
        required(parsed<AccessDraft>("identity", std::string{kAcceptsPattern}, parse_pattern, print_pattern,
                                     via(&AccessDraft::rule, &overlay::AccessRule::identity))),
        list<AccessDraft>("tunnel_addresses", std::string{kAcceptsPrefix}, Count{0, kPrefixesMax}, parse_prefix, print_prefix,
                          via(&AccessDraft::rule, &overlay::AccessRule::tunnel_addresses)),
        list<AccessDraft>("prefixes", std::string{kAcceptsPrefix}, Count{0, kPrefixesMax}, parse_prefix, print_prefix,
                          via(&AccessDraft::rule, &overlay::AccessRule::prefixes)),
        number<AccessDraft>("group", 0, 65535, via(&AccessDraft::rule, &overlay::AccessRule::group, &GroupId::value)),
        truth<AccessDraft>("hub", via(&AccessDraft::rule, &overlay::AccessRule::hub)),
    };
    return keys;
}

}  // namespace nave::config
