// What was asked by HTTP about certificates, and what came back: a bounded cache in which every question is asked once, and again before its answer ends.
#pragma once

#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/crypto_revocation.hpp"
#include "controlplane/ike/endpoint.hpp"

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nave::ike {

/// The machine's time, and the date.
struct Moment {
    TimePoint now;
    std::chrono::sys_seconds today;
};

/// One source, asked about a certificate whose chain is valid. A list is the same for all certificates of its issuer.
struct RevocationQuestion {
    Certificate subject, issuer;
    std::string url;
    bool by_list = false;
};

class RevocationDesk {
public:
    static constexpr std::size_t kListsMax = 64, kResponsesMax = 10'000, kAskedMax = 256;
    static constexpr Duration kRetryAfter = std::chrono::minutes{1}, kRenewAfterMax = std::chrono::hours{1}, kPatience = std::chrono::seconds{30};

    /// So much is under way that nobody was asked: there is neither an answer nor silence.
    struct Busy {};
    /// Which answer is on its way, to this question now or to the same one before. Nothing if the answer is there, be it silence within the last minute.
    std::expected<std::optional<FetchId>, Busy> ask(const RevocationQuestion& question, const Moment& moment, Outbox& out);

    /// What counts today and is about these certificates, or by their issuers. It was verified for one certificate; each chain verifies it anew.
    std::vector<RevocationList> lists(std::span<const CertificateId> certificates, std::chrono::sys_seconds today) const;
    std::vector<OcspEvidence> responses(std::span<const CertificateId> certificates, std::chrono::sys_seconds today) const;

    enum class Standing : std::uint8_t { unknown, good, revoked };
    /// What the answers that count today say of a certificate.
    Standing standing(const CertificateId& certificate, std::chrono::sys_seconds today) const;

    /// What an answer brought: in words if nothing, else what it revokes.
    struct News {
        std::string url;
        std::string failure{};
        std::optional<RevocationList> list{};
        KeyId issuer_key{};  // that has signed the list
        std::optional<CertificateId> revoked{};
        bool revokes(const CertificateId& certificate) const;
    };
    /// Nothing if nobody asked, or waited so long.
    std::optional<News> take(FetchId id, const std::expected<Bytes, std::string>& content, const Moment& moment);

    std::optional<TimePoint> next_deadline() const;
    /// Whom somebody still needs to hear about: by a certificate's name, or of a list by its issuer and that one's key alone.
    using IsWanted = std::function<bool(const CertificateId& subject, bool by_list)>;
    /// Asks again what is wanted, or revokes whom it was asked about, who might come back with an older answer; and forgets the rest. Gives what was never answered.
    std::vector<FetchId> on_deadline(const Moment& moment, const IsWanted& is_wanted, Outbox& out);

private:
    struct Entry {
        CertificateId subject;
        Certificate issuer;
        std::string url;
        std::optional<Certificate> by_list{};  // the certificate that a list was asked for; a response needs its name alone
        std::optional<RevocationList> list{};
        Bytes response{};
        std::chrono::sys_seconds until{};  // what it has counts
        std::chrono::sys_seconds since{};
        TimePoint due_at{};                // asked: given up; else: asked again
        std::optional<FetchId> asked{};
        bool has_failed = false;
        bool revoked = false;              // the subject, or whom a list was asked for
    };
    using Entries = std::map<Bytes, Entry>;

    bool make_room(bool by_list);
    /// The same certificate as of another entry if there is one: thousands of peers have one issuer, and each sends its own copy.
    Certificate shared_issuer(const RevocationQuestion& question) const;
    FetchId send(Entries::value_type& each, TimePoint now, Outbox& out);
    void settle(Entries::value_type& each, TimePoint due_at);
    void erase(Entries::iterator entry);
    /// Keeps what it proves, if that is no older than what is there and counts.
    std::expected<Verdict, std::string> accept(Entry& entry, const std::expected<Bytes, std::string>& content, std::chrono::sys_seconds today);

    Entries entries_;
    std::map<FetchId, Bytes> asked_;
    std::set<std::pair<TimePoint, Bytes>> due_;
    std::size_t lists_ = 0;
    std::uint64_t last_id_ = 0;
};

}  // namespace nave::ike
