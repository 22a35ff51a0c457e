// Key pairs of any group: which kind of arithmetic a group needs.
#include "controlplane/ike/key_exchange.hpp"

#include "controlplane/ike/crypto_groups.hpp"

#include <cassert>
#include <utility>

namespace nave::ike {

namespace {

/// Null for a number that we only know from the wire, and for what the OpenSSL of the build does not have.
const GroupKind* kind_of(Group group) {
    switch (group) {
    case Group::x25519:
    case Group::x448: return &kMontgomeryCurves;
    case Group::p256:
    case Group::p384:
    case Group::p521: return &kNistCurves;
    case Group::modp2048:
    case Group::modp3072:
    case Group::modp4096: return &kModularGroups;
    case Group::mlkem512:
    case Group::mlkem768:
    case Group::mlkem1024: return module_lattice_kems();
    }
    return nullptr;
}

}  // namespace

std::string_view name(KeyExchangeError reason) {
    switch (reason) {
    case KeyExchangeError::wrong_length: return "wrong-length";
    case KeyExchangeError::not_on_curve: return "not-on-curve";
    case KeyExchangeError::out_of_range: return "out-of-range";
    case KeyExchangeError::zero_result:  return "zero-result";
    }
    return "unknown";
}

bool is_supported(Group group) { return kind_of(group) != nullptr; }

DhKeyPair::DhKeyPair(Group group, Secret private_key, Bytes public_value) : group_{group}, private_{std::move(private_key)}, public_{std::move(public_value)} {}

Secret DhKeyPair::draw(Group group, Random& random) {
    const GroupKind* kind = kind_of(group);
    assert(kind != nullptr);  // offers and answers hold supported groups only
    return kind->draw(group, random);
}

DhKeyPair DhKeyPair::generate(Group group, Random& random) {
    Secret private_key = draw(group, random);
    Bytes public_value = kind_of(group)->public_value(group, private_key.view());
    return {group, std::move(private_key), std::move(public_value)};
}

std::optional<DhKeyPair> DhKeyPair::from_private(Group group, ByteView private_key) {
    const GroupKind* kind = kind_of(group);
    if (!kind || !kind->admits(group, private_key)) return std::nullopt;
    return DhKeyPair{group, Secret{private_key}, kind->public_value(group, private_key)};
}

std::expected<Secret, KeyExchangeError> DhKeyPair::shared_secret(ByteView peer_public_value) const {
    return kind_of(group_)->agree(group_, private_.view(), public_, peer_public_value);
}

std::expected<KeyExchangeAnswer, KeyExchangeError> answer_key_exchange(Group group, ByteView drawn, ByteView peer_public_value) {
    if (const auto encapsulate = kind_of(group)->encapsulate) return encapsulate(group, drawn, peer_public_value);
    const DhKeyPair key = DhKeyPair::from_private(group, drawn).value();
    auto secret = key.shared_secret(peer_public_value);
    if (!secret) return std::unexpected{secret.error()};
    return KeyExchangeAnswer{key.public_value(), std::move(*secret)};
}

}  // namespace nave::ike
