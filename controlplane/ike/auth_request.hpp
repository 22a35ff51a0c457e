// The initiator's IKE_AUTH request: what it proves itself by, and the message.
#pragma once

#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/context.hpp"

#include <optional>
#include <vector>

namespace nave::ike {

/// What the initiator's proof is computed from.
struct ProofBasis {
    Means means;
    const SessionKeys& keys;  // without PPK
    const Ppk* ppk;           // if both ends know how to use one
    ByteView first_message{}, peer_nonce{};
    ByteView intermediate{};  // IntAuth
};
struct OwnProof {
    std::vector<Payload> payloads{};     // CERT and AUTH
    std::optional<Bytes> without_ppk{};  // AUTH for a peer that does not have our PPK
};
/// Asks for signatures: nothing is changed before.
OwnProof prove_ourselves(const Context& context, const Association& association, const ProofBasis& basis);
void send_auth(Context& context, Association& association, const AwaitingAuthResponse& awaiting, const OwnProof& proof);

}  // namespace nave::ike
