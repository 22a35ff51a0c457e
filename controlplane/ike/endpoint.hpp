// The IKEv2 endpoint: every IKE SA of this gateway as one machine without clock, socket or randomness of its own.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/calendar.hpp"
#include "common/plane_messages.hpp"
#include "common/random.hpp"
#include "common/secret.hpp"
#include "common/time.hpp"
#include "controlplane/ike/crypto_certificate.hpp"
#include "controlplane/ike/crypto_job.hpp"
#include "controlplane/ike/identity.hpp"
#include "controlplane/ike/proposal.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nave::ike {

/// Names one authenticated association with a peer; stays the same when its IKE SA is rekeyed; never used twice.
using SaId = Strong<struct IkeSaIdTag, std::uint64_t>;
/// Names one child SA pair; a rekey makes a new one.
using ChildId = Strong<struct IkeChildIdTag, std::uint64_t>;
/// One of the resources that have child SAs of their own (RFC 9611), such as workers; by our own numbers.
using ResourceId = Strong<struct IkeResourceTag, std::uint8_t>;
/// Names a costly operation that is under way; never used twice.
using JobId = Strong<struct IkeJobIdTag, std::uint64_t>;
/// Index into Settings::profiles.
using ProfileId = Strong<struct IkeProfileIdTag, std::uint16_t>;

struct PreSharedKey {
    IdentityPattern remote;
    Secret key;
};

/// What we sign with: our certificate, behind it those that lead to an authority which the peers trust, and the key of the first.
struct Credential {
    std::vector<Certificate> chain;
    PrivateKey key;
};

/// An authority that may vouch for these identities.
struct TrustedAuthority {
    IdentityPattern remote;
    Certificate certificate;
};

/// A post-quantum preshared key (RFC 8784): mixed into the keys of an IKE SA, so that who breaks the key exchange later still reads nothing.
struct Ppk {
    std::string id;          // by which both ends know it; sent in clear to whoever answers us
    IdentityPattern remote;  // the peers that it is for
    Secret key;
    bool required = false;   // these peers are refused without one
};

/// An identity that counts at these addresses only. Where many share a key, each of them could say that it is the hub.
struct PinnedIdentity {
    IdentityPattern identity;
    std::vector<NbmaAddress> addresses;
    std::vector<Prefix> redirects{};  // and where a peer at one of them may send us (RFC 5685)
};

/// What counts where nothing says that a certificate is not revoked: neither a list of Profile::revocations, nor what came with the
/// certificates (RFC 4806), nor what the certificate names: a list's distribution point or an OCSP responder, which are asked by HTTP.
enum class RevocationPolicy : std::uint8_t {
    strict,   // it is refused, if it names whom to ask, or we have lists or a responder
    relaxed,  // only a revoked one is refused
    off,      // nobody is asked; with any of Profile::revocations, every authority needs one
};

/// Who we are towards some peers, whom we accept, and what we propose. Of keys and authorities those decide that match a peer most
/// specifically; where both do, the peer may prove itself by either.
struct Profile {
    std::string name;
    Identity local;
    std::vector<PreSharedKey> keys{};
    std::optional<Credential> credential{};        // names `local`
    std::vector<TrustedAuthority> authorities{};
    std::vector<RevocationList> revocations{};
    RevocationPolicy revocation = RevocationPolicy::strict;
    std::string ocsp_responder{};                  // http URL, in place of whom certificates name; empty: those
    std::vector<PinnedIdentity> pinned{};
    std::vector<Ppk> ppks{};
    std::vector<IkeProposal> ike_proposals = default_ike_proposals();
    std::vector<EspProposal> esp_proposals = default_esp_proposals();
    bool accept_tunnel_mode = true;     // when the peer leaves out USE_TRANSPORT_MODE (PROTOCOL: Cisco's fallback)
    bool force_encapsulation = false;   // ESP in UDP even without a NAT
    Duration ike_lifetime = std::chrono::hours{8};
    Duration child_lifetime = std::chrono::hours{1};
    SaLimits child_limits;              // soft limits start a rekey
    Duration liveness_interval = std::chrono::seconds{5};  // of silence, until an empty INFORMATIONAL is sent
};

/// Bounds that keep strangers from costing us (RFC 7296 §2.6), and the retransmission schedule (§2.1).
struct Settings {
    std::vector<Profile> profiles;
    std::size_t half_open_max = 1000;
    std::size_t half_open_per_source_max = 16;
    std::size_t cookies_from_half_open = 32;   // ask for cookies from this many half-open SAs on
    std::size_t established_max = 100'000;
    std::vector<NbmaAddress> redirect_to{};     // gateways that share our load (RFC 5685); the endpoint sends to any of them
    std::size_t redirect_from_established = 1'000'000;  // whoever comes when so many are up, and says that it can be redirected
    std::uint8_t resources = 0;        // that want a child SA pair of their own with each peer that knows such (RFC 9611), up to kResourcesMax
    Duration retransmit_first = std::chrono::milliseconds{500};  // doubles each time
    int retransmit_tries = 6;
    int liveness_tries = 4;            // of any request to a peer that is up: silent after these, it is dead
    std::size_t packet_size_max = 1280;  // of IP; a longer message goes in fragments to a peer that takes them (RFC 7383 §2.5.1)
    Duration keepalive_interval = std::chrono::seconds{20};  // RFC 3948 §4, when we are behind a NAT
    const Calendar* calendar = nullptr;  // outlives the endpoint; without it no certificate is believed
    bool crypto_pool = false;          // emit costly operations as Compute, instead of doing them at once
    std::vector<Secret> ticket_keys{};  // the first seals tickets, each opens them (RFC 5723); empty: we hand out none
    bool key_log = false;              // emit all keys of IKE and ESP, to decrypt captured traffic, and IKE's messages in clear
};

/// Child SA pairs for single resources that one peer may have, whoever made them.
inline constexpr std::uint8_t kResourcesMax = 8;

/// Hands out inbound ESP SPIs; the overlay implements it and keeps an SPI until the worker acknowledged its removal.
class SpiSource {
public:
    virtual ~SpiSource() = default;
    /// Nothing when all slots are taken: the child SA is refused with NO_ADDITIONAL_SAS.
    virtual std::optional<Spi> allocate() = 0;
    /// The same for an SA that belongs to this resource.
    virtual std::optional<Spi> allocate_for(ResourceId resource) = 0;
    /// Gives back an SPI whose inbound SA was never announced by InstallInbound.
    virtual void release(Spi spi) = 0;
};

// ---- What the endpoint wants done, in this order ----

struct SendDatagram {   // UDP payload, with the non-ESP marker when it needs one
    NbmaEndpoint local, remote;
    Bytes payload;
};
/// A peer is authenticated and its first child SA agreed upon; precedes the first InstallInbound of it.
struct SaUp {
    SaId sa;
    ProfileId profile;
    std::uint64_t token;      // of the ConnectRequest; 0 as responder
    Identity local, remote_identity;
    NbmaEndpoint local_endpoint, remote_endpoint;
    bool initiator, local_behind_nat, remote_behind_nat, encapsulated;
    std::optional<Identity> subject{};  // of the certificate by which the peer proved itself, by whatever name it came
};
enum class DownReason : std::uint8_t {
    closed_by_us, deleted_by_peer, timed_out, authentication_failed, no_proposal_chosen,
    refused_by_peer, invalid_message, replaced_duplicate, limit_reached, no_child
};
std::string_view name(DownReason reason);
/// The association ended, or an attempt failed (then `sa` was never up and `token` names the request).
struct SaDown {
    SaId sa;
    std::uint64_t token;
    DownReason reason;
    std::string detail;   // in words, one line
};
struct InstallInbound {
    SaId sa;
    ChildId child;
    Spi spi;
    EspAlgorithm algorithm;
    EspMode mode;
    bool esn;
    SaLimits limits;
    EspKeymat keymat;
    std::optional<ResourceId> resource{};  // whose pair it is; of all when absent
};
/// The peer is known to hold the matching inbound SA: traffic may use this SA from now on.
struct InstallOutbound {
    SaId sa;
    ChildId child;
    Spi spi;
    EspAlgorithm algorithm;
    EspMode mode;
    bool esn;
    SaLimits limits;
    EspKeymat keymat;
    std::optional<ResourceId> resource{};
};
struct RemoveInbound { SaId sa; ChildId child; Spi spi; };
struct RemoveOutbound { SaId sa; ChildId child; Spi spi; };
/// The peer's address or port changed, as an authenticated IKE message or ESP packet showed (RFC 7296 §2.23).
struct PeerEndpointChanged { SaId sa; NbmaEndpoint local, remote; };
/// The peer has answered a request and its first repetition by no sign of life, or answers again. It may be dead, and is not given up yet.
struct PeerSilent { SaId sa; bool silent; };
enum class Severity : std::uint8_t { info, notice, warning, error };
struct Log { Severity severity; std::string text; };
/// Keys as text, to be appended to one of Wireshark's tables; only with Settings::key_log.
struct KeyLog {
    enum class Table : std::uint8_t { ike, esp };
    Table table;
    Secret line;
};

/// A message of IKE in clear, without marker, as it went or came; only with Settings::key_log.
struct Trace { NbmaEndpoint source, destination; Bytes message; };
/// A costly operation; on_computed() takes it back when it is done. Only with Settings::crypto_pool.
struct Compute {
    JobId job;
    CryptoJob work;
    bool urgent = false;  // for a peer that is up, and gives up when no answer comes: strangers can wait
};
/// Names one question about revocation.
using FetchId = Strong<struct IkeFetchIdTag, std::uint64_t>;
/// Get this by HTTP, and tell Endpoint::fetched(), also when there is nothing to be had. With a body it is an OCSP request to be posted.
struct FetchRevocation {
    FetchId id;
    std::string url;   // http or https
    Bytes body;
};

using Action = std::variant<SendDatagram, SaUp, SaDown, InstallInbound, InstallOutbound, RemoveInbound, RemoveOutbound, PeerEndpointChanged, PeerSilent, Log, KeyLog, Trace,
                            Compute, FetchRevocation>;
using Outbox = std::vector<Action>;

struct ConnectRequest {
    ProfileId profile;
    NbmaEndpoint local, remote;                    // ports 500; the endpoint moves to 4500 by itself
    std::optional<IdentityPattern> expected;       // whom we want to meet there; anybody with a key when absent
    std::uint64_t token = 0;                       // chosen by the caller, comes back in SaUp or SaDown
    std::vector<Prefix> redirects{};               // where the peer may send us instead (RFC 5685); nowhere when empty
    bool resumable = false;                        // ask for a ticket, and start with it next time (RFC 5723)
    /// Both ends are behind NATs and start at once: from port 4500 (RFC 7296 §2.23) to the port that the peer's NAT gave it. The first message opens
    /// the way, so it goes out often, and for five seconds only. Joins no attempt with another port of that address.
    bool punch = false;
};

/// One association as an operator sees it.
struct SaView {
    SaId sa;
    ProfileId profile;
    std::string state;              // "init-sent", "auth-sent", "established", "rekeying", "closing" ...
    std::optional<Identity> remote_identity;
    NbmaEndpoint local, remote;
    std::uint64_t initiator_spi, responder_spi;
    bool initiator, local_behind_nat, remote_behind_nat;
    std::string ike_proposal;       // "aes-gcm-256/prf-sha384/p384"
    TimePoint established_at, rekey_at;
    struct Child { ChildId child; Spi inbound, outbound; std::string proposal; EspMode mode; bool esn; TimePoint established_at, rekey_at; std::optional<ResourceId> resource; };
    std::vector<Child> children;
};

class Endpoint {
public:
    /// `random` and `spis` outlive the endpoint.
    Endpoint(Settings settings, Random& random, SpiSource& spis);
    ~Endpoint();
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    /// Starts IKE_SA_INIT, or IKE_SESSION_RESUME if we hold a ticket for that peer. When an attempt to or from the same remote endpoint and
    /// profile is under way, the caller's token is answered by that attempt's outcome.
    SaId connect(const ConnectRequest& request, TimePoint now, Outbox& out);
    /// A UDP payload that came to port 500, or to 4500 with the marker still in front. Never trusts a byte of it.
    void on_datagram(const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload, TimePoint now, Outbox& out);
    /// The same work as emitted, with its result. Whatever waits for it goes on, if it still matters.
    void on_computed(JobId job, CryptoJob work, TimePoint now, Outbox& out);
    /// What FetchRevocation brought, or in words why nothing. Peers whom it revokes are told farewell, and gone; whoever waits for it goes on.
    void fetched(FetchId id, const std::expected<Bytes, std::string>& content, TimePoint now, Outbox& out);
    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const;

    /// Sends DELETE and forgets the association once answered or given up. `at_once`: do not wait for the answer.
    void close(SaId sa, DownReason reason, bool at_once, TimePoint now, Outbox& out);
    void rekey_ike(SaId sa, TimePoint now, Outbox& out);
    /// Rekeys the child SA to which this inbound SPI belongs; for soft limits and for the operator.
    void rekey_child(SaId sa, Spi inbound, TimePoint now, Outbox& out);
    /// The first authenticated ESP packet came on this SPI: the peer uses the new SA (RFC 7296 §2.8).
    void inbound_used(SaId sa, Spi inbound, TimePoint now, Outbox& out);
    /// The newest authenticated ESP packet of the peer came from there; it is followed if it is behind a NAT and its ESP is in UDP.
    void peer_moved(SaId sa, const NbmaEndpoint& seen, TimePoint now, Outbox& out);
    /// Authenticated ESP came from this peer since the last report: it is alive (RFC 7296 §2.4).
    void traffic_seen(SaId sa, TimePoint now);
    /// Liveness check now, whatever the interval says.
    void probe(SaId sa, TimePoint now, Outbox& out);
    /// Where a profile's pinned identities count from here on; who is up stays.
    void replace_pinned(ProfileId profile, std::vector<PinnedIdentity> pinned);
    /// New revocation lists of a profile. Peers whose certificates they revoke are told farewell, and gone.
    void replace_revocations(ProfileId profile, std::vector<RevocationList> lists, TimePoint now, Outbox& out);
    /// New keys for tickets, the one that seals first. Tickets of keys that are not among them are good for nothing any more.
    void replace_ticket_keys(std::vector<Secret> keys);
    /// Our own underlay address is gone or new: associations on `old_local` are dropped without a farewell.
    void local_address_gone(const NbmaAddress& old_local, TimePoint now, Outbox& out);

    std::vector<SaView> snapshot() const;
    /// Counters by name: "init-requests", "cookies-asked", "bad-integrity", "authentication-failed", "malformed", ...
    const std::map<std::string, std::uint64_t, std::less<>>& counters() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nave::ike
