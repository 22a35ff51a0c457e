// The NHRP group: named by spokes, found in what Cisco may send, told to the overlay when it changes.
#include "controlplane/nhrp/group.hpp"
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

Settings calling_itself(std::optional<std::string> group) {
    Settings settings;
    settings.group = std::move(group);
    return settings;
}

/// FRR's registration with a vendor-private extension of these bytes.
Packet with_vendor(Bytes value) {
    Packet packet = *decode(frr::bytes(frr::registration_request));
    packet.extensions.push_back({.type = extension_type::vendor_private, .compulsory = false, .value = std::move(value)});
    return packet;
}

Bytes bytes(std::initializer_list<int> head, std::string_view text) {
    Bytes result;
    for (const int each : head) result.push_back(static_cast<std::uint8_t>(each));
    result.insert(result.end(), text.begin(), text.end());
    return result;
}

}  // namespace

TEST_CASE("a spoke names its group with its tunnel address, in an even packet, and not with its prefixes") {
    for (const auto* group : {"branch", "branches"}) {
        const Triangle triangle{calling_itself(group)};
        std::size_t named = 0;
        for (const auto& flight : triangle.lab.history) {
            CHECK(flight.bytes.size() % 2 == 0);
            const Packet packet = flight.packet();
            if (packet.type != PacketType::registration_request) continue;
            const bool is_of_prefixes = packet.clients.at(0).protocol.has_value();
            CHECK(group_of(packet) == (is_of_prefixes ? "" : group));
            named += is_of_prefixes ? 0 : 1;
        }
        CHECK(named == 2);
    }
}

TEST_CASE("the group's extension is not compulsory, as an FRR hub would drop the packet") {
    CHECK_FALSE(encode_group("branch").compulsory);
}

TEST_CASE("a hub says which group a peer names, once, and shows it beside what the peer registered") {
    const Triangle triangle{calling_itself("branch")};
    const auto said = triangle.hub.said<GroupNamed>();
    REQUIRE(said.size() == 2);
    CHECK(said[0].peer == triangle.hub.peer_of(triangle.a));
    CHECK(said[0].group == "branch");
    for (const auto& entry : triangle.hub.node->snapshot().cache) CHECK(entry.group == "branch");
}

TEST_CASE("a group that changes with a renewal is said, and the binding stays as it was") {
    Triangle triangle{calling_itself("branch")};
    const auto added = triangle.hub.said<BindingAdded>().size();
    triangle.a.node->set_settings(calling_itself("depot"));
    triangle.lab.advance(seconds{250});
    REQUIRE(triangle.hub.said<GroupNamed>().size() == 3);
    CHECK(triangle.hub.said<GroupNamed>().back().group == "depot");
    CHECK(triangle.hub.said<BindingAdded>().size() == added);
}

TEST_CASE("a peer whose last binding ends is in no group") {
    Triangle triangle{calling_itself("branch")};
    triangle.lab.disconnect(triangle.a, triangle.hub);
    CHECK(triangle.hub.said<GroupNamed>().back().group.empty());
}

TEST_CASE("a registration that is refused names no group") {
    Lab lab;
    Station& hub = lab.hub("hub", "10.255.0.1", "192.0.2.1");
    Station& spoke = lab.spoke("spoke", "10.255.0.12", "192.0.2.12", calling_itself("branch"));
    hub.refused[net("10.255.0.12/32")] = CieCode::administratively_prohibited;
    lab.join(spoke, hub);
    lab.deliver();
    CHECK(hub.said<GroupNamed>().empty());
}

TEST_CASE("the word in Cisco's extension is found behind lengths and types of any size, and before padding") {
    CHECK(group_of(with_vendor(bytes({0, 0, 12}, "branch"))) == "branch");
    CHECK(group_of(with_vendor(bytes({0, 0, 12, 1, 6}, "branch"))) == "branch");
    CHECK(group_of(with_vendor(bytes({0, 0, 12, 0, 1, 0, 6}, "branch"))) == "branch");
    CHECK(group_of(with_vendor(bytes({0, 0, 12, 0, 2, 0, 4, 9, 9, 9, 9, 0, 1, 0, 6}, std::string_view{"branch\0\0", 8}))) == "branch");
    const std::string longest(60, 'x');
    CHECK(group_of(with_vendor(bytes({0, 0, 12, 0, 60}, longest))) == longest);
}

TEST_CASE("another vendor's extension, one without a word, and a word beyond measure name no group") {
    CHECK(group_of(with_vendor(bytes({0, 0, 13}, "branch"))).empty());
    CHECK(group_of(with_vendor(bytes({0, 0, 12, 0, 1, 0, 6}, ""))).empty());
    CHECK(group_of(with_vendor({0, 0})).empty());
    CHECK(group_of(with_vendor({})).empty());
    CHECK(group_of(with_vendor(bytes({0, 0, 12}, std::string(70, 'x')))).empty());
}

TEST_CASE("of several vendor extensions the one with Cisco's word counts") {
    Packet packet = with_vendor(bytes({0, 0, 13}, "other"));
    packet.extensions.push_back(encode_group("branch"));
    CHECK(group_of(packet) == "branch");
}
