// Plays under load: cookies, half-open limits, floods of strangers, full tables.
#include "tests/unit/ike/raw_peer.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct UnderLoad {
    Lab lab{61};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");

    /// IKE_SA_INIT requests from ever other forged addresses.
    void flood(std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            RawPeer stranger{lab, hub, IpAddress::v4(0x0a000000 + i).to_string(), 1000 + i};
            stranger.ask(stranger.init_request());
        }
    }
};

Bytes cookie_of(const Bytes& answer) { return find_notify(decode_message(answer)->payloads, NotifyType::cookie)->data; }

}  // namespace

TEST_CASE_METHOD(UnderLoad, "a hub under load asks for a cookie, keeps nothing until it comes, and an honest spoke gets through") {
    hub.settings.cookies_from_half_open = 0;
    hub.start();
    lab.connect(spoke, hub);
    lab.deliver();
    REQUIRE(hub.endpoint->snapshot().empty());
    lab.deliver();  // <-- N(COOKIE)
    lab.deliver();  // IKE_SA_INIT { N(COOKIE), SA, KE, Ni } -->
    REQUIRE(hub.endpoint->snapshot().size() == 1);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(hub.count("cookies-asked") == 1);
    REQUIRE(spoke.count("cookies-answered") == 1);
}

TEST_CASE_METHOD(UnderLoad, "cookies and another group together need two more round trips") {
    hub.settings.cookies_from_half_open = 0;
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-gcm-256/prf-sha384/p384").value()};
    hub.start();
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("invalid-ke-received") == 1);
    REQUIRE(spoke.count("cookies-answered") >= 1);
}

TEST_CASE_METHOD(UnderLoad, "a flood from forged addresses leaves as many half-open SAs as begin the cookies, and no more") {
    flood(500);
    REQUIRE(hub.endpoint->snapshot().size() == hub.settings.cookies_from_half_open);
    REQUIRE(hub.count("cookies-asked") == 500 - hub.settings.cookies_from_half_open);
    REQUIRE(hub.logs.size() < 100);
    lab.establish(spoke, hub);
}

TEST_CASE_METHOD(UnderLoad, "half-open SAs are forgotten after a while, and cookies are not asked for any more") {
    flood(100);
    lab.advance(40s);
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE_FALSE(hub.endpoint->next_deadline());
    REQUIRE(hub.count("half-open-expired") == hub.settings.cookies_from_half_open);
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("cookies-answered") == 0);
}

TEST_CASE_METHOD(UnderLoad, "a cookie is good only for the address, SPI and nonce that it was made for") {
    hub.settings.cookies_from_half_open = 0;
    hub.start();
    RawPeer honest{lab, hub, "192.0.2.30", 1}, thief{lab, hub, "192.0.2.31", 2};
    const Bytes cookie = cookie_of(honest.ask(honest.init_request()));
    thief.ask(thief.init_request());
    thief.ask(thief.init_request({Notify{.type = NotifyType::cookie, .data = cookie}}));
    REQUIRE(hub.count("cookies-wrong") == 1);
    REQUIRE(hub.endpoint->snapshot().empty());
    honest.ask(honest.init_request({Notify{.type = NotifyType::cookie, .data = cookie}}));
    REQUIRE(hub.endpoint->snapshot().size() == 1);
}

TEST_CASE_METHOD(UnderLoad, "a cookie grows stale as the secret rotates") {
    hub.settings.cookies_from_half_open = 0;
    hub.start();
    RawPeer slow{lab, hub, "192.0.2.30", 1}, other{lab, hub, "192.0.2.31", 2};
    const Bytes cookie = cookie_of(slow.ask(slow.init_request()));
    for (int i = 0; i < 3; ++i) {
        lab.advance(61s);
        other.ask(other.init_request());  // the secret is renewed when a cookie is made
    }
    slow.ask(slow.init_request({Notify{.type = NotifyType::cookie, .data = cookie}}));
    REQUIRE(hub.count("cookies-wrong") == 1);
}

TEST_CASE_METHOD(UnderLoad, "one source cannot hold more than its share of half-open SAs, whatever cookies it shows") {
    hub.settings.half_open_per_source_max = 4;
    hub.start();
    for (std::uint64_t i = 0; i < 10; ++i) {
        RawPeer greedy{lab, hub, "192.0.2.30", 10 + i};
        const Bytes answer = greedy.ask(greedy.init_request());
        if (i > 0) greedy.ask(greedy.init_request({Notify{.type = NotifyType::cookie, .data = cookie_of(answer)}}));
    }
    REQUIRE(hub.endpoint->snapshot().size() == 4);
    REQUIRE(hub.count("limit-half-open-per-source") == 6);
    lab.establish(spoke, hub);  // another source
}

TEST_CASE_METHOD(UnderLoad, "the addresses of one IPv6 /64 share what one source may hold") {
    hub.settings.half_open_per_source_max = 4;
    hub.start();
    for (std::uint64_t i = 0; i < 10; ++i) {
        RawPeer greedy{lab, hub, fmt::format("2001:db8:0:1::{}", i + 1), 10 + i};
        const Bytes answer = greedy.ask(greedy.init_request());
        if (i > 0) greedy.ask(greedy.init_request({Notify{.type = NotifyType::cookie, .data = cookie_of(answer)}}));
    }
    REQUIRE(hub.endpoint->snapshot().size() == 4);
    RawPeer neighbour{lab, hub, "2001:db8:0:2::1", 30};
    neighbour.ask(neighbour.init_request());
    REQUIRE(hub.endpoint->snapshot().size() == 5);
}

TEST_CASE_METHOD(UnderLoad, "requests that carry a spoke's address but not its cookies do not keep the spoke out") {
    for (std::uint64_t i = 0; i < 100; ++i) {
        RawPeer forger{lab, hub, "192.0.2.10", 10 + i};
        forger.ask(forger.init_request());
    }
    REQUIRE(hub.endpoint->snapshot().size() == 4);
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("cookies-answered") == 1);
    REQUIRE(hub.count("limit-half-open-per-source") == 0);
}

TEST_CASE_METHOD(UnderLoad, "the number of half-open SAs is bounded in all") {
    hub.settings.half_open_max = 20;
    hub.settings.cookies_from_half_open = 1000;
    hub.start();
    flood(50);
    REQUIRE(hub.endpoint->snapshot().size() == 20);
    REQUIRE(hub.count("limit-half-open") == 30);
}

TEST_CASE_METHOD(UnderLoad, "a hub that is full refuses the next peer after it is authenticated, and takes it when there is room") {
    hub.settings.established_max = 1;
    hub.start();
    lab.establish(spoke, hub);
    Gateway& late = lab.gateway("late", "192.0.2.11");
    lab.connect(late, hub, 4);
    lab.run();
    REQUIRE(late.downs.at(0).reason == DownReason::refused_by_peer);
    REQUIRE(hub.count("limit-established") == 1);
    lab.close(spoke);
    lab.run();
    lab.establish(late, hub);
}

TEST_CASE_METHOD(UnderLoad, "a gateway that is full starts no attempt of its own") {
    spoke.settings.established_max = 0;
    spoke.start();
    lab.connect(spoke, hub, 6);
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.downs.at(0).reason == DownReason::limit_reached);
    REQUIRE(spoke.downs.at(0).token == 6);
}

TEST_CASE_METHOD(UnderLoad, "a responder without a free SPI answers NO_ADDITIONAL_SAS and closes the childless IKE SA") {
    hub.spis_max = 0;
    lab.connect(spoke, hub);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::no_child);
    REQUIRE(hub.ups.empty());
    lab.advance(15s);
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE(spoke.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(UnderLoad, "an initiator without a free SPI gives up before IKE_AUTH") {
    spoke.spis_max = 0;
    lab.connect(spoke, hub);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::limit_reached);
}

TEST_CASE_METHOD(UnderLoad, "refusals of strangers fill no log: ten lines a second") {
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-cbc-256/sha512/prf-sha512/p384").value()};
    hub.settings.cookies_from_half_open = 1000;
    hub.start();
    flood(200);
    REQUIRE(hub.count("no-proposal-chosen") == 200);
    REQUIRE(hub.logs.size() <= 10);
    REQUIRE(hub.count("log-lines-suppressed") == 190);
}

TEST_CASE_METHOD(UnderLoad, "forty spokes come up at once, live, and go, and leave nothing behind") {
    std::vector<Gateway*> spokes;
    for (std::uint32_t i = 0; i < 40; ++i) spokes.push_back(&lab.gateway("s" + std::to_string(i), IpAddress::v4(0x0a010000 + i).to_string()));
    for (Gateway* each : spokes) lab.connect(*each, hub);
    lab.run();
    REQUIRE(hub.ups.size() == 40);
    REQUIRE(hub.spis.size() == 40);
    lab.advance(60s);
    for (Gateway* each : spokes) lab.close(*each);
    lab.advance(15s);
    REQUIRE(hub.downs.size() == 40);
    REQUIRE(hub.spis.empty());
    REQUIRE(hub.endpoint->snapshot().empty());
}
