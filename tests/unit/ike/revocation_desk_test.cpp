// The cache of what was asked about certificates: one question once, answers that end, failures, and its limits.
#include "controlplane/ike/revocation_desk.hpp"
#include "tests/unit/ike/certificate_authority.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::pki;

namespace {

struct Desk {
    RevocationDesk desk;
    Issued root = authority("O=Example, CN=Root", key("p256", 1));
    Moment moment{TimePoint{1h}, kToday};
    Outbox out;

    Certificate leaf(long serial) const { return issue({.subject = "O=Example, CN=spoke", .serial = serial}, key("p256", 3), &root).certificate; }
    CertificateId id(long serial) const { return leaf(serial).id_by(root.certificate); }
    /// Whether an answer is on its way.
    bool ask(long serial, bool by_list, const std::string& url = "http://pki.example") {
        return desk.ask({leaf(serial), root.certificate, url, by_list}, moment, out).value().has_value();
    }
    bool is_busy(long serial, bool by_list, const std::string& url = "http://pki.example") { return !desk.ask({leaf(serial), root.certificate, url, by_list}, moment, out); }
    /// The question that went out last, once.
    FetchRevocation sent() {
        REQUIRE(out.size() == 1);
        const FetchRevocation fetch = std::get<FetchRevocation>(out.front());
        out.clear();
        return fetch;
    }
    std::optional<RevocationDesk::News> answer(const FetchRevocation& fetch, std::expected<Bytes, std::string> content) { return desk.take(fetch.id, content, moment); }
    void pass(std::chrono::seconds time) { moment.now += time, moment.today += time; }
    std::vector<FetchId> meet_deadline(bool is_wanted) { return desk.on_deadline(moment, [&](const CertificateId&, bool) { return is_wanted; }, out); }
};

}  // namespace

TEST_CASE_METHOD(Desk, "a storm of certificates of one authority costs one list") {
    CHECK(ask(1, true));
    const auto fetch = sent();
    CHECK(fetch.url == "http://pki.example");
    CHECK(fetch.body.empty());
    for (long serial = 2; serial < 20; ++serial) CHECK(ask(serial, true));
    CHECK(out.empty());
    const auto news = answer(fetch, revocation_list(root, {5}));
    REQUIRE(news);
    CHECK(news->failure.empty());
    CHECK(news->list->revokes(id(5)));
    for (long serial = 2; serial < 20; ++serial) CHECK_FALSE(ask(serial, true));
    CHECK(out.empty());
    const Certificate elsewhere = authority("CN=Other", key("p256", 8)).certificate;
    const std::vector chain{id(9)}, other{elsewhere.id_by(elsewhere)};
    CHECK(desk.lists(chain, kToday).size() == 1);
    CHECK(desk.lists(other, kToday).empty());
    CHECK(desk.lists(chain, kToday + 24h * 8).empty());
}

TEST_CASE_METHOD(Desk, "each certificate has an OCSP response of its own") {
    CHECK(ask(1, false));
    const auto first = sent();
    CHECK_FALSE(first.body.empty());
    CHECK(ask(2, false));
    const auto second = sent();
    CHECK(first.body != second.body);
    CHECK_FALSE(answer(first, ocsp_response({.issuer = root, .serial = 1}))->revoked);
    CHECK(answer(second, ocsp_response({.issuer = root, .serial = 2, .status = "revoked"}))->revoked == id(2));
    const std::vector chain{id(1)};
    CHECK(desk.responses(chain, kToday).size() == 1);
    CHECK(desk.responses(chain, kToday)[0].subject == id(1));
}

TEST_CASE_METHOD(Desk, "an answer that proves nothing, or none, is silence for a minute") {
    for (const auto& content : {std::expected<Bytes, std::string>{std::unexpected{"no route"}}, {Bytes{1, 2, 3}}, {ocsp_response({.issuer = root, .serial = 2})},
                                {ocsp_response({.issuer = root, .serial = 1, .status = "unknown"})}}) {
        CHECK(ask(1, false));
        CHECK_FALSE(answer(sent(), content)->failure.empty());
        CHECK_FALSE(ask(1, false));
        CHECK(out.empty());
        pass(1min);
    }
    CHECK(desk.responses(std::vector{id(1)}, moment.today).empty());
}

TEST_CASE_METHOD(Desk, "what nobody answers is given up, and an answer that comes later is not looked at") {
    CHECK(ask(1, false));
    const auto fetch = sent();
    pass(29s);
    CHECK(meet_deadline(true).empty());
    CHECK(ask(1, false));
    pass(1s);
    CHECK(meet_deadline(true) == std::vector{fetch.id});
    CHECK_FALSE(ask(1, false));
    CHECK_FALSE(answer(fetch, ocsp_response({.issuer = root, .serial = 1})));
}

TEST_CASE_METHOD(Desk, "an answer is renewed before it ends, at the latest after an hour, as long as somebody needs it") {
    CHECK(ask(1, false));
    answer(sent(), ocsp_response({.issuer = root, .serial = 1, .until = kToday + 10min}));
    CHECK(desk.next_deadline() == moment.now + 9min);
    pass(9min);
    meet_deadline(true);
    CHECK_FALSE(ask(1, false));  // the old one counts until the next one is there
    answer(sent(), ocsp_response({.issuer = root, .serial = 1, .until = kToday + 24h * 7}));
    CHECK(desk.next_deadline() == moment.now + 1h);
    pass(1h);
    meet_deadline(false);
    CHECK(out.empty());
    CHECK_FALSE(desk.next_deadline());
    CHECK(ask(1, false));
}

TEST_CASE_METHOD(Desk, "when a renewal fails the old answer counts until its end") {
    CHECK(ask(1, true));
    answer(sent(), revocation_list(root, {}, kToday + 30min));
    pass(27min);
    meet_deadline(true);
    answer(sent(), std::unexpected{"no route"});
    CHECK_FALSE(ask(1, true));
    pass(4min);
    CHECK(ask(1, true));
}

TEST_CASE_METHOD(Desk, "a list outlives the certificate that it was first asked for") {
    const Certificate brief = issue({.subject = "O=Example, CN=brief", .until = kToday + 30min, .serial = 1}, key("p256", 3), &root).certificate;
    REQUIRE(desk.ask({brief, root.certificate, "http://pki.example", true}, moment, out));
    answer(sent(), revocation_list(root, {}));
    pass(1h);
    meet_deadline(true);
    const auto news = answer(sent(), revocation_list(root, {5}));
    CHECK(news->failure == "");
    CHECK(desk.standing(id(5), moment.today) == RevocationDesk::Standing::revoked);
}

TEST_CASE_METHOD(Desk, "an older answer does not undo what a later one revokes, as long as that counts") {
    const bool by_list = GENERATE(true, false);
    const auto content = [&](bool revoked, std::chrono::sys_seconds from, std::chrono::sys_seconds until) {
        if (by_list) return revocation_list(root, revoked ? std::vector<long>{1} : std::vector<long>{}, until, "SHA256", from);
        return ocsp_response({.issuer = root, .serial = 1, .status = revoked ? "revoked" : "good", .from = from, .until = until});
    };
    CHECK(ask(1, by_list));
    answer(sent(), content(true, kToday - 1h, kToday + 2h));
    pass(1h);
    meet_deadline(false);  // who is revoked has gone
    CHECK(answer(sent(), content(false, kToday - 2h, kToday + 24h))->failure == "it is older than what is known");
    CHECK(desk.standing(id(1), moment.today) == RevocationDesk::Standing::revoked);
    pass(1min);
    meet_deadline(false);
    answer(sent(), std::unexpected{"no route"});
    CHECK(desk.standing(id(1), moment.today) == RevocationDesk::Standing::revoked);
    pass(1min);
    meet_deadline(false);
    CHECK(answer(sent(), content(false, kToday, kToday + 24h))->failure == "");
    CHECK(desk.standing(id(1), moment.today) == RevocationDesk::Standing::good);
}

TEST_CASE_METHOD(Desk, "while too much is under way nobody looks who still needs what is due") {
    CHECK(ask(-1, false));
    answer(sent(), ocsp_response({.issuer = root, .serial = -1, .until = kToday + 10s}));
    pass(55s);
    for (long serial = 0; serial < static_cast<long>(RevocationDesk::kAskedMax); ++serial) CHECK(ask(serial, false));
    pass(10s);
    desk.on_deadline(moment, [](const CertificateId&, bool) -> bool { throw std::logic_error{"looked"}; }, out);
    CHECK(desk.next_deadline() == moment.now + 1s);
}

TEST_CASE_METHOD(Desk, "questions under way and lists kept are limited") {
    for (std::size_t i = 0; i < RevocationDesk::kListsMax; ++i) CHECK(ask(1, true, "http://" + std::to_string(i)));
    CHECK(is_busy(1, true, "http://more"));
    answer(std::get<FetchRevocation>(out[3]), revocation_list(root, {}));
    CHECK(ask(1, true, "http://more"));
    CHECK(is_busy(1, true, "http://3"));
    for (long serial = 0; serial < static_cast<long>(RevocationDesk::kAskedMax - RevocationDesk::kListsMax); ++serial) CHECK(ask(serial, false));
    CHECK(is_busy(1000, false));
}
