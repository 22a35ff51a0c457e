// The keys that say whom a tunnel trusts: its pre-shared keys, post-quantum keys, hubs and access rules.
#include "controlplane/config/keys.hpp"
#include "controlplane/config/texts.hpp"

#include <algorithm>

namespace nave::config {
namespace {

constexpr std::size_t kPrefixesMax = 64;
constexpr std::size_t kPpkIdMax = 64;

/// How long a secret is, in bytes, and how its length is asked for.
struct KeyLength {
    std::size_t least, most;
    std::string_view accepts;
};
/// A shorter key falls to a dictionary (RFC 7296 §2.15).
constexpr KeyLength kPskLength{16, 4096, "a text of 16 to 4096 characters, as random as possible (openssl rand -base64 32)"};
/// A quantum computer halves the bits, so RFC 8784 §6 wants 256 of them: no text of fewer than 32 characters can have so many.
constexpr KeyLength kPpkLength{32, 4096, "a text of 32 to 4096 characters, as random as possible (openssl rand -base64 32)"};

/// Takes the key over unless its length is wrong. Never says what the key is.
void take_key(Reader& reader, const Value& value, const KeyLength& length, Secret key, Secret& out) {
    if (key.size() < length.least || key.size() > length.most)
        return reader.problem(value, fmt::format("found a key of {} characters; accepted: {}", key.size(), length.accepts));
    out = std::move(key);
}

template <class T, class Get>
Binding<T> key(const KeyLength& length, Get get) {
    auto read = [=](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::text) return reader.problem(value, fmt::format("accepted: {}", length.accepts));
        take_key(reader, value, length, Secret{as_bytes(value.text)}, get(out));
    };
    return {"key", std::string{length.accepts}, read, [get](const T& draft) { return std::string{get(draft).empty() ? "" : "\"(secret)\""}; }};
}

template <class T, class Get>
Binding<T> key_file(const KeyLength& length, Get get) {
    constexpr std::string_view kAccepts = "the path of a file that only its owner may read, relative to this file's folder";
    auto read = [=](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::text || value.text.empty() || value.text.find('\0') != std::string::npos) return reader.refuse(value, kAccepts);
        const std::size_t problems = reader.problems().size();
        Secret content = reader.key_from_file(value);
        if (reader.problems().size() == problems) take_key(reader, value, length, std::move(content), get(out));
    };
    return {"key_file", std::string{kAccepts}, read, [](const T&) { return std::string{}; }};
}

Parsed<std::string> parse_ppk_id(std::string_view text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (text.empty() || text.size() > kPpkIdMax || !printable) return std::unexpected{std::string{}};
    return std::string{text};
}

Binding<HubDraft> hub_address() {
    const std::string accepts = fmt::format("{}, or a domain name such as \"hub.example\"", kAcceptsAddress);
    auto read = [=](Reader& reader, const Value& value, HubDraft& out) {
        if (value.kind != Value::Kind::text) return reader.refuse(value, accepts);
        const auto name = ike::Identity::parse(value.text);
        if (name && name->type == ike::Identity::Type::fqdn) {
            out.hub.name = value.text;
            return;
        }
        const auto address = parse_nbma(value.text);
        if (!address) return reader.refuse(value, accepts, address.error());
        out.hub.address = *address;
    };
    return {"address", accepts, read, [](const HubDraft& draft) { return quote(draft.hub.to_string()); }};
}

Parsed<ike::IdentityPattern> parse_hub_identity(std::string_view text) {
    // A hub may relay for all; if everybody were one, every spoke could take any prefix.
    if (text == "*") return std::unexpected{std::string{"a hub may relay for all, so it must not be just anybody"}};
    return parse_pattern(text);
}

/// Nothing is no limit.
Binding<AccessDraft> rate(std::string_view name, std::optional<std::uint64_t> overlay::RateLimits::*limit) {
    constexpr std::uint64_t kLowest = 64'000, kHighest = 100'000'000'000;
    std::string accepts = fmt::format("bits per second from \"{}\" to \"{}\", such as \"20Mbit\"", rate_to_text(kLowest), rate_to_text(kHighest));
    const auto parse = [](std::string_view text) {
        const auto given = parse_rate(text);
        return without_hint(given && *given >= kLowest && *given <= kHighest ? given : std::nullopt);
    };
    return parsed<AccessDraft>(name, std::move(accepts), parse, rate_to_text, via(&AccessDraft::rule, &overlay::AccessRule::rates, limit));
}

}  // namespace

const Bindings<KeyDraft>& psk_keys() {
    static const Bindings<KeyDraft> keys{
        required(parsed<KeyDraft>("identity", std::string{kAcceptsPattern}, parse_pattern, print_pattern, via(&KeyDraft::identity))),
        key<KeyDraft>(kPskLength, via(&KeyDraft::key)),
        key_file<KeyDraft>(kPskLength, via(&KeyDraft::key)),
    };
    return keys;
}

const Bindings<PpkDraft>& ppk_keys() {
    static const Bindings<PpkDraft> keys{
        required(parsed<PpkDraft>("id", "a name of 1 to 64 printable characters without blanks, the same at both ends", parse_ppk_id, print_text,
                                  via(&PpkDraft::ppk, &ike::Ppk::id))),
        parsed<PpkDraft>("identity", std::string{kAcceptsPattern}, parse_pattern, print_pattern, via(&PpkDraft::ppk, &ike::Ppk::remote)),
        key<PpkDraft>(kPpkLength, via(&PpkDraft::ppk, &ike::Ppk::key)),
        key_file<PpkDraft>(kPpkLength, via(&PpkDraft::ppk, &ike::Ppk::key)),
        truth<PpkDraft>("required", via(&PpkDraft::ppk, &ike::Ppk::required)),
    };
    return keys;
}

const Bindings<HubDraft>& hub_keys() {
    static const Bindings<HubDraft> keys{
        required(hub_address()),
        required(parsed<HubDraft>("identity", "whom to expect there: an identity such as \"hub.example\", or a pattern such as \"*.hubs.example\"",
                                  parse_hub_identity, print_pattern, via(&HubDraft::hub, &overlay::Hub::identity))),
        number<HubDraft>("priority", 1, 255, via(&HubDraft::hub, &overlay::Hub::priority)),
        number<HubDraft>("cluster", 0, 255, via(&HubDraft::hub, &overlay::Hub::cluster)),
        list<HubDraft>("redirects", std::string{kAcceptsPrefix}, Count{0, kPrefixesMax}, parse_prefix, print_prefix,
                       via(&HubDraft::hub, &overlay::Hub::redirects)),
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
        parsed<AccessDraft>("nhrp_group", std::string{kAcceptsNhrpGroup}, parse_nhrp_group, print_text,
                            via(&AccessDraft::rule, &overlay::AccessRule::nhrp_group)),
        truth<AccessDraft>("hub", via(&AccessDraft::rule, &overlay::AccessRule::hub)),
        rate("rate_to", &overlay::RateLimits::to),
        rate("rate_from", &overlay::RateLimits::from),
    };
    return keys;
}

}  // namespace nave::config
