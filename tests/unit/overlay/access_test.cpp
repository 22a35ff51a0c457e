// Tests of who may hold which addresses.
#include "controlplane/overlay/access.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::overlay;
using nave::nhrp::CieCode;

namespace {

Prefix prefix(const char* text) { return *Prefix::parse(text); }
ike::Identity identity(const char* text) { return *ike::Identity::parse(text); }
AccessRule rule(const char* who, std::vector<Prefix> addresses, std::vector<Prefix> prefixes, bool hub = false) {
    return {*ike::IdentityPattern::parse(who), std::move(addresses), std::move(prefixes), GroupId{7}, hub};
}
Tunnel tunnel_of(std::vector<AccessRule> rules, const Prefix& network, const char* own, TunnelId id = {}) {
    Tunnel tunnel;
    tunnel.id = id, tunnel.access = std::move(rules), tunnel.address = {*IpAddress::parse(own)}, tunnel.address_length = network.length;
    return tunnel;
}
struct OwnClaims { Claims claims; };
/// Of the only tunnel of its table.
struct LoneAccess : OwnClaims, Access {
    LoneAccess(std::vector<AccessRule> rules, const Prefix& network, const char* own) : Access{tunnel_of(std::move(rules), network, own), claims} {}
};
/// A spoke with fixed addresses, spokes that share blocks, and a hub that may relay.
LoneAccess make() {
    return LoneAccess{{rule("bank.spokes.example", {prefix("10.255.0.9/32")}, {prefix("10.9.0.0/24")}),
                   rule("*.spokes.example", {prefix("10.255.0.0/25")}, {prefix("10.0.0.0/9")}), rule("hub2.example", {}, {}, true)},
                  prefix("10.255.0.0/24"), "10.255.0.1"};
}
const ike::Identity kA = identity("a.spokes.example"), kB = identity("b.spokes.example"), kBank = identity("bank.spokes.example");

}  // namespace

TEST_CASE("an identity that no rule names is refused everything") {
    const LoneAccess access = make();
    CHECK(access.rule(identity("stranger.example")) == nullptr);
    CHECK(access.refusal(identity("stranger.example"), prefix("10.255.0.5/32")) == CieCode::administratively_prohibited);
    CHECK_FALSE(access.permits(identity("stranger.example"), prefix("10.5.0.0/24")));
}

TEST_CASE("the first rule that matches decides") {
    const LoneAccess access = make();
    CHECK_FALSE(access.refusal(kBank, prefix("10.255.0.9/32")));
    CHECK(access.refusal(kBank, prefix("10.255.0.5/32")) == CieCode::administratively_prohibited);
}

TEST_CASE("the subject of its certificate says how a peer is treated, not what it may hold") {
    auto small = rule("O=Example, OU=Small, CN=*", {prefix("10.255.0.0/25")}, {});
    small.rates.to = 20'000'000;
    const LoneAccess access{{small, rule("*.spokes.example", {}, {prefix("10.0.0.0/9")})}, prefix("10.255.0.0/24"), "10.255.0.1"};
    CHECK(access.treatment(kA, identity("O=Example, OU=Small, CN=a"), "")->rates.to == 20'000'000);
    CHECK(access.treatment(identity("O=Example, OU=Small, CN=a"), std::nullopt, "")->rates.to == 20'000'000);
    CHECK_FALSE(access.treatment(kA, identity("O=Example, OU=Large, CN=a"), "")->rates.to);
    CHECK_FALSE(access.treatment(kA, std::nullopt, "")->rates.to);
    CHECK(access.treatment(identity("stranger.example"), identity("O=Other, OU=Small, CN=a"), "") == nullptr);
    CHECK_FALSE(access.permits(kA, prefix("10.255.0.5/32")));
}

TEST_CASE("within its block a spoke may hold any free tunnel address, outside none") {
    const LoneAccess access = make();
    CHECK_FALSE(access.refusal(kA, prefix("10.255.0.5/32")));
    CHECK(access.refusal(kA, prefix("10.255.0.200/32")) == CieCode::administratively_prohibited);
}

TEST_CASE("the gateway's own tunnel address belongs to nobody else") {
    CHECK(make().refusal(kA, prefix("10.255.0.1/32")) == CieCode::administratively_prohibited);
}

TEST_CASE("a tunnel address that another live identity holds is refused as already registered") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.255.0.5/32"));
    CHECK(access.refusal(kB, prefix("10.255.0.5/32")) == CieCode::already_registered);
}

TEST_CASE("the same identity may register again what it holds") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.255.0.5/32"));
    access.claim(kA, prefix("10.5.0.0/24"));
    CHECK_FALSE(access.refusal(kA, prefix("10.255.0.5/32")));
    CHECK_FALSE(access.refusal(kA, prefix("10.5.0.0/24")));
}

TEST_CASE("an address is free again when its holder is gone") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.255.0.5/32"));
    access.release(kA, prefix("10.255.0.5/32"));
    CHECK_FALSE(access.refusal(kB, prefix("10.255.0.5/32")));
    CHECK(access.claims.size() == 0);
}

TEST_CASE("nobody can release what another holds") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.255.0.5/32"));
    access.release(kB, prefix("10.255.0.5/32"));
    REQUIRE(access.claims.holder(prefix("10.255.0.5/32")));
    CHECK(*access.claims.holder(prefix("10.255.0.5/32")) == kA);
}

TEST_CASE("a part of another's prefix is refused, since it would draw its traffic") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.5.0.0/16"));
    CHECK(access.refusal(kB, prefix("10.5.7.0/24")) == CieCode::not_unique);
}

TEST_CASE("a prefix around another's is refused, since it would let the newcomer send in its name") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.5.7.0/24"));
    CHECK(access.refusal(kB, prefix("10.5.0.0/16")) == CieCode::not_unique);
    CHECK_FALSE(access.refusal(kA, prefix("10.5.0.0/16")));
}

TEST_CASE("a prefix that the operator gave to an identity by name is its own, whoever sits around it") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.9.0.0/16"));
    CHECK_FALSE(access.refusal(kBank, prefix("10.9.0.0/24")));
}

TEST_CASE("not even a prefix given by name is shared by two live identities") {
    LoneAccess access = make();
    access.claim(kA, prefix("10.9.0.0/24"));
    CHECK(access.refusal(kBank, prefix("10.9.0.0/24")) == CieCode::already_registered);
}

TEST_CASE("a prefix given by name around others bounds nobody") {
    LoneAccess access{{rule("exit.example", {}, {prefix("10.0.0.0/8")}), rule("*.spokes.example", {}, {prefix("10.0.0.0/9")})}, prefix("172.31.0.0/24"),
                  "172.31.0.1"};
    CHECK_FALSE(access.refusal(identity("exit.example"), prefix("10.0.0.0/8")));
    access.claim(identity("exit.example"), prefix("10.0.0.0/8"));
    CHECK_FALSE(access.refusal(kA, prefix("10.5.0.0/24")));
}

TEST_CASE("a prefix behind the gateway itself cannot be taken, nor a part of it, nor what is around it") {
    LoneAccess access = make();
    access.set_local(prefix("10.20.0.0/24"), true);
    CHECK(access.refusal(kA, prefix("10.20.0.0/24")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("10.20.0.128/25")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("10.20.0.0/16")) == CieCode::administratively_prohibited);
    access.set_local(prefix("10.20.0.0/24"), false);
    CHECK_FALSE(access.refusal(kA, prefix("10.20.0.0/24")));
}

TEST_CASE("a part of the tunnel's subnet is no prefix to register") {
    LoneAccess access{{rule("*", {prefix("0.0.0.0/0")}, {prefix("0.0.0.0/0")})}, prefix("10.255.0.0/24"), "10.255.0.1"};
    CHECK(access.refusal(kA, prefix("10.255.0.0/25")) == CieCode::administratively_prohibited);
    CHECK_FALSE(access.refusal(kA, prefix("10.255.0.4/32")));
}

TEST_CASE("a hub may answer for every prefix") {
    const LoneAccess access = make();
    CHECK(access.permits(identity("hub2.example"), prefix("172.16.0.0/12")));
    CHECK_FALSE(access.permits(kA, prefix("172.16.0.0/12")));
    CHECK(access.permits(kA, prefix("10.5.0.0/24")));
}

TEST_CASE("the rule carries the identity's group") { CHECK(make().rule(kA)->group == GroupId{7}); }

TEST_CASE("what a rule names more closely is kept for its identities, also while they are away") {
    const LoneAccess access = make();
    CHECK(access.refusal(kA, prefix("10.255.0.9/32")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("10.9.0.128/25")) == CieCode::administratively_prohibited);
    CHECK_FALSE(access.permits(kA, prefix("10.9.0.0/24")));
    CHECK_FALSE(access.refusal(kBank, prefix("10.9.0.0/24")));
}

TEST_CASE("a prefix around the tunnel's network is nobody's, as it would cover every tunnel address") {
    const LoneAccess wide{{rule("*", {prefix("10.255.0.0/24")}, {prefix("10.0.0.0/8")})}, prefix("10.255.0.0/24"), "10.255.0.1"};
    CHECK(wide.refusal(kA, prefix("10.0.0.0/8")) == CieCode::administratively_prohibited);
    CHECK_FALSE(wide.refusal(kA, prefix("10.1.0.0/16")));
}

TEST_CASE("addresses and prefixes of IPv6 are bounded, reserved and taken like those of IPv4") {
    LoneAccess access{{rule("bank.spokes.example", {prefix("fd00:255::9/128")}, {prefix("fd00:16:9::/48")}),
                   rule("*.spokes.example", {prefix("fd00:255::/64")}, {prefix("fd00:16::/32")})},
                  prefix("fd00:255::/64"), "fd00:255::1"};
    CHECK_FALSE(access.refusal(kA, prefix("fd00:255::5/128")));
    CHECK(access.refusal(kA, prefix("fd00:255::9/128")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("fd00:255::1/128")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("fd00:255::/96")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("fd00:17::/48")) == CieCode::administratively_prohibited);
    CHECK(access.refusal(kA, prefix("10.0.0.0/24")) == CieCode::administratively_prohibited);
    access.claim(kB, prefix("fd00:16:11::/64"));
    CHECK(access.refusal(kA, prefix("fd00:16:11::/64")) == CieCode::already_registered);
    CHECK(access.refusal(kA, prefix("fd00:16:11:0:8000::/65")) == CieCode::not_unique);
    CHECK_FALSE(access.refusal(kA, prefix("fd00:16:11:1::/64")));
}

TEST_CASE("a rule for an NHRP group gives no rights, and says how a peer is treated that calls itself so") {
    AccessRule branch = rule("*.spokes.example", {prefix("10.255.0.0/24")}, {prefix("0.0.0.0/0")}, true);
    branch.nhrp_group = "branch", branch.group = GroupId{9};
    const LoneAccess access{{branch, rule("*.spokes.example", {prefix("10.255.0.0/25")}, {prefix("10.0.0.0/9")})}, prefix("10.255.0.0/24"), "10.255.0.1"};
    CHECK_FALSE(access.rule(kA)->hub);
    CHECK_FALSE(access.permits(kA, prefix("192.168.1.0/24")));
    CHECK(access.permits(kA, prefix("10.5.0.0/24")));
    CHECK(access.treatment(kA, {}, "branch")->group == GroupId{9});
    CHECK(access.treatment(kA, {}, "depot")->group == GroupId{7});
    CHECK(access.treatment(kA, {}, "")->group == GroupId{7});
    CHECK(access.treatment(identity("stranger.example"), {}, "branch") == nullptr);
}

namespace {
/// Two tunnels of one table, whose rules let every spoke have what is in 10/9.
struct TwoTunnels {
    Claims claims;
    Access first{tunnel_of({rule("*.spokes.example", {prefix("10.255.0.0/24")}, {prefix("10.0.0.0/9")})}, prefix("10.255.0.0/24"), "10.255.0.1", TunnelId{0}), claims};
    Access second{tunnel_of({rule("bank.spokes.example", {}, {prefix("10.9.0.0/24")}), rule("*.spokes.example", {prefix("10.255.1.0/24")}, {prefix("10.0.0.0/9")})},
                            prefix("10.255.1.0/24"), "10.255.1.1", TunnelId{1}), claims};
};
}  // namespace

TEST_CASE("what is held through one tunnel of a table is held in all of them") {
    TwoTunnels t;
    t.first.claim(kA, prefix("10.5.0.0/16"));
    CHECK(t.second.refusal(kB, prefix("10.5.0.0/16")) == CieCode::already_registered);
    CHECK(t.second.refusal(kB, prefix("10.5.7.0/24")) == CieCode::not_unique);
    CHECK(t.second.refusal(kB, prefix("10.4.0.0/15")) == CieCode::not_unique);
    CHECK_FALSE(t.second.refusal(kB, prefix("10.6.0.0/16")));
}

TEST_CASE("one identity may hold a prefix, and parts of it, through several tunnels, and has it until the last one is gone") {
    TwoTunnels t;
    t.first.claim(kA, prefix("10.5.0.0/16"));
    CHECK_FALSE(t.second.refusal(kA, prefix("10.5.0.0/16")));
    CHECK_FALSE(t.second.refusal(kA, prefix("10.5.7.0/24")));
    t.second.claim(kA, prefix("10.5.0.0/16"));
    t.first.release(kA, prefix("10.5.0.0/16"));
    CHECK(t.first.refusal(kB, prefix("10.5.0.0/16")) == CieCode::already_registered);
    t.second.release(kA, prefix("10.5.0.0/16"));
    CHECK_FALSE(t.first.refusal(kB, prefix("10.5.0.0/16")));
    CHECK(t.claims.size() == 0);
}

TEST_CASE("what an identity may hold says the rule of the tunnel that it comes through") {
    TwoTunnels t;
    CHECK_FALSE(t.first.refusal(kBank, prefix("10.5.0.0/24")));
    t.first.claim(kBank, prefix("10.5.0.0/24"));
    CHECK(t.second.refusal(kBank, prefix("10.5.0.0/24")) == CieCode::administratively_prohibited);
    CHECK_FALSE(t.second.refusal(kBank, prefix("10.9.0.0/24")));
}
