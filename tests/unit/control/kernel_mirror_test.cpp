// Tests of the kernel's mirror and of route netlink messages, malformed ones too.
#include "controlplane/kernel/mirror.hpp"
#include "controlplane/kernel/netlink_codec.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <linux/rtnetlink.h>

using namespace nave;
using namespace nave::kernel;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }

Mirror watching(std::set<InterfaceIndex> interfaces, std::set<TableNumber> tables) {
    Mirror mirror;
    mirror.watch(std::move(interfaces), std::move(tables));
    return mirror;
}

Route route(const char* to, const char* gateway, InterfaceIndex index, TableNumber table = kMainTable) {
    return {.table = table, .prefix = prefix(to), .metric = 0, .protocol = 4, .next_hops = {{index, gateway ? std::optional{ip(gateway)} : std::nullopt}}};
}

}  // namespace

TEST_CASE("a route request reads back as the route that it asks for") {
    const RouteRequest request{.table = 1000, .prefix = prefix("10.2.0.0/16"), .index = 7, .gateway = ip("10.255.0.9"), .on_link = true};
    const auto change = decode_message(add_route(request));
    REQUIRE(change);
    CHECK(change->present);
    const auto& decoded = std::get<Route>(change->object);
    CHECK(decoded.table == 1000);
    CHECK(decoded.prefix == request.prefix);
    CHECK(decoded.protocol == kOurProtocol);
    CHECK(decoded.next_hops == std::vector<NextHop>{{7, ip("10.255.0.9")}});
    CHECK_FALSE(decode_message(remove_route(request))->present);
}

TEST_CASE("a rule request reads back as its rule") {
    Rule rule{.priority = 1911, .action = Rule::Action::unreachable, .table = 1000, .from = prefix("10.1.0.0/24")};
    CHECK(std::get<Rule>(decode_message(add_rule(rule))->object) == rule);
    rule = {.priority = 1910, .action = Rule::Action::lookup, .table = 2, .incoming = "nave0"};
    CHECK(std::get<Rule>(decode_message(add_rule(rule))->object) == rule);
    CHECK_FALSE(decode_message(remove_rule(rule))->present);
}

TEST_CASE("an address request reads back as its address") {
    const Address address{.index = 3, .address = ip("192.0.2.1"), .length = 24};
    CHECK(std::get<Address>(decode_message(add_address(address, true))->object) == address);
}

TEST_CASE("a netlink message cut at any byte is no object, and is never read beyond its end") {
    const Bytes whole = add_route({.table = 1000, .prefix = prefix("10.2.0.0/16"), .index = 7, .gateway = ip("10.255.0.9")});
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Bytes cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK_FALSE(decode_message(cut));
        if (size < sizeof(nlmsghdr)) continue;
        const auto length = static_cast<std::uint32_t>(size);
        std::memcpy(cut.data(), &length, sizeof length);
        decode_message(cut);  // attributes that end early: whatever it gives, within bounds
    }
}

TEST_CASE("attributes of a wrong size are passed over") {
    Bytes message = add_route({.table = 1000, .prefix = prefix("10.2.0.0/16"), .index = 7});
    // The destination's attribute comes first, behind both headers; five bytes are no address.
    message[sizeof(nlmsghdr) + sizeof(rtmsg)] = 9;
    const auto change = decode_message(message);
    if (change) CHECK(std::get<Route>(change->object).prefix != prefix("10.2.0.0/16"));
}

TEST_CASE("only watched interfaces and tables are mirrored") {
    Mirror mirror = watching({5}, {kMainTable});
    CHECK_FALSE(mirror.apply({Address{.index = 6, .address = ip("192.0.2.1"), .length = 24}}));
    CHECK(mirror.apply({Address{.index = 5, .address = ip("192.0.2.1"), .length = 24}}));
    CHECK_FALSE(mirror.apply({route("0.0.0.0/0", "192.0.2.254", 6)}));
    CHECK_FALSE(mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5, 77)}));
    CHECK(mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5)}));
    CHECK(mirror.routes().size() == 1);
}

TEST_CASE("an event that says what is known already changes nothing") {
    Mirror mirror = watching({5}, {kMainTable});
    const Neighbour neighbour{.index = 5, .address = ip("192.0.2.9"), .mac = MacAddress{{2, 0, 0, 0, 0, 9}}};
    CHECK(mirror.apply({neighbour}));
    CHECK_FALSE(mirror.apply({neighbour}));
    CHECK(mirror.apply({Neighbour{.index = 5, .address = ip("192.0.2.9"), .mac = {}, .failed = true}}));
    CHECK(mirror.apply({neighbour, false}));
    CHECK_FALSE(mirror.apply({neighbour, false}));
}

TEST_CASE("addresses keep the kernel's order, the first being the primary") {
    Mirror mirror = watching({5}, {});
    for (const char* text : {"192.0.2.9", "192.0.2.1", "192.0.2.5"}) mirror.apply({Address{.index = 5, .address = ip(text), .length = 24}});
    mirror.apply({Address{.index = 5, .address = ip("192.0.2.9"), .length = 24}, false});
    REQUIRE(mirror.addresses().size() == 2);
    CHECK(mirror.addresses().front().address == ip("192.0.2.1"));
}

TEST_CASE("a route that another of the same key replaced is not lost when the old one goes") {
    Mirror mirror = watching({5}, {kMainTable});
    mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5)});
    mirror.apply({route("0.0.0.0/0", "192.0.2.253", 5)});
    CHECK_FALSE(mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5), false}));
    CHECK(mirror.routes().begin()->second.next_hops.front().gateway == ip("192.0.2.253"));
}

TEST_CASE("what is left when one of several routes of a key goes, or a part of a route, is asked of the kernel, which names the one in force first") {
    Mirror mirror = watching({5}, {kMainTable});
    const Route first = route("0.0.0.0/0", "192.0.2.254", 5), second = route("0.0.0.0/0", "192.0.2.253", 5);
    mirror.apply({second});
    CHECK(mirror.leaves_unknown({first, false}));
    CHECK_FALSE(mirror.leaves_unknown({second, false}));
    CHECK_FALSE(mirror.leaves_unknown({first, true}));
    Route both = first;
    both.next_hops.push_back(second.next_hops.front());
    mirror.apply({both});
    CHECK(mirror.leaves_unknown({second, false}));
    mirror.replace(std::vector<Object>{first, second});
    CHECK(mirror.routes().begin()->second == first);
}

TEST_CASE("a next-hop object that goes or changes leaves unknown what its routes have become, one of no route does not") {
    Mirror mirror = watching({5}, {kMainTable});
    Route one = route("10.1.0.0/16", "10.255.0.1", 5), other = route("10.2.0.0/16", "10.255.0.1", 5);
    one.next_hop_object = other.next_hop_object = 7;
    for (const Route& each : {one, other, one}) mirror.apply({each});
    mirror.apply({one, false});
    CHECK(mirror.leaves_unknown({NextHopObject{7}, false}));
    CHECK(mirror.leaves_unknown({NextHopObject{7}, true}));
    CHECK_FALSE(mirror.leaves_unknown({NextHopObject{8}, false}));
    other.next_hop_object = 8;
    mirror.apply({other});
    CHECK_FALSE(mirror.leaves_unknown({NextHopObject{7}, false}));
    mirror.apply({other, false});
    CHECK_FALSE(mirror.leaves_unknown({NextHopObject{8}, false}));
}

TEST_CASE("a route that turns to a foreign interface is forgotten") {
    Mirror mirror = watching({5}, {kMainTable});
    mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5)});
    CHECK(mirror.apply({route("0.0.0.0/0", "203.0.113.1", 8)}));
    CHECK(mirror.routes().empty());
}

TEST_CASE("of a multipath route only the hops through our interfaces are kept") {
    Mirror mirror = watching({5}, {kMainTable});
    Route multipath = route("0.0.0.0/0", "192.0.2.254", 5);
    multipath.next_hops.push_back({8, ip("203.0.113.1")});
    CHECK(mirror.apply({multipath}));
    CHECK(mirror.routes().begin()->second.next_hops.size() == 1);
    CHECK(mirror.apply({multipath, false}));
    CHECK(mirror.routes().empty());
}

TEST_CASE("our own routes and rules are kept apart from those of others") {
    Mirror mirror = watching({5}, {1000});
    Route ours = route("10.0.0.0/8", nullptr, 5, 1000);
    ours.protocol = kOurProtocol;
    mirror.apply({ours});
    CHECK(mirror.routes().empty());
    CHECK(mirror.our_routes().size() == 1);
    CHECK(mirror.apply({Rule{.priority = 1910, .table = 1000, .incoming = "a"}}));
    CHECK_FALSE(mirror.apply({Rule{.priority = 1910, .table = 1001, .incoming = "a"}}));
    CHECK_FALSE(mirror.apply({Rule{.priority = 9, .table = 1000, .incoming = "a", .protocol = 4}}));
}

TEST_CASE("a new dump replaces everything that was known") {
    Mirror mirror = watching({5}, {kMainTable});
    mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5)});
    mirror.apply({Link{.index = 5, .name = "a", .up = true}});
    const std::vector<Object> dump{Link{.index = 5, .name = "a", .up = false}};
    mirror.replace(dump);
    CHECK(mirror.routes().empty());
    CHECK_FALSE(mirror.is_up(5));
    CHECK(mirror.link(5) != nullptr);
    CHECK(mirror.apply({route("0.0.0.0/0", "192.0.2.254", 5)}));
}
