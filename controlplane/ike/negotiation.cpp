// Suites to transforms and back: offers, choices, answers.
#include "controlplane/ike/negotiation.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace nave::ike {

namespace {

using Transforms = std::vector<Transform>;

Transform encryption_transform(IkeEncryption encryption) {
    switch (encryption) {
    case IkeEncryption::aes_gcm_128: return {TransformType::encryption, transform_id::kAesGcm16, 128};
    case IkeEncryption::aes_gcm_256: return {TransformType::encryption, transform_id::kAesGcm16, 256};
    case IkeEncryption::chacha20_poly1305: return {TransformType::encryption, transform_id::kChaCha20Poly1305};
    case IkeEncryption::aes_cbc_128: return {TransformType::encryption, transform_id::kAesCbc, 128};
    case IkeEncryption::aes_cbc_256: return {TransformType::encryption, transform_id::kAesCbc, 256};
    }
    return {};
}

Transform encryption_transform(EspAlgorithm algorithm) {
    switch (algorithm) {
    case EspAlgorithm::aes_gcm_128:       return {TransformType::encryption, transform_id::kAesGcm16, 128};
    case EspAlgorithm::aes_gcm_256:       return {TransformType::encryption, transform_id::kAesGcm16, 256};
    case EspAlgorithm::chacha20_poly1305: return {TransformType::encryption, transform_id::kChaCha20Poly1305};
    case EspAlgorithm::aes_cbc_128_sha256:
    case EspAlgorithm::aes_cbc_128_sha384:
    case EspAlgorithm::aes_cbc_128_sha512: return {TransformType::encryption, transform_id::kAesCbc, 128};
    case EspAlgorithm::aes_cbc_256_sha256:
    case EspAlgorithm::aes_cbc_256_sha384:
    case EspAlgorithm::aes_cbc_256_sha512: return {TransformType::encryption, transform_id::kAesCbc, 256};
    case EspAlgorithm::null_sha256:
    case EspAlgorithm::null_sha384:
    case EspAlgorithm::null_sha512:        return {TransformType::encryption, transform_id::kNull};
    case EspAlgorithm::aes_gmac_128:       return {TransformType::encryption, transform_id::kAesGmac, 128};
    case EspAlgorithm::aes_gmac_256:       return {TransformType::encryption, transform_id::kAesGmac, 256};
    }
    return {};
}

std::uint16_t prf_id(Prf prf) {
    switch (prf) {
    case Prf::hmac_sha256: return transform_id::kPrfHmacSha256;
    case Prf::hmac_sha384: return transform_id::kPrfHmacSha384;
    case Prf::hmac_sha512: return transform_id::kPrfHmacSha512;
    }
    return 0;
}

std::uint16_t integrity_id(Integrity integrity) {
    switch (integrity) {
    case Integrity::none:            return transform_id::kIntegrityNone;
    case Integrity::hmac_sha256_128: return transform_id::kHmacSha256_128;
    case Integrity::hmac_sha384_192: return transform_id::kHmacSha384_192;
    case Integrity::hmac_sha512_256: return transform_id::kHmacSha512_256;
    }
    return 0;
}

Transform key_exchange_transform(Group group) { return {TransformType::key_exchange, std::to_underlying(group)}; }

void append_additional(Transforms& transforms, const AdditionalGroups& additional) {
    auto type = std::to_underlying(TransformType::additional_key_exchange_1);
    for (const auto& group : additional) {
        if (group) transforms.push_back({TransformType{type}, std::to_underlying(*group)});
        ++type;
    }
}

/// One transform per type, sorted by type.
Transforms transforms_of(const IkeProposal& suite) {
    Transforms transforms{encryption_transform(suite.encryption), {TransformType::prf, prf_id(suite.prf)}};
    if (suite.integrity != Integrity::none) transforms.push_back({TransformType::integrity, integrity_id(suite.integrity)});
    transforms.push_back(key_exchange_transform(suite.group));
    append_additional(transforms, suite.additional);
    return transforms;
}

Transforms transforms_of(const EspProposal& suite) {
    Transforms transforms{encryption_transform(suite.algorithm)};
    if (const Integrity integrity = integrity_of(suite.algorithm); integrity != Integrity::none)
        transforms.push_back({TransformType::integrity, integrity_id(integrity)});
    if (suite.group) transforms.push_back(key_exchange_transform(*suite.group));
    transforms.push_back({TransformType::extended_sequence_numbers, suite.esn ? transform_id::kEsnYes : transform_id::kEsnNo});
    append_additional(transforms, suite.additional);
    return transforms;
}

/// Those of one type; the list is sorted by type.
std::span<const Transform> only(const Transforms& transforms, TransformType type) { return std::ranges::equal_range(transforms, type, {}, &Transform::type); }

constexpr std::array kTypes{TransformType{1}, TransformType{2}, TransformType{3}, TransformType{4},  TransformType{5},  TransformType{6},
                            TransformType{7}, TransformType{8}, TransformType{9}, TransformType{10}, TransformType{11}, TransformType{12}};

/// Adds b's suites to a if both together still are a full product: they differ in one type, which both have.
bool merge(Transforms& a, const Transforms& b) {
    std::optional<TransformType> differing;
    for (const TransformType type : kTypes) {
        const auto in_a = only(a, type), in_b = only(b, type);
        if (std::ranges::equal(in_a, in_b)) continue;
        if (differing || in_a.empty() || in_b.empty()) return false;
        differing = type;
    }
    if (!differing) return true;  // the same suite twice
    for (const Transform& transform : only(b, *differing)) {
        if (std::ranges::find(a, transform) == a.end()) a.insert(std::ranges::upper_bound(a, *differing, {}, &Transform::type), transform);
    }
    return true;
}

/// Merges until nothing more can be; keeps the order of preference within each type.
std::vector<Transforms> merged(std::vector<Transforms> lists) {
    for (bool changed = true; std::exchange(changed, false);)
        for (std::size_t i = 0; i < lists.size(); ++i)
            for (std::size_t j = i + 1; j < lists.size();) {
                if (!merge(lists[i], lists[j])) {
                    ++j;
                    continue;
                }
                lists.erase(lists.begin() + static_cast<std::ptrdiff_t>(j));
                changed = true;
            }
    return lists;
}

Bytes encode_spi(std::uint64_t spi, std::size_t size) {
    Bytes bytes;
    for (std::size_t i = size; i-- > 0;) bytes.push_back(static_cast<std::uint8_t>(spi >> (8 * i)));
    return bytes;
}
Bytes ike_spi(std::uint64_t spi) { return spi == 0 ? Bytes{} : encode_spi(spi, 8); }

std::uint64_t decode_spi(const Bytes& bytes) {
    std::uint64_t spi = 0;
    for (const std::uint8_t byte : bytes) spi = spi << 8 | byte;
    return spi;
}

SaPayload numbered(std::vector<Transforms> lists, Protocol protocol, const Bytes& spi) {
    SaPayload sa;
    for (Transforms& transforms : lists) {
        if (sa.proposals.size() == SaPayload::kProposalsMax) break;
        sa.proposals.push_back({static_cast<std::uint8_t>(sa.proposals.size() + 1), protocol, spi, std::move(transforms)});
    }
    return sa;
}

}  // namespace

SaPayload offer_ike(std::span<const IkeProposal> suites, std::uint64_t spi) {
    std::vector<Transforms> lists;
    for (const IkeProposal& suite : suites) lists.push_back(transforms_of(suite));
    return numbered(merged(std::move(lists)), Protocol::ike, ike_spi(spi));
}

SaPayload offer_esp(std::span<const EspProposal> suites, Spi spi, ChildExchange exchange) {
    std::vector<Transforms> lists;
    for (EspProposal suite : suites) {
        if (exchange == ChildExchange::ike_auth) suite.group.reset(), suite.additional = {};
        lists.push_back(transforms_of(suite));
    }
    return numbered(merged(std::move(lists)), Protocol::esp, encode_spi(spi.value, 4));
}

namespace {

bool is_key_exchange(TransformType type) { return type == TransformType::key_exchange || is_additional(type); }

/// May a proposal have transforms of this type that the suite does not use? "None" may be offered for what is optional (§3.3.3).
bool is_optional(const Proposal& proposal, TransformType type, bool ignore_key_exchange) {
    if (is_key_exchange(type) && ignore_key_exchange) return true;
    const bool has_none = std::ranges::any_of(proposal.transforms, [type](const Transform& t) { return t.type == type && t.id == 0 && !t.unknown_attribute; });
    return has_none && (type == TransformType::integrity || is_key_exchange(type));
}

/// The additional key exchanges of the proposal that stay out, each of which the answer names (RFC 9370 §2.2.1).
std::vector<TransformType> declined_of(const Proposal& proposal, const Transforms& suite) {
    std::vector<TransformType> declined;
    const auto has = [](const Transforms& transforms, TransformType type) { return std::ranges::find(transforms, type, &Transform::type) != transforms.end(); };
    for (const TransformType type : kTypes)
        if (is_additional(type) && !has(suite, type) && has(proposal.transforms, type)) declined.push_back(type);
    return declined;
}

Transforms with_declined(Transforms transforms, const std::vector<TransformType>& declined) {
    for (const TransformType type : declined) transforms.insert(std::ranges::upper_bound(transforms, type, {}, &Transform::type), {type, transform_id::kKeyExchangeNone});
    return transforms;
}

/// RFC 7296 §3.3.6: all transforms of the suite are offered, and every type that is offered is one of the suite's.
bool holds(const Proposal& proposal, const Transforms& suite, bool ignore_key_exchange) {
    const bool all_offered = std::ranges::all_of(suite, [&](const Transform& wanted) { return std::ranges::find(proposal.transforms, wanted) != proposal.transforms.end(); });
    return all_offered && std::ranges::all_of(proposal.transforms, [&](const Transform& offered) {
        return std::ranges::find(suite, offered.type, &Transform::type) != suite.end() || is_optional(proposal, offered.type, ignore_key_exchange);
    });
}

bool is_ike(const Proposal& proposal, bool rekey) {
    if (proposal.protocol != Protocol::ike) return false;
    return rekey ? proposal.spi.size() == 8 && decode_spi(proposal.spi) != 0 : proposal.spi.empty();
}
/// RFC 4303 §2.1: SPI 0 is never on the wire, 1 to 255 are reserved.
bool is_esp(const Proposal& proposal) { return proposal.protocol == Protocol::esp && proposal.spi.size() == 4 && decode_spi(proposal.spi) > 255; }

template <class Accepts>
const Proposal* first_holding(const SaPayload& offer, const Transforms& suite, bool ignore_key_exchange, Accepts accepts) {
    for (const Proposal& proposal : offer.proposals)
        if (accepts(proposal) && holds(proposal, suite, ignore_key_exchange)) return &proposal;
    return nullptr;
}

}  // namespace

std::vector<IkeProposal> usable_suites(std::span<const IkeProposal> suites, bool knows_intermediate) {
    std::vector<IkeProposal> usable{suites.begin(), suites.end()};
    if (!knows_intermediate) std::erase_if(usable, [](const IkeProposal& suite) { return has_any(suite.additional); });
    return usable;
}

std::optional<IkeChoice> choose_ike(const SaPayload& offer, std::span<const IkeProposal> suites, std::optional<Group> key_exchange, bool rekey) {
    std::optional<IkeChoice> best;
    for (const IkeProposal& suite : suites) {
        const Transforms transforms = transforms_of(suite);
        const Proposal* proposal = first_holding(offer, transforms, false, [rekey](const Proposal& p) { return is_ike(p, rekey); });
        if (!proposal) continue;
        const IkeChoice choice{suite, proposal->number, decode_spi(proposal->spi), declined_of(*proposal, transforms)};
        if (!best) best = choice;
        // A group that the peer has sent its value for saves a round trip with INVALID_KE_PAYLOAD; all else stays as good.
        IkeProposal with_best_group = suite;
        with_best_group.group = best->suite.group;
        if (with_best_group == best->suite && key_exchange == suite.group) return choice;
    }
    return best;
}

std::optional<EspChoice> choose_esp(const SaPayload& offer, std::span<const EspProposal> suites, std::optional<Group> key_exchange, ChildExchange exchange) {
    const bool first_child = exchange == ChildExchange::ike_auth;
    std::optional<EspChoice> best;
    for (EspProposal suite : suites) {
        if (first_child) suite.group.reset(), suite.additional = {};
        const Transforms transforms = transforms_of(suite);
        const Proposal* proposal = first_holding(offer, transforms, first_child, is_esp);
        if (!proposal) continue;
        const auto spi = Spi{static_cast<std::uint32_t>(decode_spi(proposal->spi))};
        const EspChoice choice{suite, proposal->number, spi, first_child ? std::vector<TransformType>{} : declined_of(*proposal, transforms)};
        if (!best) best = choice;
        const bool only_group_differs = suite.algorithm == best->suite.algorithm && suite.esn == best->suite.esn && suite.additional == best->suite.additional;
        if (only_group_differs && suite.group && best->suite.group && key_exchange == suite.group) return choice;
    }
    return best;
}

SaPayload answer_ike(const IkeChoice& choice, std::uint64_t spi) {
    return {{Proposal{choice.number, Protocol::ike, ike_spi(spi), with_declined(transforms_of(choice.suite), choice.declined)}}};
}

SaPayload answer_esp(const EspChoice& choice, Spi spi) {
    return {{Proposal{choice.number, Protocol::esp, encode_spi(spi.value, 4), with_declined(transforms_of(choice.suite), choice.declined)}}};
}

namespace {

/// RFC 7296 §2.7: the responder picks one proposal and in it exactly one transform of each type.
bool is_one_choice(const SaPayload& answer) {
    return answer.proposals.size() == 1 && std::ranges::all_of(kTypes, [&](TransformType type) {
        return std::ranges::count(answer.proposals.front().transforms, type, &Transform::type) <= 1;
    });
}

}  // namespace

std::optional<IkeChoice> accept_ike(const SaPayload& answer, std::span<const IkeProposal> offered, bool rekey) {
    if (!is_one_choice(answer)) return std::nullopt;
    return choose_ike(answer, offered, std::nullopt, rekey);
}

std::optional<EspChoice> accept_esp(const SaPayload& answer, std::span<const EspProposal> offered, ChildExchange exchange) {
    if (!is_one_choice(answer)) return std::nullopt;
    return choose_esp(answer, offered, std::nullopt, exchange);
}

}  // namespace nave::ike
