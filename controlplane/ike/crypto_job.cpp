// Both halves of a responder's key exchange in one go.
#include "controlplane/ike/crypto_job.hpp"

namespace nave::ike {

void KeyResponse::compute() {
    const DhKeyPair key = DhKeyPair::from_private(group, private_key.view()).value();
    auto secret = key.shared_secret(peer_value);
    if (secret) result = Answer{key.public_value(), std::move(*secret)};
    else result = std::unexpected{secret.error()};
}

}  // namespace nave::ike
