// Identities: text and wire forms, and the patterns that choose keys and policy by them.
#include "controlplane/ike/identity.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using Type = Identity::Type;

namespace {

bool matches(const char* pattern, const char* identity) { return IdentityPattern::parse(pattern).value().matches(Identity::parse(identity).value()); }
int specificity(const char* pattern) { return IdentityPattern::parse(pattern).value().specificity(); }

}  // namespace

TEST_CASE("an IP address as identity holds its 4 or 16 bytes") {
    CHECK(Identity::parse("192.0.2.11") == Identity{Type::ipv4_address, hex("c000020b")});
    CHECK(Identity::parse("2001:db8::1") == Identity{Type::ipv6_address, hex("20010db8000000000000000000000001")});
    CHECK(Identity::of(ip("192.0.2.11")) == Identity::parse("192.0.2.11"));
}

TEST_CASE("a name without @ is a domain name, with @ a mail address, and @# starts a key id") {
    CHECK(Identity::parse("spoke1.example") == Identity{Type::fqdn, to_bytes("spoke1.example")});
    CHECK(Identity::parse("spoke1@example.org") == Identity{Type::rfc822_address, to_bytes("spoke1@example.org")});
    CHECK(Identity::parse("@#00fF10") == Identity{Type::key_id, hex("00ff10")});
}

TEST_CASE("text that is no identity is refused") {
    for (const char* text : {"", " ", "a b", "spoke\n", "@", "@example", "a@", "a@b@c", "@#", "@#0", "@#0g", ".example", "*",
                             "a/b", "10.0.0.256", "caf\xc3\xa9", "fqdn:a"}) {
        INFO(text);
        CHECK_FALSE(Identity::parse(text));
    }
}

TEST_CASE("an identity prints what it was read from") {
    for (const char* text : {"192.0.2.11", "2001:db8::1", "spoke1.example", "spoke_1-a.Example",
                             "ops+1@example.org", "@#00ff10"}) CHECK(Identity::parse(text)->to_string() == text);
}

TEST_CASE("unprintable bytes of a peer's identity become escapes on one line") {
    CHECK(Identity{Type::fqdn, to_bytes(std::string_view{"a\n\0b\\", 5})}.to_string() == "fqdn:a\\x0a\\x00b\\x5c");
    CHECK(Identity{Type::fqdn, {}}.to_string() == "fqdn:");
}

TEST_CASE("an identity cannot print as another one of a different type") {
    CHECK(Identity{Type::fqdn, to_bytes("192.0.2.1")}.to_string() == "fqdn:192.0.2.1");
    CHECK(Identity{Type::fqdn, to_bytes("admin@example.org")}.to_string() == "fqdn:admin@example.org");
    CHECK(Identity{Type::rfc822_address, to_bytes("hub.example")}.to_string() == "rfc822:hub.example");
    CHECK(Identity{Type::ipv4_address, hex("c00002")}.to_string() == "ipv4:c00002");
    CHECK(Identity{Type::der_distinguished_name, hex("3000")}.to_string() == "dn:3000");
    CHECK(Identity{Type{99}, hex("01")}.to_string() == "id-99:01");
}

TEST_CASE("the pattern * matches everybody, whatever the type") {
    const auto everybody = IdentityPattern::parse("*").value();
    CHECK(everybody.matches(Identity::parse("192.0.2.1").value()));
    CHECK(everybody.matches(Identity{Type{99}, {}}));
}

TEST_CASE("a domain suffix matches names below it without regard to case, and neither itself nor a look-alike") {
    CHECK(matches("*.spokes.example", "a.spokes.example"));
    CHECK(matches("*.spokes.example", "B.a.SPOKES.Example"));
    CHECK_FALSE(matches("*.spokes.example", "spokes.example"));
    CHECK_FALSE(matches("*.spokes.example", "aspokes.example"));
    CHECK_FALSE(matches("*.spokes.example", "a.spokes.example.org"));
    CHECK_FALSE(matches("*.spokes.example", "a@b.spokes.example"));
}

TEST_CASE("a name with a zero byte inside matches no suffix") {
    const Identity trick{Type::fqdn, to_bytes(std::string_view{"evil\0.spokes.example", 20})};
    CHECK_FALSE(IdentityPattern::parse("*.spokes.example")->matches(trick));
}

TEST_CASE("a mail domain matches every user of exactly that domain") {
    CHECK(matches("*@example.org", "spoke1@Example.ORG"));
    CHECK_FALSE(matches("*@example.org", "spoke1@sub.example.org"));
    CHECK_FALSE(matches("*@example.org", "example.org"));
}

TEST_CASE("an address block matches address identities only") {
    CHECK(matches("10.0.0.0/8", "10.1.2.3"));
    CHECK_FALSE(matches("10.0.0.0/8", "11.0.0.1"));
    CHECK(matches("2001:db8::/32", "2001:db8::7"));
    CHECK_FALSE(matches("0.0.0.0/0", "2001:db8::7"));
    CHECK_FALSE(matches("0.0.0.0/0", "spoke1.example"));
    CHECK_FALSE(IdentityPattern::parse("0.0.0.0/0")->matches(Identity{Type::ipv4_address, hex("0a0000")}));
}

TEST_CASE("an exact pattern compares domain names without case, mail users with it, key ids byte by byte") {
    CHECK(matches("Hub.example", "hub.EXAMPLE"));
    CHECK(matches("ops@Example.org", "ops@example.org"));
    CHECK_FALSE(matches("Ops@example.org", "ops@example.org"));
    CHECK(matches("@#ab", "@#AB"));
    CHECK_FALSE(matches("@#ab", "@#abab"));
    CHECK_FALSE(IdentityPattern::parse("192.0.2.1")->matches(Identity{Type::fqdn, to_bytes("192.0.2.1")}));
}

TEST_CASE("exact beats suffix or block, the longer of those beats the shorter, and * comes last") {
    CHECK(specificity("a.spokes.example") > specificity("*.spokes.example"));
    CHECK(specificity("*.spokes.example") > specificity("*.example"));
    CHECK(specificity("10.1.0.0/16") > specificity("10.0.0.0/8"));
    CHECK(specificity("10.0.0.1") > specificity("10.0.0.1/32"));
    CHECK(specificity("0.0.0.0/0") > specificity("*"));
    CHECK(specificity("*@a") > specificity("*"));
}

TEST_CASE("text that is no pattern is refused") {
    for (const char* text : {"", "**", "*.", "*@", "*example", "a.*.example", "10.0.0.1/8", "10.0.0.0/33", "*.a b", "a@*"}) {
        INFO(text);
        CHECK_FALSE(IdentityPattern::parse(text));
    }
}
