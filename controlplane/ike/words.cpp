// Names of transforms, also of old ones that peers still offer.
#include "controlplane/ike/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>
#include <vector>

namespace nave::ike {
namespace {

constexpr std::size_t kProposalsInWords = 6;

struct NamedId {
    std::uint16_t id;
    std::string_view name;
};

template <std::size_t N>
std::string lookup(const NamedId (&names)[N], std::string_view kind, std::uint16_t id) {
    for (const NamedId& entry : names)
        if (entry.id == id) return std::string{entry.name};
    return fmt::format("{}-{}", kind, id);
}

constexpr NamedId kCiphers[] = {{3, "3des"},       {11, "null"},       {12, "aes-cbc"}, {13, "aes-ctr"},          {14, "aes-ccm-8"},
                                {16, "aes-ccm-16"}, {18, "aes-gcm-8"}, {20, "aes-gcm"}, {21, "aes-gmac"}, {28, "chacha20-poly1305"}};
constexpr NamedId kPrfs[] = {{1, "prf-md5"}, {2, "prf-sha1"}, {4, "prf-aes-xcbc"}, {5, "prf-sha256"}, {6, "prf-sha384"}, {7, "prf-sha512"}, {8, "prf-aes-cmac"}};
constexpr NamedId kChecksums[] = {{0, "no-integrity"}, {1, "md5"}, {2, "sha1"}, {5, "aes-xcbc"}, {8, "aes-cmac"}, {12, "sha256"}, {13, "sha384"}, {14, "sha512"}};
constexpr NamedId kGroups[] = {{0, "no-group"},  {1, "modp768"},       {2, "modp1024"},      {5, "modp1536"}, {14, "modp2048"},
                               {15, "modp3072"}, {16, "modp4096"},     {18, "modp8192"},     {19, "p256"},    {20, "p384"},
                               {21, "p521"},     {22, "modp1024s160"}, {24, "modp2048s256"}, {31, "x25519"},  {32, "x448"},
                               {35, "mlkem512"}, {36, "mlkem768"},     {37, "mlkem1024"}};

std::string describe(const Transform& transform) {
    switch (transform.type) {
    case TransformType::encryption: {
        const std::string cipher = lookup(kCiphers, "cipher", transform.id);
        return transform.key_length ? fmt::format("{}-{}", cipher, *transform.key_length) : cipher;
    }
    case TransformType::prf: return lookup(kPrfs, "prf", transform.id);
    case TransformType::integrity: return lookup(kChecksums, "integrity", transform.id);
    case TransformType::key_exchange: return lookup(kGroups, "group", transform.id);
    case TransformType::extended_sequence_numbers: return transform.id == 0 ? "no-esn" : "esn";
    case TransformType::additional_key_exchange_1:
    case TransformType::additional_key_exchange_7: break;
    }
    if (is_additional(transform.type))
        return fmt::format("ke{}-{}", 1 + std::to_underlying(transform.type) - std::to_underlying(TransformType::additional_key_exchange_1),
                           lookup(kGroups, "group", transform.id));
    return fmt::format("transform-{}-{}", static_cast<unsigned>(transform.type), transform.id);
}

/// Transforms of one type joined by "|", types by "/".
std::string describe(const Proposal& proposal) {
    std::string text;
    for (std::size_t i = 0; i < proposal.transforms.size(); ++i) {
        if (i > 0) text += proposal.transforms[i].type == proposal.transforms[i - 1].type ? '|' : '/';
        text += describe(proposal.transforms[i]);
    }
    return text.empty() ? "nothing" : text;
}

template <class Suite>
std::string join_suites(std::span<const Suite> suites) {
    std::vector<std::string> texts;
    for (const Suite& suite : suites) texts.push_back(to_string(suite));
    return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

std::string describe_offer(const SaPayload& offer) {
    std::vector<std::string> texts;
    for (const Proposal& proposal : offer.proposals) {
        if (texts.size() == kProposalsInWords) {
            texts.emplace_back("...");
            break;
        }
        texts.push_back(describe(proposal));
    }
    return texts.empty() ? "nothing" : fmt::format("{}", fmt::join(texts, ", "));
}

std::string describe_suites(std::span<const IkeProposal> suites) { return join_suites(suites); }
std::string describe_suites(std::span<const EspProposal> suites) { return join_suites(suites); }

std::string advice(NotifyType type) {
    switch (type) {
    case NotifyType::authentication_failed: return "the peer rejects our identity or pre-shared key, or our certificate; compare both ends, the peer's log says which";
    case NotifyType::no_proposal_chosen: return "the peer accepts none of our proposals, or knows no configuration for us; compare the proposals of both ends";
    case NotifyType::ts_unacceptable: return "the peer does not want to protect GRE between these two addresses; look at its traffic selectors";
    case NotifyType::no_additional_sas: return "the peer has reached its limit of SAs";
    case NotifyType::invalid_syntax: return "the peer could not read our message";
    case NotifyType::temporary_failure: return "the peer is busy with another exchange; we try again";
    default: return "the peer answered " + to_string(type);
    }
}

}  // namespace nave::ike
