// Distinguished names as identities: their text, their encodings, and patterns with wildcards.
#include "controlplane/ike/crypto_name.hpp"
#include "controlplane/ike/identity.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

bool matches_name(const char* pattern, const char* identity) { return IdentityPattern::parse(pattern).value().matches(Identity::parse(identity).value()); }

}  // namespace

TEST_CASE("a distinguished name is read in the order of the certificate, and encoded as OpenSSL encodes it") {
    const auto name = Identity::parse("C=DE, O=Example, CN=spoke1");
    REQUIRE(name);
    CHECK(name->type == Identity::Type::der_distinguished_name);
    CHECK(name->data == hex("3030310b300906035504061302444531 10300e060355040a0c074578616d706c65310f300d06035504030c0673706f6b6531"));
    CHECK(name->to_string() == "C=DE, O=Example, CN=spoke1");
}

TEST_CASE("spaces around signs, long names and OIDs of attribute types, and small letters are the same name") {
    for (const char* text : {"C=DE,O=Example,CN=spoke1", "  C = DE ,  O = Example , CN = spoke1 ",
                             "countryName=DE, organizationName=Example, commonName=spoke1", "c=DE, o=Example, cn=spoke1",
                             "2.5.4.6=DE, 2.5.4.10=Example, 2.5.4.3=spoke1"}) {
        CAPTURE(text);
        CHECK(Identity::parse(text) == Identity::parse("C=DE, O=Example, CN=spoke1"));
    }
}

TEST_CASE("signs inside of a value are escaped, and come back") {
    for (const char* text : {"CN=a\\, b", "CN=a\\+b\\=c", "CN=\\*", "CN=\\20a\\20", "CN=caf\\c3\\a9", "CN=b+OU=a, O=c", "CN=\\\\", "CN=a b", "1.2.3.4=x", "CN=\\#a", "CN=\\0a"}) {
        const auto identity = Identity::parse(text);
        CAPTURE(text);
        REQUIRE(identity);
        CHECK(identity->to_string() == text);
    }
    CHECK(parse_name("CN=caf\xc3\xa9")->at(0).value == "caf\xc3\xa9");
}

TEST_CASE("text that is no distinguished name is refused") {
    for (const char* text : {"CN=", "CN=a,", "CN=a,,O=b", "=a", "XY=a", "CN=a\\", "C=DEU", "CN=a, b", "CN=*", "CN=\xff"}) {
        CAPTURE(text);
        CHECK_FALSE(Identity::parse(text));
    }
    CHECK(Identity::parse("a=b@example.org")->type == Identity::Type::rfc822_address);  // not a type that anybody knows
}

TEST_CASE("encodings of one name are one identity; bytes that are no name are themselves alone") {
    const Identity utf8 = Identity::parse("O=Example").value();
    const Identity printable{Identity::Type::der_distinguished_name, hex("30123110300e060355040a13074578616d706c65")};
    CHECK(utf8 != printable);
    CHECK(same_identity(utf8, printable));
    CHECK(printable.to_string() == "O=Example");
    const Identity broken{Identity::Type::der_distinguished_name, hex("30123110300e060355040a13074578616d70")};
    CHECK(same_identity(broken, broken));
    CHECK_FALSE(same_identity(broken, printable));
    CHECK(broken.to_string() == "dn:30123110300e060355040a13074578616d70");
}

TEST_CASE("names compare without case and repeated spaces, and with everything else") {
    CHECK(matches_name("O=Example Corp, CN=Spoke", "O=example  CORP, CN=spoke"));
    CHECK_FALSE(matches_name("O=Example, CN=spoke", "CN=spoke, O=Example"));
    CHECK_FALSE(matches_name("O=Example", "O=Example, CN=spoke"));
    CHECK_FALSE(matches_name("O=Example, CN=spoke", "O=Example"));
    CHECK_FALSE(matches_name("CN=spoke", "OU=spoke"));
    CHECK_FALSE(matches_name("OU=a+CN=b", "OU=a, CN=b"));
    CHECK(matches_name("OU=a+CN=b", "CN=b+OU=a"));  // one RDN is a set
    CHECK(matches_name("OU=*+CN=b, O=c", "CN=b+OU=a, O=c"));
}

TEST_CASE("a wildcard stands for any one value of its attribute") {
    CHECK(matches_name("O=Example, OU=*, CN=*", "O=Example, OU=spokes, CN=spoke1"));
    CHECK_FALSE(matches_name("O=Example, OU=*, CN=*", "O=Other, OU=spokes, CN=spoke1"));
    CHECK_FALSE(matches_name("O=Example, CN=*", "O=Example, OU=spokes, CN=spoke1"));
    CHECK_FALSE(matches_name("O=Example, CN=*", "spoke1.example"));
    CHECK_FALSE(matches_name("CN=\\*", "CN=a"));
    CHECK(IdentityPattern::parse("CN=*")->exact() == std::nullopt);
    CHECK(IdentityPattern::parse("CN=a/b")->exact() == Identity::parse("CN=a/b"));
}

TEST_CASE("of patterns of names the longer is more specific, and an exact one most") {
    const auto specificity = [](const char* text) { return IdentityPattern::parse(text).value().specificity(); };
    CHECK(specificity("O=Example, CN=a") > specificity("O=Example, CN=*"));
    CHECK(specificity("O=Example, CN=*") > specificity("O=*, CN=*"));
    CHECK(specificity("CN=*") > specificity("*"));
}
