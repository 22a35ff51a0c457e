// Failures that other implementations of IKEv2 published, played against ours; README.md has the table of all of them.
#include "tests/unit/ike/hex.hpp"
#include "tests/unit/ike/raw_peer.hpp"

#include "controlplane/ike/crypto_signature.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Known {
    Lab lab{77};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.50"};
};

}  // namespace

TEST_CASE_METHOD(Known, "before IKE_AUTH no other protected request is taken, however genuine, and IKE_AUTH still is") {
    peer.init();
    const std::vector<Payload> farewell{DeletePayload{.protocol = Protocol::ike}};
    for (const ExchangeType type : {ExchangeType::informational, ExchangeType::create_child_sa}) {
        CHECK(peer.ask(peer.request(type, farewell)).empty());
        CHECK(peer.ask(peer.request(type, peer.gre_child())).empty());
        peer.next_id = 1;
    }
    CHECK(hub.count("unexpected-requests") >= 2);
    CHECK(hub.ups.empty());
    CHECK_FALSE(error_in(peer.exchange(ExchangeType::ike_auth, peer.authentication() + peer.gre_child())));
    CHECK(hub.is_up());
}

TEST_CASE_METHOD(Known, "REKEY_SA of another protocol than ESP, or with an SPI of another size, names no child SA and harms none") {
    peer.establish();
    const std::size_t spis = hub.spis.size();
    const Bytes held{0x12, 0x34, 0x56, 0x78};
    const auto named = [](Protocol protocol, Bytes spi) { return Notify{.type = NotifyType::rekey_sa, .protocol = protocol, .spi = std::move(spi)}; };
    for (const Notify& wrong : {named(Protocol{0}, {}), named(Protocol::ike, Bytes(8, 1)), named(Protocol{2}, held), named(Protocol{77}, held), named(Protocol::esp, {}),
                                named(Protocol::esp, Bytes(200, 1))}) {
        const auto answer = peer.exchange(ExchangeType::create_child_sa, std::vector<Payload>{wrong, NoncePayload{Bytes(32, 7)}} + peer.gre_child(0x1000));
        CHECK(error_in(answer) == NotifyType::child_sa_not_found);
    }
    CHECK(hub.is_up());
    CHECK(hub.spis.size() == spis);
    CHECK(hub.view().children.size() == 1);
}

TEST_CASE_METHOD(Known, "what comes behind a DELETE of the IKE SA, in the same message or later, is not acted upon") {
    peer.establish();
    const std::vector<Payload> all{DeletePayload{.protocol = Protocol::ike}, Notify{.type = NotifyType::initial_contact},
                                   DeletePayload{.protocol = Protocol::esp, .spis = {Spi{0x12345678}}}, DeletePayload{.protocol = Protocol::ike},
                                   Notify{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = {0x12, 0x34, 0x56, 0x78}}};
    CHECK(peer.exchange(ExchangeType::informational, all).empty());
    CHECK(hub.downs.size() == 1);
    CHECK(hub.inbound.empty());
    CHECK(hub.spis.empty());
    CHECK(peer.ask(peer.request(ExchangeType::informational, {Notify{.type = NotifyType::initial_contact}})).empty());
    CHECK(peer.ask(peer.request(ExchangeType::create_child_sa, std::vector<Payload>{NoncePayload{Bytes(32, 7)}} + peer.gre_child(0x1000))).empty());
    CHECK(hub.downs.size() == 1);
    CHECK(hub.spis.empty());
}

TEST_CASE("a PSS salt of any other length than the hash's is no algorithm: not none, not negative, not near 2^32") {
    const Bytes good = encode_algorithm({SignatureScheme::rsa_pss, SignatureHash::sha256});
    const Bytes salt = hex("a203020120");
    const auto at = std::ranges::search(good, salt).begin();
    REQUIRE(at != good.end());
    for (const char* other : {"a203020100", "a203020114", "a203020121", "a2030201ff", "a206020480000000", "a20602047fffffff", "a207020500ffffffff", "a2020200"}) {
        const Bytes wrong = hex(other);
        Bytes der(good.begin(), at);
        der.insert(der.end(), wrong.begin(), wrong.end());
        der.insert(der.end(), at + static_cast<std::ptrdiff_t>(salt.size()), good.end());
        // The two sequences around it: the whole, and the parameters behind the OID of 11 bytes.
        der[1] = static_cast<std::uint8_t>(der.size() - 2);
        der[14] = static_cast<std::uint8_t>(der.size() - 15);
        CAPTURE(other);
        CHECK_FALSE(decode_algorithm(der));
    }
    Bytes same(good);
    same[14] = static_cast<std::uint8_t>(same.size() - 15);
    CHECK(decode_algorithm(same));
}

TEST_CASE_METHOD(Known, "an SA payload may not make a group of its own choice: KE of another group than the chosen one computes nothing") {
    for (const unsigned group : {1u, 2u, 5u, 22u, 25u, 0xffffu}) {
        Bytes request = peer.init_request();
        auto message = decode_message(request).value();
        for (Payload& payload : message.payloads)
            if (auto* key_exchange = std::get_if<KeyExchange>(&payload)) key_exchange->group = Group{static_cast<std::uint16_t>(group)};
        const Bytes answer = peer.ask(encode_message(message.header, message.payloads));
        REQUIRE_FALSE(answer.empty());
        CHECK(error_in(decode_message(answer)->payloads) == NotifyType::invalid_ke_payload);
    }
    CHECK(hub.endpoint->snapshot().empty());
}
