// Tickets as bytes: sealed, opened, damaged.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/ticket.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const Secret kKey{Bytes(kTicketKeySize, 1)}, kOther{Bytes(kTicketKeySize, 2)};

Ticket full_ticket() {
    return {.profile = "nave0",
            .peer = Identity::parse("spoke.example").value(),
            .suite = default_ike_proposals().front(),
            .derivation = Secret{Bytes(prf_size(default_ike_proposals().front().prf), 3)},
            .trust = Secret{Bytes(Ticket::kTrustSize, 4)},
            .ppk = "site",
            .certificates = {.ids = {{.issuer = {1, 2}, .issuer_key = {7}, .serial = {3}}, {.issuer = {4}, .issuer_key = {8, 9}, .serial = {5, 6}}},
                             .subject = {0x30, 0x00},
                             .valid_until = std::chrono::sys_seconds{std::chrono::seconds{2'000'000'000}}},
            .expires = std::chrono::sys_seconds{std::chrono::seconds{1'900'000'000}}};
}

}  // namespace

TEST_CASE("a ticket opens to what was sealed, with any of the keys that has sealed it") {
    SystemRandom random;
    Ticket plain = full_ticket();
    plain.ppk.clear(), plain.certificates = {};
    for (const Ticket& ticket : {full_ticket(), plain}) {
        const Bytes sealed = seal_ticket(ticket, kKey, random);
        for (const auto& keys : {std::array{kKey, kOther}, std::array{kOther, kKey}}) REQUIRE(open_ticket(sealed, keys).value() == ticket);
        REQUIRE(seal_ticket(ticket, kKey, random) != sealed);
    }
}

TEST_CASE("a ticket that anybody has touched, cut or sealed with another key does not open") {
    SystemRandom random;
    const Bytes sealed = seal_ticket(full_ticket(), kKey, random);
    REQUIRE(open_ticket(sealed, std::array{kOther}).error() == TicketError::unknown_key);
    REQUIRE(open_ticket(sealed, {}).error() == TicketError::unknown_key);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes damaged = sealed;
        damaged[i] ^= 0x40;
        REQUIRE_FALSE(open_ticket(damaged, std::array{kKey}));
        REQUIRE_FALSE(open_ticket(ByteView{sealed}.first(i), std::array{kKey}));
    }
}

TEST_CASE("the content of a ticket is read whole or not at all") {
    const Secret content = encode_ticket(full_ticket());
    REQUIRE(decode_ticket(content.view()) == full_ticket());
    for (std::size_t i = 0; i < content.size(); ++i) REQUIRE_FALSE(decode_ticket(content.view().first(i)));
    Bytes longer{content.view().begin(), content.view().end()};
    longer.push_back(0);
    REQUIRE_FALSE(decode_ticket(longer));
}

TEST_CASE("the keys of a resumed session follow from SK_d and both nonces, as RFC 5723 section 5.1 says") {
    const Bytes ni(32, 5), nr(32, 6);
    const Secret derivation{Bytes(32, 7)};
    const IkeProposal suite = parse_ike_proposal("aes-gcm-128/prf-sha256/x25519").value();
    Bytes input;
    for (const ByteView part : {as_bytes("Resumption"), ByteView{ni}, ByteView{nr}}) input.insert(input.end(), part.begin(), part.end());
    REQUIRE(resumption_skeyseed(derivation, {suite, ni, nr, 1, 2}) == prf(Prf::hmac_sha256, derivation.view(), {input}));
}

TEST_CASE("a full book of tickets gives up the one that expires first") {
    TicketBook book;
    const auto address = [](std::size_t i) { return NbmaAddress{IpAddress::v4(static_cast<std::uint32_t>(i))}; };
    for (std::size_t i = 0; i <= TicketBook::kTicketsMax; ++i)
        book.keep(ProfileId{}, address(i), {.opaque = {1}, .expires_at = TimePoint{std::chrono::seconds{100 + i}}, .grounds = {}});
    REQUIRE_FALSE(book.find(ProfileId{}, address(0), TimePoint{}));
    REQUIRE(book.find(ProfileId{}, address(1), TimePoint{}));
    REQUIRE_FALSE(book.find(ProfileId{}, address(1), TimePoint{std::chrono::seconds{101}}));
    book.forget(ProfileId{}, address(1));
    REQUIRE_FALSE(book.find(ProfileId{}, address(1), TimePoint{}));
    REQUIRE_FALSE(book.find(ProfileId{1}, address(2), TimePoint{}));
}
