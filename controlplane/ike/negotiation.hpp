// Between suites (proposal.hpp) and SA payloads: what to offer, what to choose of an offer, whether an answer is ours (RFC 7296 §2.7, RFC 9370 §2.2.1).
#pragma once

#include "common/ids.hpp"
#include "controlplane/ike/proposal.hpp"
#include "controlplane/ike/sa_payload.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace nave::ike {

/// The first child SA takes its keys from the IKE SA: in IKE_AUTH no key exchange is offered, and an offered one is ignored.
enum class ChildExchange : std::uint8_t { ike_auth, create_child_sa };

struct IkeChoice {
    IkeProposal suite{};
    std::uint8_t number = 1;  // of the offered proposal
    std::uint64_t spi = 0;    // the other end's new SPI when an IKE SA is rekeyed, else 0
    std::vector<TransformType> declined{};  // additional key exchanges that the offer has and the suite does without
};
struct EspChoice {
    EspProposal suite{};      // suite.group is what is to be done now: nothing in IKE_AUTH, or without PFS
    std::uint8_t number = 1;
    Spi spi{};                // on which the other end receives
    std::vector<TransformType> declined{};
};

/// Merges suites that differ in one transform, so that the offer stays small; it stands for exactly these suites.
/// `spi` is our new SPI when an IKE SA is rekeyed, 0 in IKE_SA_INIT (then no SPI is sent).
SaPayload offer_ike(std::span<const IkeProposal> suites, std::uint64_t spi);
/// In CREATE_CHILD_SA, a suite without group offers no key exchange.
SaPayload offer_esp(std::span<const EspProposal> suites, Spi spi, ChildExchange exchange);

/// The suites that can be agreed upon in IKE_SA_INIT: those with additional key exchanges only if the peer says that it knows
/// IKE_INTERMEDIATE, in which they are made (RFC 9370 §2.2.1).
std::vector<IkeProposal> usable_suites(std::span<const IkeProposal> suites, bool knows_intermediate);

/// The first of our suites (in our order) that the offer contains; of those that differ from it only in the group, the one for which
/// the peer already sent its key exchange. Nothing: NO_PROPOSAL_CHOSEN. `rekey`: the proposal must carry an 8-byte SPI, else none.
std::optional<IkeChoice> choose_ike(const SaPayload& offer, std::span<const IkeProposal> suites, std::optional<Group> key_exchange, bool rekey);
std::optional<EspChoice> choose_esp(const SaPayload& offer, std::span<const EspProposal> suites, std::optional<Group> key_exchange, ChildExchange exchange);

/// The responder's SA payload; `spi` is ours.
SaPayload answer_ike(const IkeChoice& choice, std::uint64_t spi);
SaPayload answer_esp(const EspChoice& choice, Spi spi);

/// What the responder chose, if it is one proposal with one transform per type and one of the suites that we offered.
std::optional<IkeChoice> accept_ike(const SaPayload& answer, std::span<const IkeProposal> offered, bool rekey);
std::optional<EspChoice> accept_esp(const SaPayload& answer, std::span<const EspProposal> offered, ChildExchange exchange);

}  // namespace nave::ike
