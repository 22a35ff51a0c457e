// Key derivation and shared-key authentication (RFC 7296 §2.13 to §2.18, RFC 9370 §2.2).
#pragma once

#include "common/bytes.hpp"
#include "common/plane_messages.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/payloads.hpp"
#include "controlplane/ike/proposal.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <cstdint>

namespace nave::ike {

/// What protects the messages that one end sends.
struct ProtectionKeys {
    IkeEncryption encryption{};
    Integrity integrity{};
    Secret encryption_key{};  // SK_ei or SK_er, with its salt
    Secret integrity_key{};   // SK_ai or SK_ar; empty with AEAD
};

/// All keys of one IKE SA.
struct SessionKeys {
    Prf prf{};
    Secret derivation{};                                 // SK_d
    ProtectionKeys from_initiator{}, from_responder{};   // SK_e*, SK_a*
    Secret auth_initiator{}, auth_responder{};           // SK_pi, SK_pr

    const ProtectionKeys& sent_by(Role role) const { return role == Role::initiator ? from_initiator : from_responder; }
    const Secret& auth_of(Role role) const { return role == Role::initiator ? auth_initiator : auth_responder; }
};

/// What both ends agreed on in the exchange that makes an IKE SA. SPIs and nonces by the roles of that exchange.
struct SessionSeed {
    IkeProposal suite{};
    ByteView initiator_nonce{}, responder_nonce{};
    std::uint64_t initiator_spi = 0, responder_spi = 0;
};

/// prf+(key, seed), at most 255 blocks (RFC 7296 §2.13).
Secret prf_plus(Prf algorithm, ByteView key, ByteView seed, std::size_t length);

/// SKEYSEED = prf(Ni | Nr, g^ir).
Secret initial_skeyseed(const SessionSeed& seed, const Secret& shared_secret);
/// SKEYSEED = prf(SK_d old, g^ir | Ni | Nr | SK(1) ... SK(n)) with the old SA's PRF (RFC 7296 §2.18). `additional` joins the secrets of
/// additional key exchanges (RFC 9370 §2.2.4).
Secret rekey_skeyseed(const SessionKeys& old, const SessionSeed& seed, const Secret& shared_secret, const Secret& additional = {});
/// SKEYSEED = prf(SK_d of the session that goes on, "Resumption" | Ni | Nr) (RFC 5723 §5.1). There is no key exchange: who learns that SK_d
/// reads all that follows, until the next rekey.
Secret resumption_skeyseed(const Secret& derivation, const SessionSeed& seed);
/// {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr), with the new suite.
SessionKeys derive_session_keys(const SessionSeed& seed, const Secret& skeyseed);

/// The keys behind an IKE_INTERMEDIATE exchange that made one more shared secret: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), and from it
/// all keys as before (RFC 9370 §2.2.2). `seed` is that of IKE_SA_INIT.
SessionKeys further_session_keys(const SessionKeys& before, const SessionSeed& seed, const Secret& shared_secret);

/// SK_d, SK_pi and SK_pr = prf+(PPK, SK_d' ...): the post-quantum preshared key goes into all that follows, and into AUTH (RFC 8784 §3).
SessionKeys with_ppk(const SessionKeys& keys, const Secret& ppk);

/// Keys of a child SA pair, by the roles of the exchange that made it.
struct ChildKeys {
    EspKeymat initiator_to_responder{}, responder_to_initiator{};
    const EspKeymat& sent_by(Role role) const { return role == Role::initiator ? initiator_to_responder : responder_to_initiator; }
};
/// KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr [| SK(1) ... SK(n)]); `shared_secret` is empty without a key exchange (RFC 7296 §2.17), `additional` as
/// above (RFC 9370 §2.2.4).
ChildKeys derive_child_keys(const SessionKeys& session, EspAlgorithm algorithm, const Secret& shared_secret, ByteView initiator_nonce, ByteView responder_nonce,
                            const Secret& additional = {});

/// What the AUTH payload of one end is computed from (RFC 7296 §2.15, RFC 9242 §3.3.2).
struct AuthInput {
    ByteView first_message{};        // that end's own IKE_SA_INIT message, as sent (the last one, if it was repeated with a cookie or group)
    ByteView peer_nonce{};           // the other end's nonce
    const IdentificationPayload* id = nullptr;  // that end's own, as sent
    ByteView intermediate{};         // IntAuth, of both ends; empty if no IKE_INTERMEDIATE was exchanged
};
/// What the end `role` proves itself over: its first message | the other's nonce | prf(SK_p, its ID) | IntAuth.
Bytes signed_octets(const SessionKeys& keys, Role role, const AuthInput& input);
/// AUTH = prf(prf(key, "Key Pad for IKEv2"), octets) of the end `role`.
Bytes shared_key_auth(const SessionKeys& keys, Role role, const Secret& key, const AuthInput& input);
/// AUTH = prf(SK_p, octets) of the end `role`, which only a holder of the session's SK_d knows (RFC 5723 §4.3.3).
Bytes resumption_auth(const SessionKeys& keys, Role role, const AuthInput& input);
/// Compares in constant time.
bool verify_shared_key_auth(const SessionKeys& keys, Role role, const Secret& key, const AuthInput& input, ByteView received);

}  // namespace nave::ike
