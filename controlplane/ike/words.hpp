// Offers and refusals in an operator's words: "peer offered aes-cbc-256/sha1/modp1024; we accept ...".
#pragma once

#include "controlplane/ike/notify.hpp"
#include "controlplane/ike/proposal.hpp"
#include "controlplane/ike/sa_payload.hpp"

#include <span>
#include <string>

namespace nave::ike {

/// Every proposal of an SA payload with the common names of its transforms, also of those that we do not implement.
std::string describe_offer(const SaPayload& offer);
std::string describe_suites(std::span<const IkeProposal> suites);
std::string describe_suites(std::span<const EspProposal> suites);
/// What an error notification most likely means, and what to look at.
std::string advice(NotifyType type);

}  // namespace nave::ike
