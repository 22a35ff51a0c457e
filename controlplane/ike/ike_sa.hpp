// One IKE SA: its SPIs and keys, the message-ID windows of both directions, and what our own request is for.
#pragma once

#include "controlplane/ike/child_terms.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/ike/fragmentation.hpp"
#include "controlplane/ike/key_exchange.hpp"
#include "controlplane/ike/key_exchange_series.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/retransmission.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace nave::ike {

/// IKE_SA_INIT or IKE_AUTH: the state of the association knows more.
struct Initial {};
/// IKE_INTERMEDIATE with our part of an additional key exchange (RFC 9370 §2.2.2).
struct Intermediate { DhKeyPair key; };
/// An empty INFORMATIONAL (RFC 7296 §2.4).
struct Liveness {};
/// What an exchange of ours has agreed on, once IKE_FOLLOWUP_KE goes on with it.
template <class Terms>
struct Agreed {
    Terms terms;
    KeyExchangeSeries series;
};
/// CREATE_CHILD_SA that replaces a child SA, or makes the first of `resource` when there is no old one.
/// `rival`: the child that the peer's own request made of the same one meanwhile (§2.8.1); no id as long as its key exchanges go on.
struct RekeyingChild {
    ChildId old;
    Spi inbound;
    Bytes nonce;
    std::optional<DhKeyPair> key;
    int restarts = 0;
    struct Rival { ChildId child; Bytes lowest_nonce; };
    std::optional<Rival> rival;
    std::optional<ResourceId> resource{};
    std::optional<Agreed<ChildTerms>> agreed{};
};
/// CREATE_CHILD_SA that replaces this IKE SA. `rival`: our SPI of the one that the peer's own request made meanwhile.
struct RekeyingIke {
    std::uint64_t spi;
    Bytes nonce;
    DhKeyPair key;
    int restarts = 0;
    struct Rival { std::uint64_t our_spi; Bytes lowest_nonce; };
    std::optional<Rival> rival;
    std::optional<Agreed<IkeChoice>> agreed{};
};
struct DeletingChild { ChildId child; };
struct DeletingIke {};
/// An INFORMATIONAL with TICKET_REQUEST (RFC 5723 §4.1).
struct RequestingTicket {};
using Purpose = std::variant<std::monostate, Initial, Intermediate, Liveness, RequestingTicket, RekeyingChild, RekeyingIke, DeletingChild, DeletingIke>;

/// A CREATE_CHILD_SA of the peer that we answered, and of which IKE_FOLLOWUP_KE is to make something.
struct PendingChild {
    ChildTerms terms;
    Spi inbound;
    ChildId old;  // none for a further child SA
    std::optional<ResourceId> resource;
};
struct PendingIke {
    IkeChoice choice;
    std::uint64_t spi;  // ours
};
struct Pending {
    KeyExchangeSeries series;
    std::variant<PendingChild, PendingIke> made;
    TimePoint give_up_at;
};

struct IkeSa {
    Role role{};  // ours in the exchange that made it
    std::uint64_t initiator_spi = 0, responder_spi = 0;
    IkeProposal suite{};
    SessionKeys keys{};
    std::uint32_t next_request_id = 0;      // of ours; a window of one, so the outstanding one has the number before
    std::uint32_t expected_request_id = 0;  // of the peer's
    std::vector<Bytes> last_response{};     // to the request before the expected one; more than one in fragments
    std::optional<ProtectionKeys> answered_keys{};  // under which that request came, if an IKE_INTERMEDIATE has renewed ours since
    bool fragments = false;                 // the peer takes messages in fragments (RFC 7383 §2.3)
    Reassembly request_parts{}, response_parts{};
    std::optional<Transmission> outstanding{};
    Purpose purpose{};
    std::optional<Pending> pending{};  // a peer that begins another one has given up the one before

    std::uint64_t our_spi() const { return role == Role::initiator ? initiator_spi : responder_spi; }
    std::uint64_t peer_spi() const { return role == Role::initiator ? responder_spi : initiator_spi; }
    const ProtectionKeys& outgoing_keys() const { return keys.sent_by(role); }
    const ProtectionKeys& incoming_keys() const { return keys.sent_by(other(role)); }
    bool is_idle() const { return !outstanding; }
    /// The peer's key exchanges go on, at the end of which another IKE SA takes this one's place.
    bool awaits_successor() const { return pending && std::holds_alternative<PendingIke>(pending->made); }
    template <class T>
    T* doing() { return outstanding ? std::get_if<T>(&purpose) : nullptr; }
};

/// RFC 7296 §2.8.1: the lower of the two nonces of an exchange, compared octet by octet.
inline Bytes lower_nonce(const Bytes& a, const Bytes& b) { return a < b ? a : b; }

}  // namespace nave::ike
