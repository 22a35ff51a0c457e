// Suites as text, and the ones that we propose when nobody says otherwise.
#include "controlplane/ike/proposal.hpp"

#include "controlplane/ike/key_exchange.hpp"

#include <algorithm>
#include <array>

namespace nave::ike {

namespace {

/// Fast and strong ones first, then one for peers without elliptic curves: modp3072 is as strong as p256 or AES-128 and takes no longer than
/// p384. Of the others modp2048 is weaker than all else that we offer, and p521, x448 and modp4096 cost much more without making the whole
/// suite stronger: they serve who configures them.
constexpr std::array kDefaultGroups{Group::x25519, Group::p384, Group::p256, Group::modp3072};

template <class T>
struct Named {
    std::string_view text;
    T value;
};

constexpr std::array kEncryptions{
    Named<IkeEncryption>{"aes-gcm-128", IkeEncryption::aes_gcm_128}, Named<IkeEncryption>{"aes-gcm-256", IkeEncryption::aes_gcm_256},
    Named<IkeEncryption>{"chacha20-poly1305", IkeEncryption::chacha20_poly1305},
    Named<IkeEncryption>{"aes-cbc-128", IkeEncryption::aes_cbc_128}, Named<IkeEncryption>{"aes-cbc-256", IkeEncryption::aes_cbc_256}};
constexpr std::array kIntegrities{Named<Integrity>{"sha256", Integrity::hmac_sha256_128}, Named<Integrity>{"sha384", Integrity::hmac_sha384_192},
                                  Named<Integrity>{"sha512", Integrity::hmac_sha512_256}};
constexpr std::array kPrfs{Named<Prf>{"prf-sha256", Prf::hmac_sha256}, Named<Prf>{"prf-sha384", Prf::hmac_sha384}, Named<Prf>{"prf-sha512", Prf::hmac_sha512}};
constexpr std::array kGroups{Named<Group>{"x25519", Group::x25519},     Named<Group>{"x448", Group::x448},         Named<Group>{"p256", Group::p256},
                             Named<Group>{"p384", Group::p384},         Named<Group>{"p521", Group::p521},         Named<Group>{"modp2048", Group::modp2048},
                             Named<Group>{"modp3072", Group::modp3072}, Named<Group>{"modp4096", Group::modp4096}, Named<Group>{"mlkem512", Group::mlkem512},
                             Named<Group>{"mlkem768", Group::mlkem768}, Named<Group>{"mlkem1024", Group::mlkem1024}};
enum class EspCipher : std::uint8_t { aes_gcm_128, aes_gcm_256, chacha20_poly1305, aes_cbc_128, aes_cbc_256, null, aes_gmac_128, aes_gmac_256 };
constexpr std::array kEspCiphers{Named<EspCipher>{"aes-gcm-128", EspCipher::aes_gcm_128}, Named<EspCipher>{"aes-gcm-256", EspCipher::aes_gcm_256},
                                 Named<EspCipher>{"chacha20-poly1305", EspCipher::chacha20_poly1305},
                                 Named<EspCipher>{"aes-cbc-128", EspCipher::aes_cbc_128}, Named<EspCipher>{"aes-cbc-256", EspCipher::aes_cbc_256},
                                 Named<EspCipher>{"null", EspCipher::null},
                                 Named<EspCipher>{"aes-gmac-128", EspCipher::aes_gmac_128}, Named<EspCipher>{"aes-gmac-256", EspCipher::aes_gmac_256}};
/// The words of each ESP suite. As in IKE's, an AEAD has no integrity algorithm and everything else needs one, the null cipher above all
/// (RFC 8221 §4).
struct EspWords {
    EspAlgorithm algorithm;
    EspCipher cipher;
    Integrity integrity = Integrity::none;
};
constexpr std::array kEspAlgorithms{
    EspWords{EspAlgorithm::aes_gcm_128, EspCipher::aes_gcm_128},
    EspWords{EspAlgorithm::aes_gcm_256, EspCipher::aes_gcm_256},
    EspWords{EspAlgorithm::chacha20_poly1305, EspCipher::chacha20_poly1305},
    EspWords{EspAlgorithm::aes_cbc_128_sha256, EspCipher::aes_cbc_128, Integrity::hmac_sha256_128},
    EspWords{EspAlgorithm::aes_cbc_128_sha384, EspCipher::aes_cbc_128, Integrity::hmac_sha384_192},
    EspWords{EspAlgorithm::aes_cbc_128_sha512, EspCipher::aes_cbc_128, Integrity::hmac_sha512_256},
    EspWords{EspAlgorithm::aes_cbc_256_sha256, EspCipher::aes_cbc_256, Integrity::hmac_sha256_128},
    EspWords{EspAlgorithm::aes_cbc_256_sha384, EspCipher::aes_cbc_256, Integrity::hmac_sha384_192},
    EspWords{EspAlgorithm::aes_cbc_256_sha512, EspCipher::aes_cbc_256, Integrity::hmac_sha512_256},
    EspWords{EspAlgorithm::null_sha256, EspCipher::null, Integrity::hmac_sha256_128},
    EspWords{EspAlgorithm::null_sha384, EspCipher::null, Integrity::hmac_sha384_192},
    EspWords{EspAlgorithm::null_sha512, EspCipher::null, Integrity::hmac_sha512_256},
    EspWords{EspAlgorithm::aes_gmac_128, EspCipher::aes_gmac_128},
    EspWords{EspAlgorithm::aes_gmac_256, EspCipher::aes_gmac_256}};
constexpr std::array kEsn{Named<bool>{"esn", true}, Named<bool>{"no-esn", false}};

template <class T, std::size_t N>
std::string_view text_of(const std::array<Named<T>, N>& table, T value) {
    for (const auto& entry : table)
        if (entry.value == value) return entry.text;
    return {};
}

/// Stores what the word names if this table knows it. A word of a kind that was given already is not taken.
template <class T, std::size_t N>
bool take(const std::array<Named<T>, N>& table, std::string_view word, std::optional<T>& into) {
    for (const auto& entry : table) {
        if (entry.text != word || into) continue;
        into = entry.value;
        return true;
    }
    return false;
}

/// The same for a word such as "ke1-p384".
bool take(std::string_view word, AdditionalGroups& into) {
    constexpr std::string_view kPrefix = "ke1-";
    if (word.size() < kPrefix.size() || !word.starts_with("ke") || word[3] != '-' || word[2] < '1' || word[2] > '7') return false;
    return take(kGroups, word.substr(kPrefix.size()), into[static_cast<std::size_t>(word[2] - '1')]);
}

/// Whether these exchanges can be made together: each known to the library at hand, none twice.
bool fit_together(std::optional<Group> first, const AdditionalGroups& additional) {
    std::vector<Group> all = in_order(additional);
    if (!all.empty() && !first) return false;
    if (first && is_kem(*first)) return false;
    if (first) all.push_back(*first);
    std::ranges::sort(all);
    return std::ranges::adjacent_find(all) == all.end() && std::ranges::all_of(all, is_supported);
}

void append_additional(std::string& text, const AdditionalGroups& additional) {
    for (std::size_t i = 0; i < additional.size(); ++i)
        if (additional[i]) text.append("/ke").append(std::to_string(i + 1)).append("-").append(name(*additional[i]));
}

/// Calls `take_word` for each word between slashes until one is refused.
template <class TakeWord>
bool every_word(std::string_view text, TakeWord take_word) {
    while (true) {
        const std::size_t slash = text.find('/');
        if (!take_word(text.substr(0, slash))) return false;
        if (slash == std::string_view::npos) return true;
        text.remove_prefix(slash + 1);
    }
}

const EspWords& words_of(EspAlgorithm algorithm) { return *std::ranges::find(kEspAlgorithms, algorithm, &EspWords::algorithm); }

bool is_cbc(IkeEncryption encryption) { return encryption == IkeEncryption::aes_cbc_128 || encryption == IkeEncryption::aes_cbc_256; }

}  // namespace

Integrity integrity_of(EspAlgorithm algorithm) { return words_of(algorithm).integrity; }

std::string name(Group group) {
    const std::string_view known = text_of(kGroups, group);
    return known.empty() ? "group-" + std::to_string(static_cast<unsigned>(group)) : std::string{known};
}

std::vector<Group> in_order(const AdditionalGroups& groups) {
    std::vector<Group> made;
    for (const auto& group : groups)
        if (group) made.push_back(*group);
    return made;
}

std::optional<IkeProposal> parse_ike_proposal(std::string_view text) {
    std::optional<IkeEncryption> encryption;
    std::optional<Integrity> integrity;
    std::optional<Prf> prf;
    std::optional<Group> group;
    AdditionalGroups additional;
    const bool known = every_word(text, [&](std::string_view word) {
        return take(kEncryptions, word, encryption) || take(kIntegrities, word, integrity) || take(kPrfs, word, prf) || take(kGroups, word, group) || take(word, additional);
    });
    if (!known || !encryption || !prf || !group || is_cbc(*encryption) != integrity.has_value() || !fit_together(group, additional)) return std::nullopt;
    return IkeProposal{*encryption, integrity.value_or(Integrity::none), *prf, *group, additional};
}

std::optional<EspProposal> parse_esp_proposal(std::string_view text) {
    std::optional<EspCipher> cipher;
    std::optional<Integrity> integrity;
    std::optional<bool> esn;
    std::optional<Group> group;
    AdditionalGroups additional;
    const bool known = every_word(text, [&](std::string_view word) {
        return take(kEspCiphers, word, cipher) || take(kIntegrities, word, integrity) || take(kEsn, word, esn) || take(kGroups, word, group) || take(word, additional);
    });
    const auto suite = std::ranges::find_if(kEspAlgorithms, [&](const EspWords& words) {
        return words.cipher == cipher && words.integrity == integrity.value_or(Integrity::none);
    });
    if (!known || suite == kEspAlgorithms.end() || !fit_together(group, additional)) return std::nullopt;
    return EspProposal{suite->algorithm, esn.value_or(true), group, additional};
}

std::string to_string(const IkeProposal& proposal) {
    std::string text{text_of(kEncryptions, proposal.encryption)};
    if (proposal.integrity != Integrity::none) text.append("/").append(text_of(kIntegrities, proposal.integrity));
    text.append("/").append(text_of(kPrfs, proposal.prf)).append("/").append(name(proposal.group));
    append_additional(text, proposal.additional);
    return text;
}

std::string to_string(const EspProposal& proposal) {
    const EspWords& words = words_of(proposal.algorithm);
    std::string text{text_of(kEspCiphers, words.cipher)};
    if (words.integrity != Integrity::none) text.append("/").append(text_of(kIntegrities, words.integrity));
    text.append("/").append(text_of(kEsn, proposal.esn));
    if (proposal.group) text.append("/").append(name(*proposal.group));
    append_additional(text, proposal.additional);
    return text;
}

std::vector<IkeProposal> default_ike_proposals() {
    std::vector<IkeProposal> proposals;
    constexpr std::array kAeads{IkeEncryption::aes_gcm_256, IkeEncryption::aes_gcm_128, IkeEncryption::chacha20_poly1305};
    constexpr std::array kDefaultPrfs{Prf::hmac_sha384, Prf::hmac_sha256, Prf::hmac_sha512};
    if (is_supported(Group::mlkem768))
        for (const auto encryption : kAeads)
            for (const auto prf : kDefaultPrfs) proposals.push_back({encryption, Integrity::none, prf, Group::x25519, {Group::mlkem768}});
    for (const auto encryption : kAeads)
        for (const auto prf : kDefaultPrfs)
            for (const auto group : kDefaultGroups) proposals.push_back({encryption, Integrity::none, prf, group});
    // Peers that have only CBC use one hash for both purposes; all combinations would make the offer four times as long.
    constexpr std::array kHashes{std::pair{Integrity::hmac_sha256_128, Prf::hmac_sha256}, std::pair{Integrity::hmac_sha384_192, Prf::hmac_sha384},
                                 std::pair{Integrity::hmac_sha512_256, Prf::hmac_sha512}};
    for (const auto encryption : {IkeEncryption::aes_cbc_256, IkeEncryption::aes_cbc_128})
        for (const auto& [integrity, prf] : kHashes)
            for (const auto group : kDefaultGroups) proposals.push_back({encryption, integrity, prf, group});
    return proposals;
}

std::vector<EspProposal> default_esp_proposals() {
    std::vector<EspProposal> proposals;
    for (const auto algorithm : {EspAlgorithm::aes_gcm_256, EspAlgorithm::aes_gcm_128, EspAlgorithm::chacha20_poly1305})
        for (const bool esn : {true, false}) {
            for (const Group group : kDefaultGroups) proposals.push_back({algorithm, esn, group});
            proposals.push_back({algorithm, esn, std::nullopt});
        }
    return proposals;
}

}  // namespace nave::ike
