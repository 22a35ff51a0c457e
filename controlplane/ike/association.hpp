// An association with one peer: the states from the first datagram to the last, each with exactly the data that exists in it.
#pragma once

#include "controlplane/ike/child_sa.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/ike/ike_sa.hpp"
#include "controlplane/ike/intermediate_auth.hpp"
#include "controlplane/ike/ticket.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nave::ike {

/// Initiator: IKE_SA_INIT is sent.
struct AwaitingInitResponse {
    DhKeyPair key;
    Bytes nonce;
    Bytes cookie{};
    int restarts = 0;       // with a cookie or another group
    int redirects = 0;      // to another gateway
    std::optional<NbmaAddress> redirected_from{};
    int refusals = 0;       // errors that came back; anybody could have sent them
    std::string refusal{};  // the last of them, in words
    DownReason reason = DownReason::timed_out;  // what it would mean
};

/// A message as it came in, without marker.
struct Datagram {
    NbmaEndpoint local, remote;
    Bytes message;
};

/// Initiator: IKE_AUTH is sent, or one of the IKE_INTERMEDIATE before it. Anybody can have answered IKE_SA_INIT, so other answers are kept and tried in turn (RFC 7296 §2.4), and
/// the key pair lives until one of them proves genuine.
struct AwaitingAuthResponse {
    DhKeyPair key;
    Bytes first_message;       // AUTH covers it and the answer
    Bytes nonce, peer_nonce;
    Spi inbound;
    Datagram answer;        // the one that IKE_AUTH went out for
    const Ppk* ppk = nullptr;  // of our profile, if both ends know how to use one
    std::vector<Datagram> others{};
    std::size_t exchanges_left = 0;  // in IKE_INTERMEDIATE, with the one that is sent
    IntermediateAuth intermediate{};
};

/// Initiator: IKE_SESSION_RESUME is sent.
struct AwaitingResumeResponse {
    HeldTicket ticket;
    Bytes nonce;
    Bytes cookie{};
    int restarts = 0;  // with a cookie
};

/// Initiator: IKE_SESSION_RESUME is answered and IKE_AUTH sent.
struct AwaitingResumedAuth {
    HeldTicket ticket;
    Bytes first_message, answer;  // AUTH covers them
    Bytes nonce, peer_nonce;
    Spi inbound;
};

/// Responder: IKE_SA_INIT or IKE_SESSION_RESUME is answered. Nobody is authenticated: this one counts as half-open. Of the messages that ask for the same SA with
/// the same nonce and key exchange one is the initiator's; which one, its AUTH will say.
struct AwaitingAuthRequest {
    Bytes nonce, peer_nonce;
    Bytes first_message{};
    std::vector<Datagram> asked{};
    TimePoint began_at{}, give_up_at{};
    bool may_use_ppk = false;  // both ends said so
    std::optional<Ticket> ticket{};  // by which the session goes on, if it does
    std::optional<TimePoint> impatient_at{};  // then an own attempt starts for the caller that joined this one
    std::size_t exchanges_left = 0;  // in IKE_INTERMEDIATE, before IKE_AUTH may come
    IntermediateAuth intermediate{};
};

/// Another IKE SA of the same peer, around a rekey.
struct Sibling {
    enum class Standing : std::uint8_t {
        successor,  // made by the peer's request, which may not have our answer yet
        retired,    // replaced or redundant; waits for a DELETE or its answer
    };
    Standing standing;
    std::unique_ptr<IkeSa> ike;
    TimePoint give_up_at;
};

/// Another association with the same peer survives. The initiator of this one deletes it, or the other end.
struct Duplicate {
    SaId survivor;
    TimePoint delete_at;  // later when that is the peer's task, which not every peer knows
    std::optional<TimePoint> asked_at{};  // since when the survivor has to show that it lives
};

struct Established {
    Identity peer;
    ProvenCertificates certificates{};
    const Ppk* ppk = nullptr;        // that is in the keys
    Bytes lowest_nonce;              // of IKE_SA_INIT; decides between duplicates
    TimePoint began_at, established_at;
    TimePoint heard_at;              // last sign of life
    TimePoint rekey_at{}, expires_at{};  // of the current IKE SA
    std::optional<TimePoint> keepalive_at{};
    std::optional<TimePoint> childless_until{};  // began without a child SA (RFC 6023) and waits for one
    std::optional<Duplicate> duplicate{};
    bool probe_wanted = false;
    bool silent = false;             // PeerSilent is out
    int forgotten = 0;  // STATE_NOT_FOUND in a row (RFC 9370 §2.2.4)
    bool has_tickets = false;        // the peer handed one out, so it will again after a rekey
    bool ticket_wanted = false;
    std::optional<TimePoint> resources_at{};  // when we look for resources without a child SA; absent: the peer knows none
    std::vector<ChildSa> children{};
    std::vector<Draining> draining{};
    std::vector<Sibling> siblings{};
};

/// SaDown is out; our DELETE waits for its turn or its answer.
struct Closing {
    std::optional<NotifyType> complaint{};  // goes with the DELETE
};
/// Over; a repeated last request is still answered for a while.
struct Lingering { TimePoint until; };
/// Erased as soon as the event is handled.
struct Gone {};

using State = std::variant<AwaitingInitResponse, AwaitingAuthResponse, AwaitingResumeResponse, AwaitingResumedAuth, AwaitingAuthRequest, Established, Closing, Lingering, Gone>;

/// "init-sent", "half-open", "established" ...
std::string_view name(const State& state);

struct Association {
    SaId id;
    ProfileId profile;     // as responder known from IKE_AUTH on
    bool initiator = false;
    NbmaEndpoint local, remote;
    bool local_behind_nat = false, remote_behind_nat = false, encapsulated = false;
    std::optional<NbmaAddress> half_open_at{};  // counted as half-open from this source
    std::optional<NbmaAddress> attempt_at{};    // listed among the attempts with this address
    std::optional<NbmaAddress> established_at{};  // counted as established from this address
    std::optional<std::uint64_t> init_spi{};    // responder: SPIi of the IKE_SA_INIT request that made it
    std::vector<ConnectRequest> requests{};  // whose tokens the outcome answers
    std::unique_ptr<IkeSa> ike;              // the one for our own requests
    State state = Gone{};
    std::optional<TimePoint> scheduled{};    // what the table of deadlines holds

    template <class T>
    T* in() { return std::get_if<T>(&state); }
    template <class T>
    const T* in() const { return std::get_if<T>(&state); }
};

/// The successor among the siblings; null if there is none.
Sibling* successor_of(Established& established);
ChildSa* child_by_id(Established& established, ChildId id);
/// By the SPI that we receive on.
ChildSa* child_by_inbound(Established& established, Spi spi);
/// By the SPI that the peer receives on, which is how the peer names it.
ChildSa* child_by_outbound(Established& established, Spi spi);
/// For logs: identity if known, and endpoint.
std::string describe(const Association& association);

}  // namespace nave::ike
