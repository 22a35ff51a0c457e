// Plays of additional key exchanges in IKE_INTERMEDIATE (RFC 9242, RFC 9370 §2.2.2): in bad weather, with old peers, bad ones, and somebody on the way.
#include "tests/unit/ike/lab.hpp"
#include "tests/unit/ike/raw_peer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

constexpr auto kPlain = "aes-gcm-256/prf-sha384/x25519", kOne = "aes-gcm-256/prf-sha384/x25519/ke1-p384", kTwo = "aes-gcm-256/prf-sha384/x25519/ke1-p384/ke3-modp3072";

struct Pair {
    Lab lab{71};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    static void propose(Gateway& gateway, const std::vector<std::string_view>& suites) {
        auto& proposals = gateway.settings.profiles[0].ike_proposals;
        proposals.clear();
        for (const auto suite : suites) proposals.push_back(parse_ike_proposal(suite).value());
        gateway.start();
    }
    void propose(const std::vector<std::string_view>& suites) { propose(spoke, suites), propose(hub, suites); }
    void require_up(std::string_view suite) {
        REQUIRE((spoke.is_up() && hub.is_up()));
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE(spoke.view().ike_proposal == suite);
        REQUIRE(hub.view().ike_proposal == suite);
    }
};

ExchangeType exchange_of(const Bytes& message) { return decode_header(message)->exchange; }

/// The message without its notifications of that type.
Bytes without(NotifyType type, const Bytes& message) {
    Message decoded = decode_message(message).value();
    REQUIRE(std::erase_if(decoded.payloads, [&](const Payload& payload) {
        const auto* notify = std::get_if<Notify>(&payload);
        return notify && notify->type == type;
    }) == 1);
    return encode_message(decoded.header, decoded.payloads);
}

bool has(NotifyType type, const Bytes& message) { return find_notify(decode_message(message)->payloads, type) != nullptr; }

}  // namespace

TEST_CASE_METHOD(Pair, "each additional key exchange is one IKE_INTERMEDIATE in the order of the places, and IKE_AUTH follows the last") {
    propose({kTwo});
    lab.connect(spoke, hub);
    REQUIRE(has(NotifyType::intermediate_exchange_supported, lab.wire.front().payload));
    lab.deliver(spoke);  // IKE_SA_INIT { SA(ADDKE1, ADDKE3), KEi, Ni, N(INTERMEDIATE_EXCHANGE_SUPPORTED) } -->
    REQUIRE(has(NotifyType::intermediate_exchange_supported, lab.wire.front().payload));
    lab.deliver(hub);    // <-- IKE_SA_INIT { SA(ADDKE1, ADDKE3), KEr, Nr, N(INTERMEDIATE_EXCHANGE_SUPPORTED) }
    REQUIRE(spoke.endpoint->snapshot().at(0).state == "intermediate-sent");
    for (int i = 0; i < 4; ++i) {
        REQUIRE(exchange_of(lab.wire.front().payload) == ExchangeType::ike_intermediate);
        lab.deliver();   // IKE_INTERMEDIATE { KEi(1) } -->, <-- { KEr(1) }, { KEi(2) } -->, <-- { KEr(2) }
    }
    REQUIRE(exchange_of(lab.wire.front().payload) == ExchangeType::ike_auth);
    REQUIRE(decode_header(lab.wire.front().payload)->message_id == 3);
    lab.run();           // IKE_AUTH { IDi, AUTH, SA, TSi, TSr } -->, <-- { IDr, AUTH, SA, TSi, TSr }
    require_up(kTwo);
    REQUIRE(spoke.logged("intermediate-sent -> auth-sent: key exchange with modp3072 added"));
}

TEST_CASE("the keys of ESP depend on every additional key exchange") {
    std::vector<Bytes> keys;
    for (const auto suite : {kPlain, kOne, kTwo}) {
        Pair pair;
        pair.propose({suite});
        pair.lab.establish(pair.spoke, pair.hub);
        const ByteView keymat = pair.hub.inbound.begin()->second.keymat.view();
        keys.emplace_back(keymat.begin(), keymat.end());
    }
    REQUIRE(keys[0] != keys[1]);
    REQUIRE(keys[1] != keys[2]);
}

TEST_CASE_METHOD(Pair, "one end knows no additional key exchanges: both do without, whoever it is") {
    const bool hub_is_old = GENERATE(false, true);
    propose({kOne, kPlain});
    propose(hub_is_old ? hub : spoke, {kPlain});
    lab.connect(spoke, hub);
    REQUIRE(has(NotifyType::intermediate_exchange_supported, lab.wire.front().payload) == hub_is_old);
    lab.run();
    require_up(kPlain);
}

TEST_CASE_METHOD(Pair, "a responder that has the transforms and not the exchange is asked for neither (9370 2.2.1)") {
    propose({kOne});
    RawPeer peer{lab, hub, "192.0.2.7"};
    peer.suite = parse_ike_proposal(kOne).value();
    const Bytes answer = peer.ask(without(NotifyType::intermediate_exchange_supported, peer.init_request()));
    REQUIRE(error_in(decode_message(answer)->payloads) == NotifyType::no_proposal_chosen);
}

TEST_CASE_METHOD(Pair, "an initiator that insists on them is refused by a peer without, and the other way round") {
    const bool hub_insists = GENERATE(false, true);
    propose({kPlain});
    propose(hub_insists ? hub : spoke, {kOne});
    lab.connect(spoke, hub);
    lab.advance(60s);
    REQUIRE(spoke.ups.empty());
    REQUIRE(spoke.downs.at(0).reason == DownReason::no_proposal_chosen);
    REQUIRE(hub.logged("peer offered aes-gcm-256/prf-sha384/x25519"));
}

TEST_CASE_METHOD(Pair, "IKE_INTERMEDIATE survives the loss of each of its messages, and a repeated request is answered with the identical bytes") {
    propose({kTwo});
    lab.connect(spoke, hub);
    lab.deliver(), lab.deliver();
    const int lost = GENERATE(0, 1, 2, 3, 4, 5);
    for (int i = 0; i < lost; ++i) lab.deliver();
    const Bytes first = lab.lose();
    lab.advance_to_next_deadline();  // the spoke repeats its request
    if (lost % 2 == 1) {
        lab.deliver(spoke);
        REQUIRE(lab.wire.front().payload == first);
        REQUIRE(hub.count("requests-answered-again") == 1);  // although the hub has newer keys by then
    }
    lab.run();
    require_up(kTwo);
}

TEST_CASE_METHOD(Pair, "additional key exchanges get through loss, duplicates and reordering, in fragments and behind NATs") {
    lab.weather = {.loss_percent = 15, .duplicate_percent = 20, .reorder_percent = 30};
    for (Gateway* gateway : {&spoke, &hub}) gateway->settings.packet_size_max = 300;
    lab.put_behind_nat(spoke, "198.51.100.1");
    propose({kTwo});
    for (int round = 0; round < 12; ++round) {
        spoke.start(), hub.start();
        lab.connect(spoke, hub);
        lab.advance(120s);
        require_up(kTwo);
        REQUIRE(spoke.count("sent-in-fragments") > 0);
    }
}

TEST_CASE_METHOD(Pair, "a cookie and another group go before additional key exchanges") {
    hub.settings.cookies_from_half_open = 0;
    propose(spoke, {"aes-gcm-256/prf-sha384/x25519/ke1-p384", "aes-gcm-256/prf-sha384/p256/ke1-p384"});
    propose(hub, {"aes-gcm-256/prf-sha384/p256/ke1-p384"});
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("cookies-answered") == 1);
    REQUIRE(spoke.count("invalid-ke-received") == 1);
    require_up("aes-gcm-256/prf-sha384/p256/ke1-p384");
}

TEST_CASE_METHOD(Pair, "a PPK goes into the keys of the last exchange") {
    for (Gateway* gateway : {&spoke, &hub}) gateway->settings.profiles[0].ppks = {{.id = "site-7", .remote = pattern("*"), .key = secret("quantum"), .required = true}};
    propose({kOne});
    lab.establish(spoke, hub);
    require_up(kOne);
    REQUIRE(hub.logged("by pre-shared key and PPK 'site-7'"));
    lab.rekey_ike(spoke);
    lab.run();
    require_up(kOne);
}

TEST_CASE_METHOD(Pair, "the key log has the keys behind the last exchange, as Wireshark takes one line for an IKE SA") {
    for (Gateway* gateway : {&spoke, &hub}) gateway->settings.key_log = true;
    propose({kTwo});
    lab.establish(spoke, hub);
    const auto ike_lines = [](const Gateway& gateway) {
        std::vector<Bytes> lines;
        for (const KeyLog& each : gateway.key_log)
            if (each.table == KeyLog::Table::ike) lines.emplace_back(each.line.view().begin(), each.line.view().end());
        return lines;
    };
    REQUIRE(ike_lines(spoke).size() == 1);
    REQUIRE(ike_lines(spoke) == ike_lines(hub));
    lab.rekey_ike(spoke);
    lab.run();
    REQUIRE(ike_lines(spoke).size() == 2);
    REQUIRE(ike_lines(spoke) == ike_lines(hub));
}

TEST_CASE_METHOD(Pair, "INTERMEDIATE_EXCHANGE_SUPPORTED is taken out of the request on its way, and AUTH shows it") {
    propose({kOne, kPlain});
    lab.connect(spoke, hub);
    Packet altered = lab.intercept(&spoke);
    const Packet genuine = altered;
    altered.payload = without(NotifyType::intermediate_exchange_supported, altered.payload);
    lab.inject(altered);
    const bool genuine_arrives = GENERATE(false, true);
    if (genuine_arrives) lab.inject(genuine);
    lab.run();
    REQUIRE(hub.logged("wrong pre-shared key"));  // AUTH covers what the spoke sent
    if (genuine_arrives) require_up(kOne);
    else REQUIRE(spoke.ups.empty());
}

TEST_CASE_METHOD(Pair, "INTERMEDIATE_EXCHANGE_SUPPORTED is taken out of the answer on its way, which is ignored then") {
    propose({kOne, kPlain});
    lab.connect(spoke, hub);
    lab.deliver(spoke);
    Packet altered = lab.intercept(&hub);
    const Packet genuine = altered;
    altered.payload = without(NotifyType::intermediate_exchange_supported, altered.payload);
    lab.inject(altered);
    REQUIRE(spoke.count("bad-init-answers") == 1);
    lab.inject(genuine);
    lab.run();
    require_up(kOne);
}

TEST_CASE_METHOD(Pair, "a forged answer to IKE_SA_INIT comes first: its IKE_INTERMEDIATE is never answered, and the genuine answer is tried") {
    propose({kOne});
    Gateway& liar = lab.gateway("liar", "203.0.113.66");
    Pair::propose(liar, {kOne});
    lab.connect(spoke, hub);
    const Packet request = lab.intercept(&spoke);
    Packet to_liar = request;
    to_liar.destination.address = liar.address;
    lab.inject(to_liar);
    Packet forged = lab.intercept(&liar);
    forged.source.address = hub.address;
    lab.inject(forged);           // <-- IKE_SA_INIT of somebody else in the hub's name
    lab.inject(request);
    lab.advance(60s);
    REQUIRE(spoke.count("init-answers-tried") >= 1);
    require_up(kOne);
}

TEST_CASE_METHOD(Pair, "IKE_AUTH before the last additional key exchange is not taken, nor IKE_INTERMEDIATE behind it or without agreement") {
    propose({kOne, kPlain});
    RawPeer early{lab, hub, "192.0.2.7"};
    early.suite = parse_ike_proposal(kOne).value();
    early.init();
    REQUIRE(early.ask(early.request(ExchangeType::ike_auth, early.authentication() + early.gre_child())).empty());
    REQUIRE(hub.count("unexpected-requests") == 1);
    early.next_id = 1;
    early.add_key_exchange(Group::p384);
    REQUIRE(early.ask(early.request(ExchangeType::ike_intermediate, {})).empty());
    REQUIRE(hub.count("unexpected-requests") == 2);
    early.next_id = 2;
    REQUIRE_FALSE(error_in(early.exchange(ExchangeType::ike_auth, early.authentication() + early.gre_child())));
    REQUIRE(hub.is_up());
    RawPeer plain{lab, hub, "192.0.2.8"};
    plain.init();
    REQUIRE(plain.ask(plain.request(ExchangeType::ike_intermediate, {})).empty());
    REQUIRE(hub.count("unexpected-requests") == 3);
}

TEST_CASE_METHOD(Pair, "IKE_INTERMEDIATE without KE, with another method's or with a wrong value is refused, and the attempt is over") {
    propose({kOne});
    RawPeer peer{lab, hub, "192.0.2.7"};
    peer.suite = parse_ike_proposal(kOne).value();
    peer.init();
    const int bad = GENERATE(0, 1, 2);
    const std::vector<std::vector<Payload>> contents{{}, {KeyExchange{Group::p256, Bytes(64, 1)}}, {KeyExchange{Group::p384, Bytes(96, 1)}}};
    const Bytes request = peer.request(ExchangeType::ike_intermediate, contents[static_cast<std::size_t>(bad)]);
    const Bytes answer = peer.ask(request);
    REQUIRE(error_in(peer.read(answer)) == NotifyType::invalid_syntax);
    REQUIRE(peer.ask(request) == answer);
    REQUIRE(hub.endpoint->snapshot().at(0).state == "over");
    REQUIRE(hub.ups.empty());
}

TEST_CASE_METHOD(Pair, "AUTH that leaves out what IKE_INTERMEDIATE exchanged is not genuine (9242 3.3.2)") {
    propose({kOne});
    RawPeer peer{lab, hub, "192.0.2.7"};
    peer.suite = parse_ike_proposal(kOne).value();
    peer.init();
    const SessionKeys before = peer.keys;
    peer.add_key_exchange(Group::p384);
    RawPeer forgetful = peer;
    forgetful.forget_intermediate();
    REQUIRE_FALSE(before.derivation == peer.keys.derivation);
    REQUIRE(error_in(forgetful.exchange(ExchangeType::ike_auth, forgetful.authentication() + forgetful.gre_child())) == NotifyType::authentication_failed);
}

TEST_CASE_METHOD(Pair, "nobody answers IKE_INTERMEDIATE: the attempt ends and says so, and the half-open end forgets it") {
    propose({kOne});
    lab.connect(spoke, hub);
    lab.deliver(), lab.deliver();
    lab.lose(spoke);
    lab.advance_losing(120s, spoke);
    REQUIRE(spoke.downs.at(0).reason == DownReason::timed_out);
    REQUIRE(spoke.logged("of IKE_INTERMEDIATE"));
    REQUIRE(hub.count("half-open-expired") == 1);
    REQUIRE(hub.endpoint->snapshot().empty());
}
