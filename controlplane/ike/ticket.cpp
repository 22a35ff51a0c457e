// Tickets as bytes, sealed and opened; those that we hold.
#include "controlplane/ike/ticket.hpp"

#include "controlplane/ike/crypto.hpp"

#include <algorithm>

namespace nave::ike {
namespace {

constexpr std::uint8_t kVersion = 3;
constexpr std::size_t kKeyNameSize = 8;

/// A field of up to 65535 bytes behind its length.
void put(ByteWriter& out, ByteView field) {
    out.u16(static_cast<std::uint16_t>(field.size()));
    out.bytes(field);
}
ByteView get(ByteReader& in) { return in.take(in.u16()); }
Bytes get_bytes(ByteReader& in) {
    const ByteView field = get(in);
    return {field.begin(), field.end()};
}
std::string get_text(ByteReader& in) {
    const ByteView field = get(in);
    return {field.begin(), field.end()};
}
KeyId get_key_id(ByteReader& in) {
    KeyId id{};
    std::ranges::copy(in.take(id.size()), id.begin());
    return id;
}

std::uint64_t seconds_of(std::chrono::sys_seconds time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }
std::chrono::sys_seconds time_of(std::uint64_t seconds) { return std::chrono::sys_seconds{std::chrono::seconds{static_cast<std::int64_t>(seconds)}}; }

bool is_known(Identity::Type type) {
    using enum Identity::Type;
    return type == ipv4_address || type == fqdn || type == rfc822_address || type == ipv6_address || type == der_distinguished_name || type == key_id;
}

/// Tells keys apart without saying anything of them.
Secret key_name(const Secret& key) {
    const Secret digest = prf(Prf::hmac_sha256, key.view(), {as_bytes("name of a ticket key")});
    return Secret{digest.view().first(kKeyNameSize)};
}

}  // namespace

Secret encode_ticket(const Ticket& ticket) {
    ByteWriter out;
    put(out, as_bytes(ticket.profile));
    out.u8(static_cast<std::uint8_t>(ticket.peer.type));
    put(out, ticket.peer.data);
    put(out, as_bytes(to_string(ticket.suite)));
    put(out, ticket.derivation.view());
    out.bytes(ticket.trust.view());
    put(out, as_bytes(ticket.ppk));
    out.u8(static_cast<std::uint8_t>(ticket.certificates.ids.size()));
    for (const CertificateId& each : ticket.certificates.ids) put(out, each.issuer), out.bytes(each.issuer_key), put(out, each.serial);
    put(out, ticket.certificates.subject);
    const auto& valid_until = ticket.certificates.valid_until;
    out.u8(valid_until ? 1 : 0);
    if (valid_until) out.u64(seconds_of(*valid_until));
    out.u8(ticket.certificates.is_asked_about ? 1 : 0);
    out.u64(seconds_of(ticket.expires));
    Bytes bytes = out.take();
    Secret content{bytes};
    wipe(bytes);
    return content;
}

std::optional<Ticket> decode_ticket(ByteView bytes) {
    ByteReader in{bytes};
    Ticket ticket;
    ticket.profile = get_text(in);
    ticket.peer.type = Identity::Type{in.u8()};
    ticket.peer.data = get_bytes(in);
    const auto suite = parse_ike_proposal(get_text(in));
    ticket.derivation = Secret{get(in)};
    ticket.trust = Secret{in.take(Ticket::kTrustSize)};
    ticket.ppk = get_text(in);
    const std::size_t certificates = in.u8();
    if (in.failed() || !suite || !is_known(ticket.peer.type) || certificates > Ticket::kCertificatesMax) return std::nullopt;
    for (std::size_t i = 0; i < certificates; ++i) ticket.certificates.ids.push_back({.issuer = get_bytes(in), .issuer_key = get_key_id(in), .serial = get_bytes(in)});
    ticket.certificates.subject = get_bytes(in);
    const std::uint8_t has_end = in.u8();
    if (has_end == 1) ticket.certificates.valid_until = time_of(in.u64());
    const std::uint8_t is_asked_about = in.u8();
    ticket.certificates.is_asked_about = is_asked_about == 1;
    ticket.expires = time_of(in.u64());
    ticket.suite = *suite;
    if (in.failed() || !in.at_end() || has_end > 1 || is_asked_about > 1 || ticket.derivation.size() != prf_size(suite->prf)) return std::nullopt;
    return ticket;
}

Secret fresh_ticket_key(Random& random) {
    Secret key{kTicketKeySize};
    random.fill(key.writable());
    return key;
}

Bytes seal_ticket(const Ticket& ticket, const Secret& key, Random& random) {
    ByteWriter out;
    out.u8(kVersion);
    out.bytes(key_name(key).view());
    const Bytes head{out.view().begin(), out.view().end()};
    Bytes nonce(kAeadNonceSize);
    random.fill(nonce);
    out.bytes(nonce);
    out.bytes(aead_seal(IkeEncryption::aes_gcm_256, key.view(), nonce, head, encode_ticket(ticket).view()));
    return out.take();
}

std::string_view name(TicketError reason) {
    switch (reason) {
    case TicketError::unknown_key: return "sealed by a key that we do not have, or no longer";
    case TicketError::not_genuine: return "not genuine";
    case TicketError::malformed: return "not of a form that we know";
    }
    return "unknown";
}

std::expected<Ticket, TicketError> open_ticket(ByteView sealed, std::span<const Secret> keys) {
    constexpr std::size_t kHead = 1 + kKeyNameSize;
    if (sealed.size() < kHead + kAeadNonceSize + kAeadTagSize || sealed.size() > Ticket::kSizeMax || sealed[0] != kVersion) return std::unexpected{TicketError::malformed};
    const ByteView head = sealed.first(kHead), nonce = sealed.subspan(kHead, kAeadNonceSize), body = sealed.subspan(kHead + kAeadNonceSize);
    const auto key = std::ranges::find_if(keys, [&](const Secret& each) { return equal_in_constant_time(key_name(each).view(), head.subspan(1)); });
    if (key == keys.end()) return std::unexpected{TicketError::unknown_key};
    auto content = aead_open(IkeEncryption::aes_gcm_256, key->view(), nonce, head, body);
    if (!content) return std::unexpected{TicketError::not_genuine};
    auto ticket = decode_ticket(*content);
    wipe(*content);
    if (!ticket) return std::unexpected{TicketError::malformed};
    return std::move(*ticket);
}

void TicketBook::keep(ProfileId profile, const NbmaAddress& responder, HeldTicket ticket) {
    if (tickets_.size() >= kTicketsMax && !tickets_.contains({profile, responder})) {
        const auto oldest = std::ranges::min_element(tickets_, {}, [](const auto& each) { return each.second.expires_at; });
        tickets_.erase(oldest);
    }
    tickets_.insert_or_assign({profile, responder}, std::move(ticket));
}

const HeldTicket* TicketBook::find(ProfileId profile, const NbmaAddress& responder, TimePoint now) const {
    const auto found = tickets_.find({profile, responder});
    return found == tickets_.end() || found->second.expires_at <= now ? nullptr : &found->second;
}

}  // namespace nave::ike
