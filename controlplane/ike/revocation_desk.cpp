// The cache of revocation lists and OCSP responses.
#include "controlplane/ike/revocation_desk.hpp"

#include <algorithm>

namespace nave::ike {
namespace {

constexpr Duration kRenewAfterMin = std::chrono::minutes{1};

/// All entries about a certificate, or all lists of its issuer, begin alike, and others do not: DER says itself where it ends, and keys are of one size.
Bytes prefix(const CertificateId& subject, bool by_list) {
    Bytes key{static_cast<std::uint8_t>(by_list)};
    key.insert(key.end(), subject.issuer.begin(), subject.issuer.end());
    key.insert(key.end(), subject.issuer_key.begin(), subject.issuer_key.end());
    if (!by_list) key.insert(key.end(), subject.serial.begin(), subject.serial.end());
    return key;
}

CertificateId id_of(const RevocationQuestion& question) { return question.subject.id_by(question.issuer); }

Bytes key_of(const RevocationQuestion& question) {
    Bytes key = prefix(id_of(question), question.by_list);
    key.insert(key.end(), question.url.begin(), question.url.end());
    return key;
}

bool begins_with(const Bytes& key, const Bytes& beginning) {
    return key.size() >= beginning.size() && std::equal(beginning.begin(), beginning.end(), key.begin());
}

/// Calls `look` with every entry whose key begins so.
template <class Entries, class Look>
void for_each_with(const Entries& entries, const Bytes& beginning, Look&& look) {
    for (auto it = entries.lower_bound(beginning); it != entries.end() && begins_with(it->first, beginning); ++it) look(it->second);
}

}  // namespace

std::expected<std::optional<FetchId>, RevocationDesk::Busy> RevocationDesk::ask(const RevocationQuestion& question, const Moment& moment, Outbox& out) {
    const Bytes key = key_of(question);
    const auto known = entries_.find(key);
    if (known != entries_.end()) {
        const Entry& entry = known->second;
        if (entry.until >= moment.today) return std::nullopt;
        if (entry.asked) return entry.asked;
        if (entry.has_failed && entry.due_at > moment.now) return std::nullopt;
    }
    if (asked_.size() >= kAskedMax || (known == entries_.end() && !make_room(question.by_list))) return std::unexpected{Busy{}};
    const auto [each, is_new] = entries_.try_emplace(key, Entry{.subject = id_of(question), .issuer = shared_issuer(question), .url = question.url});
    // Whoever asks last has a certificate that is valid, as is its issuer's, of which there may be another one with the same key.
    if (!is_new) each->second.issuer = shared_issuer(question);
    if (question.by_list) lists_ += is_new, each->second.by_list = question.subject;
    return send(*each, moment.now, out);
}

Certificate RevocationDesk::shared_issuer(const RevocationQuestion& question) const {
    Bytes beginning = prefix(id_of(question), true);
    beginning.front() = question.by_list;
    const auto other = entries_.lower_bound(beginning);
    const bool is_same = other != entries_.end() && other->second.issuer.der() == question.issuer.der();
    return is_same ? other->second.issuer : question.issuer;
}

bool RevocationDesk::make_room(bool by_list) {
    const std::size_t held = by_list ? lists_ : entries_.size() - lists_;
    if (held < (by_list ? kListsMax : kResponsesMax)) return true;
    // Whoever would be asked again soonest goes, unless the answer is on its way.
    for (const auto& [due_at, key] : due_) {
        const auto entry = entries_.find(key);
        if (entry->second.asked || entry->second.by_list.has_value() != by_list) continue;
        erase(entry);
        return true;
    }
    return false;
}

FetchId RevocationDesk::send(Entries::value_type& each, TimePoint now, Outbox& out) {
    auto& [key, entry] = each;
    entry.asked = FetchId{++last_id_};
    asked_.emplace(*entry.asked, key);
    out.push_back(FetchRevocation{*entry.asked, entry.url, entry.by_list ? Bytes{} : ocsp_request(entry.subject, entry.issuer)});
    settle(each, now + kPatience);
    return *entry.asked;
}

void RevocationDesk::settle(Entries::value_type& each, TimePoint due_at) {
    due_.erase({each.second.due_at, each.first});
    each.second.due_at = due_at;
    due_.emplace(due_at, each.first);
}

void RevocationDesk::erase(Entries::iterator entry) {
    if (entry->second.asked) asked_.erase(*entry->second.asked);
    due_.erase({entry->second.due_at, entry->first});
    lists_ -= entry->second.by_list.has_value();
    entries_.erase(entry);
}

std::vector<RevocationList> RevocationDesk::lists(std::span<const CertificateId> certificates, std::chrono::sys_seconds today) const {
    std::vector<RevocationList> found;
    std::set<Bytes> issuers;
    for (const CertificateId& each : certificates) issuers.insert(prefix(each, true));
    for (const Bytes& issuer : issuers)
        for_each_with(entries_, issuer, [&](const Entry& entry) {
            if (entry.list && entry.until >= today) found.push_back(*entry.list);
        });
    return found;
}

std::vector<OcspEvidence> RevocationDesk::responses(std::span<const CertificateId> certificates, std::chrono::sys_seconds today) const {
    std::vector<OcspEvidence> found;
    for (const CertificateId& each : certificates)
        for_each_with(entries_, prefix(each, false), [&](const Entry& entry) {
            if (!entry.response.empty() && entry.until >= today) found.push_back({entry.subject, entry.response});
        });
    return found;
}

RevocationDesk::Standing RevocationDesk::standing(const CertificateId& certificate, std::chrono::sys_seconds today) const {
    Standing found = Standing::unknown;
    for (const bool by_list : {true, false})
        for_each_with(entries_, prefix(certificate, by_list), [&](const Entry& entry) {
            if (entry.until < today) return;
            if (entry.list ? entry.list->revokes(certificate) : entry.revoked) found = Standing::revoked;
            else if (found == Standing::unknown && (!entry.list || entry.list->is_about_all())) found = Standing::good;
        });
    return found;
}

std::expected<Verdict, std::string> RevocationDesk::accept(Entry& entry, const std::expected<Bytes, std::string>& content, std::chrono::sys_seconds today) {
    if (!content) return std::unexpected{content.error()};
    if (content->size() > (entry.by_list ? kRevocationListBytesMax : kOcspBytesMax)) return std::unexpected{std::string{"it is too long"}};
    const auto lists = entry.by_list ? revocation_lists_from(*content) : std::vector<RevocationList>{};
    if (!lists) return std::unexpected{lists.error()};
    const auto verdict = entry.by_list ? judge_by_list(*entry.by_list, entry.issuer, lists->front(), today) : judge_by_response(entry.subject, entry.issuer, *content, today);
    if (!verdict) return verdict;
    // HTTP proves nothing: somebody on the way may repeat what was true before a certificate was revoked.
    if (entry.until >= today && verdict->since < entry.since) return std::unexpected{std::string{"it is older than what is known"}};
    if (entry.by_list) entry.list = lists->front();
    else entry.response = *content;
    entry.until = verdict->until, entry.since = verdict->since, entry.revoked = verdict->revoked;
    return verdict;
}

bool RevocationDesk::News::revokes(const CertificateId& certificate) const {
    return revoked == certificate || (list && certificate.issuer_key == issuer_key && list->revokes(certificate));
}

std::optional<RevocationDesk::News> RevocationDesk::take(FetchId id, const std::expected<Bytes, std::string>& content, const Moment& moment) {
    const auto asked = asked_.find(id);
    if (asked == asked_.end()) return std::nullopt;
    auto& each = *entries_.find(asked->second);
    Entry& entry = each.second;
    asked_.erase(asked);
    entry.asked.reset();
    const auto verdict = accept(entry, content, moment.today);
    entry.has_failed = !verdict;
    if (!verdict) {
        settle(each, moment.now + kRetryAfter);
        return News{.url = entry.url, .failure = verdict.error()};
    }
    // A little before the end, so that nobody has to wait for the next one; and soon enough to hear of what its issuer hurried to tell.
    const Duration left = std::chrono::duration_cast<Duration>(std::min<std::chrono::seconds>(verdict->until - moment.today, std::chrono::days{30}));
    settle(each, moment.now + std::clamp(left / 10 * 9, kRenewAfterMin, kRenewAfterMax));
    return News{.url = entry.url, .list = entry.list, .issuer_key = entry.subject.issuer_key, .revoked = verdict->revoked ? std::optional{entry.subject} : std::nullopt};
}

std::optional<TimePoint> RevocationDesk::next_deadline() const { return due_.empty() ? std::nullopt : std::optional{due_.begin()->first}; }

std::vector<FetchId> RevocationDesk::on_deadline(const Moment& moment, const IsWanted& is_wanted, Outbox& out) {
    std::vector<FetchId> given_up;
    while (!due_.empty() && due_.begin()->first <= moment.now) {
        const auto found = entries_.find(due_.begin()->second);
        Entry& entry = found->second;
        if (entry.asked) {
            given_up.push_back(*std::exchange(entry.asked, std::nullopt));
            asked_.erase(given_up.back());
            entry.has_failed = true;
            settle(*found, moment.now + kRetryAfter);
        } else if (asked_.size() >= kAskedMax) {
            settle(*found, moment.now + std::chrono::seconds{1});
        } else if (!(entry.revoked && entry.until >= moment.today) && !is_wanted(entry.subject, entry.by_list.has_value())) {
            erase(found);
        } else {
            send(*found, moment.now, out);
        }
    }
    return given_up;
}

}  // namespace nave::ike
