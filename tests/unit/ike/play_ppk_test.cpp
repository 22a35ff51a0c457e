// Plays of post-quantum preshared keys (RFC 8784): every row of its table, from both ends, and what somebody on the way can do.
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

enum class Insist : std::uint8_t { no, yes };

Ppk ppk(std::string id, std::string_view key, Insist insist = Insist::no, std::string_view remote = "*") {
    return {.id = std::move(id), .remote = pattern(remote), .key = secret(key), .required = insist == Insist::yes};
}

struct Pair {
    Lab lab{61};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    static void give(Gateway& gateway, std::vector<Ppk> ppks) {
        gateway.settings.profiles[0].ppks = std::move(ppks);
        gateway.start();
    }
    void run(std::vector<Ppk> of_spoke, std::vector<Ppk> of_hub) {
        give(spoke, std::move(of_spoke)), give(hub, std::move(of_hub));
        lab.connect(spoke, hub);
        lab.advance(60s);
    }
    void require_up(std::string_view words) {
        REQUIRE(spoke.is_up());
        REQUIRE(hub.is_up());
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE(hub.logged(words));
    }
    void require_refused(DownReason reason, Gateway& who, std::string_view words) {
        REQUIRE(spoke.ups.empty());
        REQUIRE(hub.ups.empty());
        REQUIRE(spoke.downs.at(0).reason == reason);
        REQUIRE(who.logged(words));
    }
};

Bytes without_use_ppk(const Bytes& message) {
    Message decoded = decode_message(message).value();
    REQUIRE(std::erase_if(decoded.payloads, [](const Payload& payload) {
        const auto* notify = std::get_if<Notify>(&payload);
        return notify && notify->type == NotifyType::use_ppk;
    }) == 1);
    return encode_message(decoded.header, decoded.payloads);
}

}  // namespace

TEST_CASE_METHOD(Pair, "both ends have the PPK: it is used, whether they insist on it or not") {
    const auto spokes = GENERATE(Insist::no, Insist::yes), hubs = GENERATE(Insist::no, Insist::yes);
    run({ppk("site-7", "quantum", spokes)}, {ppk("site-7", "quantum", hubs)});
    require_up("authenticated spoke.example by pre-shared key and PPK 'site-7'");
    REQUIRE(spoke.logged("authenticated hub.example by pre-shared key and PPK 'site-7'"));
}

TEST_CASE("the keys of ESP depend on the PPK") {
    std::vector<Bytes> keys;
    for (const char* key : {"", "quantum", "other"}) {
        Pair pair;
        const std::vector<Ppk> ppks = *key ? std::vector{ppk("site-7", key)} : std::vector<Ppk>{};
        pair.run(ppks, ppks);
        const ByteView keymat = pair.hub.inbound.begin()->second.keymat.view();
        keys.emplace_back(keymat.begin(), keymat.end());
    }
    REQUIRE(keys[0] != keys[1]);
    REQUIRE(keys[1] != keys[2]);
    REQUIRE(keys[0] != keys[2]);
}

TEST_CASE_METHOD(Pair, "the responder has no PPK: without one, unless the initiator insists") {
    run({ppk("site-7", "quantum")}, {});
    require_up("authenticated spoke.example by pre-shared key");
    REQUIRE_FALSE(hub.logged("PPK"));
}

TEST_CASE_METHOD(Pair, "the responder has no PPK, and the initiator insists: it gives up and says why") {
    run({ppk("site-7", "quantum", Insist::yes)}, {});
    require_refused(DownReason::refused_by_peer, spoke, "the peer uses no PPK, and 'site-7' is required");
}

TEST_CASE_METHOD(Pair, "the responder does not have this PPK: without one by NO_PPK_AUTH, and both ends say so") {
    run({ppk("site-7", "quantum")}, {ppk("site-8", "other")});
    require_up("established without PPK: the one that the peer named is not configured for it");
    REQUIRE(spoke.logged("established without PPK: the peer does not have 'site-7' for us"));
}

TEST_CASE_METHOD(Pair, "the responder does not have this PPK, and the initiator insists: AUTHENTICATION_FAILED") {
    run({ppk("site-7", "quantum", Insist::yes)}, {ppk("site-8", "other")});
    require_refused(DownReason::authentication_failed, hub, "spoke.example insists on PPK 'site-7', which profile 'dmvpn' does not have for it");
}

TEST_CASE_METHOD(Pair, "the responder insists on a PPK and does not have this one: AUTHENTICATION_FAILED") {
    run({ppk("site-7", "quantum")}, {ppk("site-8", "other", Insist::yes)});
    require_refused(DownReason::authentication_failed, hub, "profile 'dmvpn' requires a PPK of spoke.example");
}

TEST_CASE_METHOD(Pair, "the initiator has no PPK: without one, unless the responder insists") {
    run({}, {ppk("site-7", "quantum")});
    require_up("authenticated spoke.example by pre-shared key");
}

TEST_CASE_METHOD(Pair, "the initiator has no PPK, and the responder insists: AUTHENTICATION_FAILED") {
    run({}, {ppk("site-7", "quantum", Insist::yes)});
    require_refused(DownReason::authentication_failed, hub, "profile 'dmvpn' requires a PPK of spoke.example");
}

TEST_CASE_METHOD(Pair, "the same id with another key: AUTHENTICATION_FAILED, and nobody falls back to less") {
    run({ppk("site-7", "quantum")}, {ppk("site-7", "mistyped")});
    require_refused(DownReason::authentication_failed, hub, "wrong pre-shared key or wrong PPK 'site-7' for spoke.example");
}

TEST_CASE_METHOD(Pair, "a PPK that is another peer's is as good as none") {
    run({ppk("site-7", "quantum")}, {ppk("site-7", "quantum", Insist::no, "other.example")});
    require_up("established without PPK");
}

TEST_CASE_METHOD(Pair, "a hub tells PPKs apart by their ids, and insists on them of some peers only") {
    give(hub, {ppk("one", "first", Insist::yes, "spoke.example"), ppk("two", "second")});
    give(spoke, {ppk("one", "first")});
    Gateway& second = lab.gateway("second", "192.0.2.11");
    give(second, {ppk("two", "second")});
    Gateway& third = lab.gateway("third", "192.0.2.12");
    for (Gateway* gateway : {&spoke, &second, &third}) lab.establish(*gateway, hub);
    REQUIRE(hub.logged("authenticated spoke.example by pre-shared key and PPK 'one'"));
    REQUIRE(hub.logged("authenticated second.example by pre-shared key and PPK 'two'"));
    REQUIRE(third.is_up());
}

TEST_CASE_METHOD(Pair, "the initiator takes the PPK of whom it expects") {
    give(hub, {ppk("b", "second")});
    give(spoke, {ppk("a", "first"), ppk("b", "second", Insist::yes, "hub.example"), ppk("c", "third", Insist::yes, "elsewhere.example")});
    lab.connect(spoke, hub, 1, pattern("hub.example"));
    lab.run();
    require_up("and PPK 'b'");
}

TEST_CASE_METHOD(Pair, "a PPK is of no use with a peer that turns out to be another") {
    run({ppk("b", "second", Insist::no, "elsewhere.example")}, {ppk("b", "second")});
    REQUIRE(spoke.logged("PPK 'b' of profile 'dmvpn' is not for hub.example"));
    REQUIRE_FALSE(spoke.is_up());
    REQUIRE_FALSE(hub.is_up());
}

TEST_CASE_METHOD(Pair, "child and IKE SA are rekeyed from keys that hold the PPK") {
    run({ppk("site-7", "quantum")}, {ppk("site-7", "quantum")});
    lab.rekey_ike(spoke);
    lab.run();
    lab.rekey_child(hub);
    lab.run();
    lab.advance(8s);
    REQUIRE(spoke.count("ike-rekeyed") == 1);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Pair, "somebody who takes USE_PPK out of the request does not talk the ends out of the PPK") {
    give(spoke, {ppk("site-7", "quantum")}), give(hub, {ppk("site-7", "quantum")});
    lab.connect(spoke, hub);
    const Packet genuine = lab.intercept(&spoke);  // IKE_SA_INIT { SA, KE, Ni, N(USE_PPK) } -->
    Packet altered = genuine;
    altered.payload = without_use_ppk(genuine.payload);
    lab.inject(altered);
    lab.run();  // <-- IKE_SA_INIT { SA, KE, Nr }; what comes of it cannot be authenticated
    REQUIRE(hub.ups.empty());
    lab.inject(genuine);
    lab.advance(60s);
    const bool is_up = spoke.is_up() && hub.is_up();
    REQUIRE((is_up ? hub.logged("and PPK 'site-7'") : hub.ups.empty()));
}

TEST_CASE_METHOD(Pair, "somebody who takes USE_PPK out of the answer prevents the PPK and the SA with it") {
    give(spoke, {ppk("site-7", "quantum")}), give(hub, {ppk("site-7", "quantum")});
    lab.connect(spoke, hub);
    lab.deliver();
    Packet answer = lab.intercept(&hub);  // <-- IKE_SA_INIT { SA, KE, Nr, N(USE_PPK) }
    answer.payload = without_use_ppk(answer.payload);
    lab.inject(answer);
    lab.advance(60s);
    REQUIRE(hub.ups.empty());
    REQUIRE(spoke.ups.empty());
    REQUIRE(hub.logged("spoke.example said USE_PPK and names no PPK"));
}
