// The keys that say by which certificate a tunnel proves who we are, and whose certificates it believes.
#include "controlplane/config/keys.hpp"
#include "controlplane/config/texts.hpp"

namespace nave::config {
namespace {

constexpr std::string_view kAcceptsFile = "the path of a file, relative to this file's folder";
constexpr std::size_t kListsMax = 16;

bool is_path(const Value& value) { return value.kind == Value::Kind::text && !value.text.empty() && value.text.find('\0') == std::string::npos; }

/// The certificates in the file that the value names; none when refused.
std::vector<ike::Certificate> certificates_of(Reader& reader, const Value& value) {
    const auto content = reader.file_content(value);
    if (!content) return {};
    auto certificates = ike::certificates_from_pem(*content);
    if (certificates) return std::move(*certificates);
    reader.problem(value, fmt::format("cannot use the certificates in {}: {}", reader.path_of(value), certificates.error()));
    return {};
}

std::vector<ike::RevocationList> lists_of(Reader& reader, const Value& value) {
    const auto content = reader.file_content(value);
    if (!content) return {};
    auto lists = ike::revocation_lists_from(*content);
    if (lists) return std::move(*lists);
    reader.problem(value, fmt::format("cannot use the revocation lists in {}: {}", reader.path_of(value), lists.error()));
    return {};
}

Binding<CaDraft> authority_file() {
    constexpr std::string_view kAccepts = "the path of a PEM file with certificates of authorities, relative to this file's folder";
    auto read = [=](Reader& reader, const Value& value, CaDraft& out) {
        if (!is_path(value)) return reader.refuse(value, kAccepts);
        out.file = value.text;
        out.certificates = certificates_of(reader, value);
        for (const ike::Certificate& each : out.certificates)
            if (!each.is_authority())
                reader.problem(value, fmt::format("{} is no authority (basicConstraints CA:TRUE); accepted: those who issue the peers' certificates", each.subject()));
    };
    return {"file", std::string{kAccepts}, read, [](const CaDraft& draft) { return draft.file.empty() ? std::string{} : quote(draft.file); }};
}

Binding<TunnelDraft> certificate() {
    constexpr std::string_view kAccepts = "the path of a PEM file with our certificate, then those of the authorities above it but the root";
    auto read = [=](Reader& reader, const Value& value, TunnelDraft& out) {
        if (!is_path(value)) return reader.refuse(value, kAccepts);
        out.files.certificate = value.text;
        out.certificate = certificates_of(reader, value);
    };
    return {"certificate", std::string{kAccepts}, read, [](const TunnelDraft& draft) { return draft.files.certificate.empty() ? std::string{} : quote(draft.files.certificate); }};
}

Binding<TunnelDraft> private_key() {
    constexpr std::string_view kAccepts = "the path of a PEM file with the certificate's key, that only its owner may read, relative to this file's folder";
    auto read = [=](Reader& reader, const Value& value, TunnelDraft& out) {
        if (!is_path(value)) return reader.refuse(value, kAccepts);
        out.files.private_key = value.text;
        const std::size_t problems = reader.problems().size();
        const Secret content = reader.key_from_file(value);
        if (reader.problems().size() != problems) return;
        auto key = ike::PrivateKey::from_pem(content);
        if (key) out.private_key = std::move(*key);
        else reader.problem(value, fmt::format("cannot use the key in {}: {}", reader.path_of(value), key.error()));
    };
    return {"private_key", std::string{kAccepts}, read, [](const TunnelDraft& draft) { return draft.files.private_key.empty() ? std::string{} : quote(draft.files.private_key); }};
}

Binding<TunnelDraft> revocation_lists() {
    const std::string accepts = fmt::format("an array of up to {} texts, each {}", kListsMax, kAcceptsFile);
    auto read = [=](Reader& reader, const Value& value, TunnelDraft& out) {
        if (value.kind != Value::Kind::array || value.children.size() > kListsMax) return reader.refuse(value, accepts);
        for (const Value& element : value.children) {
            if (!is_path(element)) {
                reader.refuse(element, kAcceptsFile);
                continue;
            }
            out.files.revocations.push_back(element.text);
            out.files.revocation_paths.push_back(reader.path_of(element));
            for (ike::RevocationList& list : lists_of(reader, element)) out.profile.revocations.push_back(std::move(list));
        }
    };
    return {"crl", accepts, read, [](const TunnelDraft& draft) {
        std::vector<std::string> literals;
        for (const std::string& file : draft.files.revocations) literals.push_back(quote(file));
        return literals.empty() ? std::string{} : fmt::format("[{}]", fmt::join(literals, ", "));
    }};
}

Parsed<std::string> parse_http(std::string_view text) {
    const bool is_printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    const bool is_http = text.starts_with("http://") || text.starts_with("https://");
    if (!is_http || !is_printable || text.size() > 512 || text.ends_with("//")) return std::unexpected{std::string{}};
    return std::string{text};
}

}  // namespace

const Bindings<CaDraft>& ca_keys() {
    static const Bindings<CaDraft> keys{
        parsed<CaDraft>("identity", std::string{kAcceptsPattern}, parse_pattern, print_pattern, via(&CaDraft::identity)),
        required(authority_file()),
    };
    return keys;
}

Bindings<TunnelDraft> certificate_keys() {
    constexpr std::size_t kAuthoritiesMax = 64;
    return {
        certificate(),
        private_key(),
        tables<TunnelDraft, CaDraft>("ca", "an array of tables with file, ca = [{ file = ... }]", kAuthoritiesMax, ca_keys(), via(&TunnelDraft::ca)),
        revocation_lists(),
        choice<TunnelDraft, ike::RevocationPolicy>(
            "revocation", {{"strict", ike::RevocationPolicy::strict}, {"relaxed", ike::RevocationPolicy::relaxed}, {"off", ike::RevocationPolicy::off}},
            via(&TunnelDraft::profile, &ike::Profile::revocation)),
        parsed<TunnelDraft>("ocsp", "the URL of an OCSP responder, such as \"http://ocsp.example\"", parse_http, print_text,
                            via(&TunnelDraft::profile, &ike::Profile::ocsp_responder)),
    };
}

}  // namespace nave::config
