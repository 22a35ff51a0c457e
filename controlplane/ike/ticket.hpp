// Tickets of session resumption (RFC 5723): what a responder lets an initiator keep of a session, and what the initiator keeps beside it.
#pragma once

#include "common/bytes.hpp"
#include "common/random.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/endpoint.hpp"

#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::ike {

/// What has to be known of a peer's certificates later, when they are not at hand.
struct ProvenCertificates {
    std::vector<CertificateId> ids{};                       // none with a pre-shared key
    Bytes subject{};                                        // of the peer's own, DER
    std::optional<std::chrono::sys_seconds> valid_until{};  // of the one that expires first
    bool is_asked_about = false;                            // somebody says by HTTP whether they are revoked
    bool operator==(const ProvenCertificates&) const = default;
};

/// How a peer proved itself when it last had to; handed on from session to session, so that it can be doubted later.
struct Grounds {
    Identity peer;
    ProvenCertificates certificates{};
    const Ppk* ppk = nullptr;  // that is in the keys
};

// ---- Responder: a ticket by value (RFC 5723 §6.3), which we keep nothing for ----

struct Ticket {
    static constexpr std::size_t kSizeMax = 1000;  // sealed: IKE_SESSION_RESUME carries it in one packet, whatever the path
    static constexpr std::size_t kTrustSize = 32;
    static constexpr std::size_t kCertificatesMax = 8;

    std::string profile;
    Identity peer;
    IkeProposal suite{};
    Secret derivation{};  // SK_d of the session
    Secret trust{};       // fingerprint of the keys and authorities by which the peer was believed
    std::string ppk{};    // its id; empty without one
    ProvenCertificates certificates{};
    std::chrono::sys_seconds expires{};
    bool operator==(const Ticket&) const = default;
};

/// Content as bytes and back; nothing for bytes that are no ticket. Only what came out of open_ticket() is worth decoding.
Secret encode_ticket(const Ticket& ticket);
std::optional<Ticket> decode_ticket(ByteView bytes);

/// A new key for sealing tickets. Whoever has it can pretend to be each peer that holds a ticket, and read what was resumed by one.
Secret fresh_ticket_key(Random& random);
inline constexpr std::size_t kTicketKeySize = 32;

/// version | name of the key | nonce | AES-256-GCM(content).
Bytes seal_ticket(const Ticket& ticket, const Secret& key, Random& random);
enum class TicketError : std::uint8_t { unknown_key, not_genuine, malformed };
std::string_view name(TicketError reason);
/// With whichever of the keys sealed it.
std::expected<Ticket, TicketError> open_ticket(ByteView sealed, std::span<const Secret> keys);

// ---- Initiator ----

struct HeldTicket {
    Bytes opaque;
    TimePoint expires_at;
    IkeProposal suite{};
    Secret derivation{};
    Grounds grounds;  // of the responder
};

/// One ticket for each responder that we connect to, by the address in the ConnectRequest; it outlives the association.
class TicketBook {
public:
    static constexpr std::size_t kTicketsMax = 256;
    void keep(ProfileId profile, const NbmaAddress& responder, HeldTicket ticket);
    void forget(ProfileId profile, const NbmaAddress& responder) { tickets_.erase({profile, responder}); }
    /// Null if there is none that is still good.
    const HeldTicket* find(ProfileId profile, const NbmaAddress& responder, TimePoint now) const;

private:
    std::map<std::pair<ProfileId, NbmaAddress>, HeldTicket> tickets_;
};

}  // namespace nave::ike
