// How an end of IKE_AUTH proves who it is, and how the other one judges it: by pre-shared key or by certificate (RFC 7296 §2.15).
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/identities.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/signature_auth.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

// ---- Ourselves ----

/// What we prove ourselves by: a key that we share with the peer, or our certificate.
struct Means {
    const PreSharedKey* key = nullptr;
    const Credential* credential = nullptr;
    SignatureChoice signature{};
    bool with_ocsp = false;  // the peer wants to hear what our issuer says of it
    bool resumes = false;  // by the keys of the session that is resumed (RFC 5723)
};
/// Initiator: the certificate, if there is one and the peer's answer to IKE_SA_INIT shows that it judges certificates, else the key for
/// whom we expect. In words why there is no way.
std::expected<Means, std::string> means_of_initiator(const Profile& profile, const std::optional<IdentityPattern>& expected, std::span<const Payload> answer);
/// Responder: as the initiator did, for that is what it surely can judge. `request` is its IKE_SA_INIT.
std::expected<Means, std::string> means_of_responder(const Profile& profile, const Identity& initiator, const PreSharedKey* by_key, std::span<const Payload> request);
/// CERT payloads, if any, and AUTH.
std::vector<Payload> proof_by(const Context& context, const Means& means, const SessionKeys& keys, Role role, const AuthInput& input);

/// CERTREQ for what these profiles trust; nothing if they trust no authority.
std::optional<CertificateRequest> certificate_request(std::span<const Profile> profiles);
/// The same, and CERTREQ for OCSP responses about them (RFC 4806).
void append_requests(std::vector<Payload>& payloads, std::span<const Profile> profiles);
/// CERTREQ and SIGNATURE_HASH_ALGORITHMS, where a profile judges certificates at all.
void append_signature_support(std::vector<Payload>& payloads, std::span<const Profile> profiles, Role role);

// ---- The peer ----

/// The path by which this profile lets the chain speak for that identity: the certificate names it, and leads to an authority that is trusted for it.
std::expected<Path, std::string> trust_chain(const Context& context, const Profile& profile, const Identity& identity, const PeerChain& chain);

/// The identity as it is told to others: of the many encodings of a distinguished name always the same.
Identity settled(const Identity& identity);

/// How a peer proved itself: in words, and by which certificates, which may be revoked later; none with a pre-shared key.
struct Proven {
    std::string means;
    ProvenCertificates certificates{};
    const Ppk* ppk = nullptr;  // that went into the keys of the proof
    bool resumes = false;      // it did so in an earlier session, whose ticket it has; and any PPK is in the keys since then
};

/// The keys of an IKE SA as they are once the peer has proved itself so: with the PPK of the proof, if that is not in them already.
SessionKeys keys_after(const SessionKeys& keys, const Proven& proven);

/// The profile for an initiator that signs, and which of the messages in its name is its own.
struct CertificateProof {
    ProfileId profile;
    const Datagram* request;
    Proven proven;
};
/// Responder. Looks at the profiles that allow the suite, one whose identity the initiator asked for (IDr) first. An error is in words
/// for our log alone: whatever is wrong, the peer is told the same.
std::expected<CertificateProof, std::string> prove_initiator(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting,
                                                              const IdentificationPayload& id, const Identity* wanted, std::span<const Payload> payloads);
/// Initiator: how the responder proved itself.
std::expected<Proven, std::string> prove_responder(const Context& context, const Profile& profile, const SessionKeys& keys, const AuthInput& input,
                                                   std::span<const Payload> payloads);

}  // namespace nave::ike
