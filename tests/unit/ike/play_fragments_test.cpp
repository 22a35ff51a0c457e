// Plays in fragments (RFC 7383): negotiation, loss and order of each, repeats, and peers that send odd ones.
#include "tests/unit/ike/raw_peer.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

constexpr std::size_t kPacketMax = 150;

void shorten_packets(std::initializer_list<Gateway*> gateways) {
    for (Gateway* gateway : gateways) {
        gateway->settings.packet_size_max = kPacketMax;
        gateway->start();
    }
}

struct InFragments {
    Lab lab{91};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    InFragments() { shorten_packets({&spoke, &hub}); }

    /// IKE_SA_INIT there and back: IKE_AUTH is on the wire.
    void init() {
        lab.connect(spoke, hub);
        lab.deliver(), lab.deliver();
    }
    std::vector<Packet> intercept_all() {
        std::vector<Packet> packets;
        while (lab.in_flight() != 0) packets.push_back(lab.intercept());
        return packets;
    }
    void inject(const std::vector<Packet>& packets) {
        for (const Packet& packet : packets) lab.inject(packet);
    }
};

std::vector<Bytes> payloads_of(const std::vector<Packet>& packets) {
    std::vector<Bytes> payloads;
    for (const Packet& packet : packets) payloads.push_back(packet.payload);
    return payloads;
}

struct RawFragments {
    Lab lab{92};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.50"};
    RawFragments() { peer.takes_fragments = true; }

    /// Sends each; gives the last one's answer.
    Bytes ask(const std::vector<Bytes>& messages) {
        Bytes answer;
        for (const Bytes& message : messages) {
            REQUIRE(answer.empty());
            answer = peer.ask(message);
        }
        return answer;
    }
};

}  // namespace

TEST_CASE_METHOD(InFragments, "IKE_AUTH and CREATE_CHILD_SA go in fragments that fit, both ways, also on a rekeyed IKE SA") {
    init();
    for (int rekeys = 0; rekeys < 3; ++rekeys) {
        while (lab.in_flight() != 0) {
            REQUIRE(lab.wire.front().payload.size() + 28 <= kPacketMax);
            lab.deliver();
        }
        REQUIRE(Lab::talk(spoke, hub));
        const std::uint64_t before = hub.count("sent-in-fragments");
        REQUIRE(before > 0);
        if (rekeys == 0) lab.rekey_ike(spoke);
        else lab.rekey_child(hub);
    }
    REQUIRE(hub.count("ike-rekeyed") == 1);
    REQUIRE(hub.count("sent-in-fragments") >= 3);
    REQUIRE(spoke.count("sent-in-fragments") >= 3);
}

TEST_CASE_METHOD(InFragments, "fragments of 1280-byte packets are the default, so an ordinary exchange needs none") {
    for (Gateway* gateway : {&spoke, &hub}) gateway->settings.packet_size_max = Settings{}.packet_size_max, gateway->start();
    REQUIRE(Settings{}.packet_size_max == 1280);
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("sent-in-fragments") + hub.count("sent-in-fragments") == 0);
}

TEST_CASE_METHOD(InFragments, "a cookie and another group do not lose the agreement on fragments") {
    hub.settings.cookies_from_half_open = 0;
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-cbc-256/sha256/prf-sha256/p256").value()};
    hub.start();
    spoke.settings.profiles[0].ike_proposals.push_back(hub.settings.profiles[0].ike_proposals[0]);
    spoke.start();
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("cookies-answered") >= 1);
    REQUIRE(spoke.count("invalid-ke-received") == 1);
    REQUIRE((spoke.count("sent-in-fragments") == 1 && hub.count("sent-in-fragments") == 1));
}

TEST_CASE_METHOD(InFragments, "the non-ESP marker and larger headers of IPv6 count too") {
    spoke.settings.profiles[0].force_encapsulation = true;
    spoke.start();
    init();
    while (lab.in_flight() != 0) {
        REQUIRE(lab.wire.front().source.port == 4500);
        REQUIRE(lab.wire.front().payload.size() + 28 <= kPacketMax);
        lab.deliver();
    }
    Gateway& six = lab.gateway("six", "2001:db8::6");
    Gateway& seven = lab.gateway("seven", "2001:db8::7");
    shorten_packets({&six, &seven});
    lab.connect(six, seven);
    lab.deliver(), lab.deliver();
    while (lab.in_flight() != 0) {
        REQUIRE(lab.wire.front().payload.size() + 48 <= kPacketMax);
        lab.deliver();
    }
    REQUIRE(Lab::talk(six, seven));
}

TEST_CASE_METHOD(InFragments, "each fragment of a request and of a response may be lost; all are repeated with identical bytes") {
    init();
    const std::vector<Packet> request = intercept_all();
    REQUIRE(request.size() >= 3);
    inject(request);
    const std::size_t answers = lab.in_flight();
    REQUIRE(answers >= 2);
    for (std::size_t lost = 0; lost < request.size() + answers; ++lost) {
        INFO("lost " << lost);
        lab.wire.clear();
        spoke.start(), hub.start();
        init();
        if (lost < request.size()) {
            const auto first = payloads_of({lab.wire.begin(), lab.wire.end()});
            lab.wire.erase(lab.wire.begin() + static_cast<std::ptrdiff_t>(lost));
            lab.run();
            REQUIRE_FALSE(hub.is_up());
            lab.advance_to_next_deadline();
            REQUIRE(payloads_of({lab.wire.begin(), lab.wire.end()}) == first);
        } else {
            inject(intercept_all());
            const auto first = payloads_of({lab.wire.begin(), lab.wire.end()});
            lab.wire.erase(lab.wire.begin() + static_cast<std::ptrdiff_t>(lost - request.size()));
            lab.run();
            REQUIRE_FALSE(spoke.is_up());
            lab.advance_to_next_deadline();
            inject(intercept_all());
            REQUIRE(payloads_of({lab.wire.begin(), lab.wire.end()}) == first);
        }
        lab.run();
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE((spoke.ups.size() == 1 && hub.ups.size() == 1));
    }
}

TEST_CASE_METHOD(InFragments, "fragments may come doubled and in reverse") {
    init();
    for (int way = 0; way < 2; ++way) {
        std::vector<Packet> packets = intercept_all();
        for (auto packet = packets.rbegin(); packet != packets.rend(); ++packet) lab.inject(*packet), lab.inject(*packet);
    }
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(hub.count("fragments-repeated") >= 2);
    REQUIRE(spoke.count("fragments-repeated") >= 1);
}

TEST_CASE_METHOD(InFragments, "a repeated request is answered again once, when its first fragment comes (RFC 7383 §2.6.1)") {
    init();
    const std::vector<Packet> request = intercept_all();
    inject(request);
    const auto answer = payloads_of(intercept_all());
    for (std::size_t i = 1; i < request.size(); ++i) lab.inject(request[i]);
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(hub.count("fragments-of-answered") == request.size() - 1);
    lab.inject(request[0]);
    REQUIRE(payloads_of(intercept_all()) == answer);
}

TEST_CASE_METHOD(InFragments, "a damaged fragment is not held: the genuine one completes the message") {
    init();
    const std::vector<Packet> request = intercept_all();
    for (const Packet& genuine : request)
        for (const std::size_t offset : {std::size_t{33}, std::size_t{35}, genuine.payload.size() - 1}) {
            Packet damaged = genuine;
            damaged.payload[offset] ^= 1;
            lab.inject(damaged);
        }
    REQUIRE(hub.count("fragments-kept") == 0);
    REQUIRE(hub.count("bad-integrity") + hub.count("invalid-fragment") == 3 * request.size());
    inject(request);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(InFragments, "a stranger's copy of IKE_SA_INIT without the notification does not keep the genuine initiator's fragments out") {
    lab.connect(spoke, hub);
    const Packet genuine = lab.intercept();
    const Message message = decode_message(genuine.payload).value();
    auto payloads = message.payloads;
    std::erase_if(payloads, [](const Payload& payload) { return find_notify(std::span{&payload, 1}, NotifyType::ikev2_fragmentation_supported); });
    Packet forged = genuine;
    forged.payload = encode_message(message.header, payloads);
    lab.inject(forged);
    lab.wire.clear();
    lab.inject(genuine);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.count("sent-in-fragments") == 1);
    REQUIRE(hub.count("sent-in-fragments") == 1);
}

TEST_CASE_METHOD(InFragments, "fragments of IKE_SA_INIT do not exist") {
    lab.connect(spoke, hub);
    const Packet init = lab.intercept();
    Packet fragment = init;
    const Header header = decode_header(init.payload).value();
    fragment.payload = encode_message(header, std::vector<Payload>{EncryptedFragment{PayloadType::security_association, 1, 1, Bytes(100)}});
    lab.inject(fragment);
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE(hub.count("malformed") == 1);
    lab.inject(init);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE("storms of loss, doubling and reordering of fragments end with both ends up and agreed, for many seeds") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        Lab lab{seed};
        Gateway& a = lab.gateway("a", "192.0.2.10");
        Gateway& b = lab.gateway("b", "192.0.2.20");
        shorten_packets({&a, &b});
        lab.weather = {.loss_percent = 8, .duplicate_percent = 10, .reorder_percent = 30};
        lab.connect(a, b, 1);
        lab.advance(20s);
        for (Gateway* gateway : {&a, &b})
            if (gateway->is_up()) lab.rekey_child(*gateway), lab.rekey_ike(*gateway), lab.advance(20s);
        lab.weather = {};
        lab.advance(60s);
        if (!a.is_up() && !b.is_up()) lab.connect(a, b), lab.advance(60s);
        REQUIRE(Lab::talk(a, b));
        REQUIRE(a.view().initiator_spi == b.view().initiator_spi);
        REQUIRE(a.count("fragments-complete") + b.count("fragments-complete") >= 2);
    }
}

TEST_CASE_METHOD(RawFragments, "a peer that does not announce it gets no fragments, and its own are dropped by name") {
    peer.takes_fragments = false;
    hub.settings.packet_size_max = kPacketMax;
    hub.start();
    peer.init();
    const auto request = peer.request_in_fragments(ExchangeType::ike_auth, peer.authentication() + peer.gre_child(), 200);
    REQUIRE(ask(request).empty());
    REQUIRE(hub.count("fragments-not-agreed") == request.size());
    peer.next_id = 1;
    REQUIRE_FALSE(error_in(peer.exchange(ExchangeType::ike_auth, peer.authentication() + peer.gre_child())));
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(RawFragments, "a request in fragments is answered, whole where that fits") {
    peer.init();
    const auto answer = ask(peer.request_in_fragments(ExchangeType::ike_auth, peer.authentication() + peer.gre_child(), 200));
    REQUIRE_FALSE(error_in(peer.read(answer)));
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(RawFragments, "a peer that cuts its request anew into more fragments is understood, and the older ones do not mix in") {
    peer.establish();
    const std::vector<Payload> payloads{VendorId{Bytes(300, 1)}};
    const auto coarse = peer.request_in_fragments(ExchangeType::informational, payloads, 300);
    --peer.next_id;
    const auto fine = peer.request_in_fragments(ExchangeType::informational, payloads, 150);
    REQUIRE(coarse.size() < fine.size());
    REQUIRE(peer.ask(coarse[0]).empty());
    REQUIRE(peer.ask(fine[1]).empty());
    REQUIRE(peer.ask(coarse[1]).empty());
    REQUIRE(hub.count("fragments-superseded") == 1);
    REQUIRE(peer.ask(fine[0]).empty());
    for (std::size_t i = 2; i + 1 < fine.size(); ++i) REQUIRE(peer.ask(fine[i]).empty());
    REQUIRE(peer.read(peer.ask(fine.back())).empty());
}

TEST_CASE_METHOD(RawFragments, "authentic fragments with impossible numbers, or too many of them, are dropped by name and harm nothing") {
    peer.establish();
    (void)peer.request(ExchangeType::informational, {});
    for (const FragmentNumber wrong : {FragmentNumber{0, 3}, FragmentNumber{4, 3}, FragmentNumber{0, 0}, FragmentNumber{1, 0}})
        REQUIRE(peer.ask(peer.fragment(wrong, PayloadType::vendor_id, Bytes(8))).empty());
    REQUIRE(hub.count("invalid-fragment") == 4);
    REQUIRE(peer.ask(peer.fragment({1, 4000}, PayloadType::vendor_id, Bytes(8))).empty());
    REQUIRE(peer.ask(peer.fragment({1, 3}, PayloadType::vendor_id, Bytes(40'000))).empty());
    REQUIRE(peer.ask(peer.fragment({2, 3}, PayloadType::none, Bytes(40'000))).empty());
    REQUIRE(hub.count("fragments-beyond-limits") == 2);
    --peer.next_id;
    REQUIRE(peer.exchange(ExchangeType::informational, {}).empty());
}

TEST_CASE_METHOD(RawFragments, "an authentic message whose fragments make no chain of payloads ends the IKE SA, as a whole one does") {
    peer.establish();
    (void)peer.request(ExchangeType::informational, {});
    REQUIRE(peer.ask(peer.fragment({1, 2}, PayloadType::vendor_id, Bytes{0, 0, 0, 9})).empty());
    REQUIRE(error_in(peer.read(peer.ask(peer.fragment({2, 2}, PayloadType::none, {})))) == NotifyType::invalid_syntax);
    REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
}

TEST_CASE_METHOD(RawFragments, "a fragment inside of fragments is refused") {
    peer.establish();
    (void)peer.request(ExchangeType::informational, {});
    const std::vector<Payload> nested{EncryptedFragment{PayloadType::none, 1, 1, Bytes(60)}};
    ByteWriter chain;
    encode_payload_chain(nested, chain);
    REQUIRE(error_in(peer.read(peer.ask(peer.fragment({1, 1}, PayloadType::encrypted_fragment, chain.view())))) == NotifyType::invalid_syntax);
    REQUIRE_FALSE(hub.is_up());
}
