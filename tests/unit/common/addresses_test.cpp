// Addresses: text forms, prefixes, and the two roles that stay apart.
#include "common/addresses.hpp"
#include "common/ids.hpp"

#include <catch2/catch.hpp>
#include <type_traits>

using namespace nave;

TEST_CASE("an IPv4 address reads and prints as dotted decimal") {
    const auto address = IpAddress::parse("192.0.2.1");
    REQUIRE(address);
    CHECK(address->v4_host() == 0xc0000201);
    CHECK(address->to_string() == "192.0.2.1");
    CHECK(*address == IpAddress::v4(0xc0000201));
}

TEST_CASE("an IPv6 address reads and prints in the form of RFC 5952") {
    CHECK(IpAddress::parse("2001:DB8:0:0::1")->to_string() == "2001:db8::1");
}

TEST_CASE("text that is no address is refused") {
    for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "::g", "host"}) CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("an address is made from 4 or 16 bytes only") {
    const std::array<std::uint8_t, 16> bytes{};
    CHECK(IpAddress::from_bytes(std::span{bytes}.first(4))->is_v4());
    CHECK_FALSE(IpAddress::from_bytes(bytes)->is_v4());
    CHECK_FALSE(IpAddress::from_bytes(std::span{bytes}.first(5)));
}

TEST_CASE("a prefix contains its hosts and its subnets, and nothing of the other family") {
    const auto prefix = *Prefix::parse("172.16.8.0/21");
    CHECK(prefix.contains(*IpAddress::parse("172.16.15.255")));
    CHECK_FALSE(prefix.contains(*IpAddress::parse("172.16.16.0")));
    CHECK(prefix.contains(*Prefix::parse("172.16.12.0/24")));
    CHECK_FALSE(prefix.contains(*Prefix::parse("172.16.0.0/16")));
    CHECK_FALSE(Prefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
}

TEST_CASE("a prefix with host bits set is refused as text and cleared by of()") {
    CHECK_FALSE(Prefix::parse("172.16.8.1/21"));
    CHECK(Prefix::of(*IpAddress::parse("172.16.15.9"), 21).to_string() == "172.16.8.0/21");
    CHECK(Prefix::of(*IpAddress::parse("172.16.15.9"), 255).is_host());
}

TEST_CASE("a bare address is a host prefix and bad lengths are refused") {
    CHECK(Prefix::parse("10.0.0.1")->length == 32);
    for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "::/129", "/8"}) CHECK_FALSE(Prefix::parse(text));
}

TEST_CASE("multicast is 224.0.0.0/4 and ff00::/8") {
    CHECK(IpAddress::parse("224.0.0.5")->is_multicast());
    CHECK(IpAddress::parse("239.255.255.255")->is_multicast());
    CHECK_FALSE(IpAddress::parse("223.255.255.255")->is_multicast());
    CHECK(IpAddress::parse("ff02::5")->is_multicast());
}

TEST_CASE("a MAC address reads what it prints") {
    CHECK(MacAddress::parse("02:00:5e:00:01:0b")->to_string() == "02:00:5e:00:01:0b");
    for (const char* text : {"02:00:5e:00:01", "02-00-5e-00-01-0b", "02:00:5e:00:01:0g"}) CHECK_FALSE(MacAddress::parse(text));
}

TEST_CASE("tunnel and NBMA addresses do not convert to each other") {
    STATIC_REQUIRE_FALSE(std::is_convertible_v<TunnelAddress, NbmaAddress>);
    STATIC_REQUIRE_FALSE(std::is_assignable_v<TunnelAddress&, NbmaAddress>);
}

TEST_CASE("an SPI gives back the slot and worker that it was made from, and is never a reserved one") {
    const Spi spi = spi_layout::make(SaSlot{0xabcde}, WorkerId{37}, 1);
    CHECK(spi_layout::slot(spi) == SaSlot{0xabcde});
    CHECK(spi_layout::worker(spi) == WorkerId{37});
    CHECK(spi_layout::make(SaSlot{0}, WorkerId{0}, 1).value > 255);  // RFC 4303 §2.1
}
