// NHRP over and for IPv6: every message of a small DMVPN in each mix of underlay and overlay.
#include "tests/unit/nhrp/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

struct Mix {
    std::string tunnels, lans, underlay;
    std::string host(int number) const { return tunnels + std::to_string(number); }
    std::string lan(int number) const { return lans + std::to_string(number) + (lans.find(':') == lans.npos ? ".0/24" : "::/64"); }
    std::string in_lan(int number) const { return lans + std::to_string(number) + (lans.find(':') == lans.npos ? ".9" : "::9"); }
};

const std::vector<Mix> kMixes{{"10.255.0.", "172.16.", "192.0.2."}, {"fd00:255::", "fd00:", "192.0.2."}, {"10.255.0.", "172.16.", "2001:db8::"},
                              {"fd00:255::", "fd00:", "2001:db8::"}};

}  // namespace

TEST_CASE("registration, redirect, resolution, error and purge work in all four mixes of address families") {
    for (const Mix& mix : kMixes) {
        CAPTURE(mix.tunnels, mix.underlay);
        Settings settings;
        settings.authentication = "word", settings.group = "branch";
        Lab lab;
        Station& hub = lab.hub("hub", mix.host(1), mix.underlay + "1", settings);
        Station& a = lab.spoke("a", mix.host(11), mix.underlay + "11", settings);
        Station& b = lab.spoke("b", mix.host(12), mix.underlay + "12", settings);
        b.public_nbma = NbmaAddress{ip(mix.underlay + "99")};
        for (Station* spoke : {&a, &b}) {
            lab.join(*spoke, hub);
            spoke->set_lan({mix.lan(spoke == &a ? 11 : 12)});
        }
        lab.deliver();
        CHECK(hub.said<BindingAdded>().size() == 4);
        hub.relayed(a, mix.in_lan(11), mix.in_lan(12));
        lab.deliver();
        REQUIRE(a.has_shortcut(mix.lan(12)));
        CHECK(a.said<Resolved>().at(0).nbma == b.public_nbma);
        CHECK(a.said<Resolved>().at(0).claimed == b.nbma);
        a.resolve(mix.in_lan(13));
        lab.deliver();
        CHECK(a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::unreachable);
        lab.disconnect(hub, b);
        lab.deliver();
        CHECK_FALSE(a.has_shortcut(mix.lan(12)));
        CHECK(lab.sent(PacketType::purge_reply) == 1);
        for (const auto& flight : lab.history) CHECK(flight.bytes.size() % 2 == 0);
    }
}
