// Fuzz target: IKEv2 as strangers send it, as an authenticated peer sends it inside SK and in fragments, and identities and suites as text.
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/cookie.hpp"
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/fragmentation.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/nat_detection.hpp"
#include "controlplane/ike/negotiation.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "controlplane/ike/ticket.hpp"
#include "tests/fuzz/promise.hpp"

#include <algorithm>
#include <array>

using namespace nave;
using namespace nave::ike;

namespace {

const Header kHeader{.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::create_child_sa, .message_id = 3};

/// Keys of an AEAD suite and of a CBC suite, the same in every run.
std::span<const SessionKeys> all_keys() {
    static const Bytes nonce(32, 1);
    static const auto derive = [](const char* suite) { return derive_session_keys({parse_ike_proposal(suite).value(), nonce, nonce, 1, 2}, Secret{nonce}); };
    static const std::array keys{derive("aes-gcm-128/prf-sha256/x25519"), derive("aes-cbc-256/sha256/prf-sha256/x25519")};
    return keys;
}

void check_identity(const Identity& identity) {
    const std::string text = identity.to_string();
    must(std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; }));
    const auto again = Identity::parse(text);
    must(!again || same_identity(*again, identity));
    static const IdentityPattern suffix = IdentityPattern::parse("*.a").value(), mail = IdentityPattern::parse("*@a").value(), block = IdentityPattern::parse("::/0").value();
    must(suffix.matches(identity) + mail.matches(identity) + block.matches(identity) <= 1);
}

void check_sa(const SaPayload& sa) {
    static const auto ike_suites = [] {
        auto suites = default_ike_proposals();
        for (const char* suite : {"aes-gcm-256/prf-sha384/x25519/ke1-p384", "aes-gcm-256/prf-sha384/x25519/ke1-p384/ke2-p521", "aes-gcm-256/prf-sha384/x25519/ke7-p384"})
            suites.insert(suites.begin(), parse_ike_proposal(suite).value());
        return suites;
    }();
    static const auto esp_suites = [] {
        auto suites = default_esp_proposals();
        suites.insert(suites.begin(), parse_esp_proposal("aes-gcm-256/x25519/ke1-p384/ke3-p521").value());
        return suites;
    }();
    for (const bool rekey : {false, true})
        if (const auto choice = choose_ike(sa, ike_suites, Group::p256, rekey)) must(accept_ike(answer_ike(*choice, rekey ? 9 : 0), ike_suites, rekey)->suite == choice->suite);
    for (const auto exchange : {ChildExchange::ike_auth, ChildExchange::create_child_sa})
        if (const auto choice = choose_esp(sa, esp_suites, Group::p256, exchange)) must(accept_esp(answer_esp(*choice, Spi{300}), esp_suites, exchange)->suite == choice->suite);
    if (const auto accepted = accept_esp(sa, esp_suites, ChildExchange::ike_auth)) must(accepted->spi.value > 255);
}

void check_selectors(const TrafficSelectors& payload) {
    static const TrafficSelector host = TrafficSelector::host(IpAddress::v4(0xc0000201), 47);
    if (const auto part = narrow(payload.selectors, host)) {
        must(host.contains(*part));
        must(std::ranges::any_of(payload.selectors, [&](const TrafficSelector& offered) { return offered.contains(*part); }));
    }
    for (const TrafficSelector& selector : payload.selectors) must(selector.contains(selector) && !selector.to_string().empty());
}

/// Any bytes as a certificate: nothing that we trust issued it, and what it says can be printed.
void check_certificate(ByteView bytes) {
    const auto certificate = Certificate::decode(bytes);
    if (!certificate) return must(!certificate.error().empty());
    for (const Identity& identity : certificate->identities()) {
        check_identity(identity);
        must(certificate->names(identity) || identity.type == Identity::Type::rfc822_address);  // an odd mailbox is nobody's
    }
    must(!validate_chain(*certificate, {.untrusted = {&*certificate, 1}, .now = std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}}));
    (void)verify(*certificate, {SignatureScheme::ecdsa, SignatureHash::sha256}, bytes, bytes.first(std::min<std::size_t>(bytes.size(), 72)));
}

/// What a state machine does with payloads; and once written, they read and write the same for ever.
void check_payloads(std::span<const Payload> payloads) {
    must(payloads.size() <= kPayloadsMax);
    std::vector<CertificatePayload> certificates;
    for (const Payload& payload : payloads) {
        if (const auto* sa = std::get_if<SaPayload>(&payload)) check_sa(*sa);
        if (const auto* id = std::get_if<IdentificationPayload>(&payload)) check_identity(id->identity);
        if (const auto* selectors = std::get_if<TrafficSelectors>(&payload)) check_selectors(*selectors);
        if (const auto* certificate = std::get_if<CertificatePayload>(&payload)) check_certificate(certificate->data), certificates.push_back(*certificate);
        if (const auto* auth = std::get_if<AuthPayload>(&payload); auth && !auth->data.empty()) (void)decode_algorithm(ByteView{auth->data}.subspan(1));
    }
    (void)read_chain(certificates);
    must(signature_support(payloads).hashes.size() <= 4);
    const NbmaEndpoint somebody{NbmaAddress{IpAddress::v4(1)}, 500};
    (void)detect_nat(payloads, 1, 2, somebody, somebody);
    (void)describe(kHeader, payloads);
    const Bytes written = encode_message(kHeader, payloads);
    const auto read = decode_message(written);
    must(read && encode_message(kHeader, read->payloads) == written);
}

bool is_nested(std::span<const Payload> payloads) { return find<Encrypted>(payloads) || find<EncryptedFragment>(payloads); }

/// Cut for a size, opened and joined, it is what it was.
void check_fragments(std::span<const Payload> payloads, const SessionKeys& keys, std::size_t size_max) {
    CountingRandom random;
    const auto messages = seal_to_fit(kHeader, payloads, keys.from_responder, random, size_max);
    if (messages.size() == 1 || messages.size() > Reassembly::kFragmentsMax) return;
    Reassembly parts;
    for (const Bytes& message : messages) {
        must(message.size() <= size_max);
        const auto outcome = parts.add(3, unseal(message, keys.from_responder).value());
        must(outcome == (&message == &messages.back() ? Reassembly::Outcome::complete : Reassembly::Outcome::kept));
    }
    const auto whole = parse(parts.whole());
    ByteWriter before, after;
    encode_payload_chain(payloads, before);
    if (whole) encode_payload_chain(*whole, after);
    must(whole && std::ranges::equal(before.view(), after.view()));
}

void as_message(ByteView bytes) {
    (void)decode_header(bytes);
    if (const auto message = decode_message(bytes)) check_payloads(message->payloads);
    for (const SessionKeys& keys : all_keys())
        if (const auto payloads = open(bytes, keys.from_initiator)) check_payloads(*payloads);
}

/// The first byte is the type of the first payload, the rest a chain; sealed by a peer that knows the keys.
void as_inner_chain(ByteView bytes) {
    if (bytes.empty() || bytes.size() > 60'000) return;
    const auto first = PayloadType{bytes[0]};
    const auto plain = decode_payload_chain(first, bytes.subspan(1));
    CountingRandom random;
    for (const SessionKeys& keys : all_keys()) {
        const Bytes sealed = seal_chain(kHeader, first, bytes.subspan(1), keys.from_responder, random);
        const auto opened = open(sealed, keys.from_responder);
        must(opened.has_value() == (plain.has_value() && !is_nested(*plain)));
        if (!opened && !plain) must(opened.error().kind == OpenError::Kind::malformed_inside && opened.error().decode == plain.error());
        must(open(sealed, keys.from_initiator).error().kind == OpenError::Kind::bad_integrity);
    }
    if (!plain) return;
    check_payloads(*plain);
    if (is_nested(*plain)) return;
    for (const SessionKeys& keys : all_keys()) check_fragments(*plain, keys, 120 + bytes[0]);
}

/// A peer that knows the keys sends fragments at will: message ID, number, total, type of the first payload, size in units, content.
void as_fragments(ByteView bytes) {
    Reassembly parts;
    ByteReader in{bytes};
    CountingRandom random;
    for (int count = 0; count < 64 && !in.at_end(); ++count) {
        const SessionKeys& keys = all_keys()[static_cast<std::size_t>(count % 2)];
        const std::uint32_t message_id = in.u8();
        const FragmentNumber number{in.u8(), in.u8()};
        const auto first = PayloadType{in.u8()};
        const std::uint8_t size = in.u8();
        // Long ones repeat their content, so that a short input reaches the limits.
        const ByteView seed = in.take(std::min<std::size_t>(size & 0x3f, in.remaining()));
        Bytes content;
        for (int copies = size & 0x80 ? 200 : 1; copies > 0; --copies) content.insert(content.end(), seed.begin(), seed.end());
        auto inside = unseal(seal_fragment(kHeader, number, first, content, keys.from_responder, random), keys.from_responder);
        const bool is_valid = number.number != 0 && number.number <= number.total;
        must(inside.has_value() == is_valid);
        if (!inside) continue;
        must(inside->fragment == number && inside->chain == content);
        const auto outcome = parts.add(message_id, std::move(*inside));
        must(parts.bytes_held() <= Reassembly::kBytesMax);
        if (outcome != Reassembly::Outcome::complete) continue;
        if (const auto payloads = parse(parts.whole())) check_payloads(*payloads);
        parts.forget();
    }
}

/// What a ticket holds comes from outside only if its seal is genuine; still it is read as if it did not.
void as_ticket(ByteView bytes) {
    static const std::array keys{Secret{Bytes(kTicketKeySize, 1)}};
    CountingRandom random;
    must(!open_ticket(bytes, keys));
    const auto ticket = decode_ticket(bytes);
    if (!ticket) return;
    check_identity(ticket->peer);
    must(decode_ticket(encode_ticket(*ticket).view()) == ticket);
    const Bytes sealed = seal_ticket(*ticket, keys[0], random);
    must(sealed.size() > Ticket::kSizeMax || open_ticket(sealed, keys).value() == *ticket);
}

void as_text(ByteView bytes) {
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    if (const auto identity = Identity::parse(text)) check_identity(*identity);
    if (const auto pattern = IdentityPattern::parse(text)) must(pattern->specificity() >= 0 && pattern->text() == text);
    if (const auto suite = parse_ike_proposal(text)) must(parse_ike_proposal(to_string(*suite)) == suite);
    if (const auto suite = parse_esp_proposal(text)) must(parse_esp_proposal(to_string(*suite)) == suite);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes{data, size};
    as_message(bytes);
    as_inner_chain(bytes);
    as_fragments(bytes);
    as_ticket(bytes);
    as_text(bytes);
    must(!CookieJar{}.verify(bytes, {}, 1, bytes, TimePoint{}));
    return 0;
}
