// A hub that hands out tickets (RFC 5723) and its spoke, for plays of session resumption.
#pragma once

#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>
#include <utility>

namespace nave::ike::play {

/// The spoke asks for tickets.
struct Resuming {
    Lab lab{5723};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    Resuming() {
        hub.settings.ticket_keys = {Secret{Bytes(32, 7)}};
        restart_hub();
    }
    void restart_hub() { hub.start(); }
    void connect(std::string_view expected = "hub.example") {
        const ConnectRequest request{.profile = {}, .local = {spoke.address, 500}, .remote = {hub.address, 500}, .expected = pattern(expected), .token = 1, .resumable = true};
        lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.connect(request, lab.now, out); });
    }
    void establish() {
        connect();
        lab.run();
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE(hub.count("tickets-handed-out") == 1);
        REQUIRE(spoke.count("tickets-received") == 1);
    }
    /// The hub loses its memory, and the spoke finds it dead.
    void lose_hub() {
        restart_hub();
        while (spoke.is_up()) lab.advance(1s);
        REQUIRE(spoke.downs.back().reason == DownReason::timed_out);
    }
    bool is_resumed() const { return Lab::talk(spoke, hub) && hub.logged("authenticated spoke.example by the ticket of an earlier session"); }
    /// The hub refuses the ticket for this reason, and the spoke is let in by a full exchange at once.
    void refused(std::string_view words) {
        const std::uint64_t before = spoke.count("resumptions");
        connect();
        lab.run();
        CAPTURE(hub.logs);
        CHECK(spoke.count("resumptions") == before + 1);
        CHECK(hub.count("tickets-refused") == 1);
        CHECK(hub.logged(words));
        CHECK(spoke.logged("the peer does not take our ticket (TICKET_NACK); starting anew"));
        CHECK(Lab::talk(spoke, hub));
        CHECK_FALSE(is_resumed());
    }
    void move_spoke(std::string_view address) {
        const NbmaAddress old = std::exchange(spoke.address, at(address).address);
        lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.local_address_gone(old, lab.now, out); });
    }
};

inline Message read(const Packet& packet) { return decode_message(packet.payload).value(); }

}  // namespace nave::ike::play
