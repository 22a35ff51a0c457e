// Whether a peer's certificates may count when nobody says so, what is asked to know it, and who goes when an answer revokes it.
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/waiting_room.hpp"

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// All that is known about these certificates: what came with them, lists of files, and what was asked by HTTP.
struct RevocationEvidence {
    std::vector<RevocationList> lists;
    std::vector<OcspEvidence> responses;
};
RevocationEvidence evidence_about(const Context& context, const Profile& profile, std::span<const Certificate> chain, std::span<const Bytes> sent);

/// Thrown when so much is being asked that a question finds no room. Nothing resumes what it ends; the peer's retransmission asks again.
struct RevocationBusy : Postponed {};

/// Once the peer has signed: nothing is fetched for a stranger. Asks about the steps of the path that are in doubt, one source after the other, and postpones the
/// handling until answers are there. In words which certificate may not count by the profile's policy.
std::expected<void, std::string> settle_doubts(const Context& context, const Profile& profile, const Path& path);

/// An answer came: tells the log, and ends the associations of those whom it revokes.
void take_answer(Context& context, FetchId id, const std::expected<Bytes, std::string>& content);
/// Asks about our own certificates, so that we can send the answers along, and asks anew what peers who are up depend on. Gives what nobody answered.
std::vector<FetchId> renew_answers(Context& context);

/// Whether some certificate of ours is one that its own issuer's responder can be asked about.
bool asks_about_itself(const Settings& settings);

/// Whether somebody can be asked by HTTP about a certificate of the path, and the profile wants to know.
bool is_asked_about(const Profile& profile, const Path& path);
/// Whether a list of the profile, or an answer that counts today, revokes one of these; and whether, as far as the profile insists on it, answers are there for all.
bool is_revoked(const Context& context, const Profile& profile, std::span<const CertificateId> certificates);
bool is_known_good(const Context& context, const Profile& profile, std::span<const CertificateId> certificates);

/// Ends the associations of that profile whose peers proved themselves by a certificate that its lists revoke now.
void drop_revoked(Context& context, ProfileId profile);

// ---- OCSP in IKE (RFC 4806) ----

/// CERTREQ for OCSP responses, where a profile wants to know; whoever signs them, for each is verified.
void append_ocsp_request(std::vector<Payload>& payloads, std::span<const Profile> profiles);
bool asks_for_ocsp(std::span<const Payload> payloads);
/// CERT with what an OCSP responder says of our own certificate, if it does, and briefly enough for IKE_AUTH.
void append_own_response(const Context& context, std::vector<Payload>& payloads, const Credential& own);

}  // namespace nave::ike
