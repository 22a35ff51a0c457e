// The costly operations of IKE as values, so that they can be done off the control loop (DESIGN: crypto pool).
#pragma once

#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/key_exchange.hpp"
#include "controlplane/ike/peer_chain.hpp"
#include "controlplane/ike/signature_auth.hpp"

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nave::ike {

// A job holds copies of all that it needs: compute() may run in any thread and fills `result`. Two jobs ask the same if the result of one
// does for the other, whatever time or randomness went into them.

/// answer_key_exchange()
struct KeyResponse {
    Group group;
    Secret private_key;
    Bytes peer_value;
    using Answer = KeyExchangeAnswer;
    using Result = std::expected<Answer, KeyExchangeError>;
    std::optional<Result> result{};

    void compute() { result = answer_key_exchange(group, private_key.view(), peer_value); }
    bool asks_the_same(const KeyResponse& other) const { return group == other.group && peer_value == other.peer_value; }
};

/// What an initiator's key pair and the responder's value give.
struct KeyAgreement {
    DhKeyPair key;
    Bytes peer_value;
    using Result = std::expected<Secret, KeyExchangeError>;
    std::optional<Result> result{};

    void compute() { result = key.shared_secret(peer_value); }
    bool asks_the_same(const KeyAgreement& other) const { return key.public_value() == other.key.public_value() && peer_value == other.peer_value; }
};

/// sign_auth()
struct Signing {
    PrivateKey key;
    SignatureChoice choice;
    Bytes octets;
    using Result = AuthPayload;
    std::optional<Result> result{};

    void compute() { result = sign_auth(key, choice, octets); }
    bool asks_the_same(const Signing& other) const { return &key.parsed() == &other.key.parsed() && choice == other.choice && octets == other.octets; }
};

/// verify_auth()
struct SignatureCheck {
    Certificate certificate;
    AuthPayload auth;
    Bytes octets;
    using Result = std::expected<SignatureAlgorithm, std::string>;
    std::optional<Result> result{};

    void compute() { result = verify_auth(certificate, auth, octets); }
    bool asks_the_same(const SignatureCheck& other) const { return certificate == other.certificate && auth == other.auth && octets == other.octets; }
};

/// read_chain()
struct ChainReading {
    std::vector<CertificatePayload> sent{};
    using Result = std::expected<PeerChain, std::string>;
    std::optional<Result> result{};

    void compute() { result = read_chain(sent); }
    bool asks_the_same(const ChainReading& other) const { return sent == other.sent; }
};

/// validate_chain()
struct ChainCheck {
    Certificate leaf;
    std::vector<Certificate> untrusted, anchors;
    std::vector<RevocationList> revocations;
    std::vector<OcspEvidence> responses;
    std::chrono::sys_seconds now;
    using Result = std::expected<Path, std::string>;
    std::optional<Result> result{};

    void compute() { result = validate_chain(leaf, {.untrusted = untrusted, .anchors = anchors, .revocations = revocations, .responses = responses, .now = now}); }
    bool asks_the_same(const ChainCheck& other) const {
        return leaf == other.leaf && untrusted == other.untrusted && anchors == other.anchors && revocations == other.revocations &&
               responses == other.responses;
    }
};

using CryptoJob = std::variant<KeyResponse, KeyAgreement, Signing, SignatureCheck, ChainReading, ChainCheck>;

/// From any thread; up to milliseconds.
inline void compute(CryptoJob& job) {
    std::visit([](auto& each) { each.compute(); }, job);
}

}  // namespace nave::ike
