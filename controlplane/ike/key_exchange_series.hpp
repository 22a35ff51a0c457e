// The key exchanges that make one SA: the one of CREATE_CHILD_SA, and those in IKE_FOLLOWUP_KE behind it (RFC 9370 §2.2.4).
#pragma once

#include "common/bytes.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/proposal.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace nave::ike {

/// A value; by the roles of the exchange that began it. Without `left`, all secrets are there.
struct KeyExchangeSeries {
    std::vector<Group> left{};  // to be made, in order
    Bytes link{};             // by which the responder knows the next one: ADDITIONAL_KEY_EXCHANGE
    Bytes initiator_nonce, responder_nonce;
    Secret shared_secret{};   // SK(0); empty without a key exchange
    Secret additional{};      // SK(1) | SK(2) ...

    /// The first of those that are left is made.
    void add(const Secret& secret) {
        Secret joined{additional.size() + secret.size()};
        std::ranges::copy(additional.view(), joined.writable().begin());
        std::ranges::copy(secret.view(), joined.writable().begin() + static_cast<std::ptrdiff_t>(additional.size()));
        additional = std::move(joined);
        left.erase(left.begin());
    }
};

}  // namespace nave::ike
