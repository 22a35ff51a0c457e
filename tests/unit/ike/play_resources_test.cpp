// Plays of child SAs for single resources (RFC 9611): one pair for each worker beside the one for all.
#include "tests/unit/ike/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct ManyWorkers {
    Lab lab{17};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    void establish(std::uint8_t spoke_workers, std::uint8_t hub_workers) {
        spoke.settings.resources = spoke_workers, hub.settings.resources = hub_workers;
        spoke.start(), hub.start();
        lab.establish(spoke, hub);
    }
};

/// The resources that have a pair in use at this end, in order; with -1 for the pair of all.
std::vector<int> pairs(const Gateway& gateway) {
    std::vector<int> found;
    for (const auto& child : gateway.view().children) found.push_back(child.resource ? child.resource->value : -1);
    std::ranges::sort(found);
    return found;
}

/// The resources for which an outbound SA is installed.
std::vector<int> senders(const Gateway& gateway) {
    std::vector<int> found;
    for (const InstallOutbound& sa : gateway.outbound) found.push_back(sa.resource ? sa.resource->value : -1);
    std::ranges::sort(found);
    return found;
}

/// Every outbound SA of `from` leads to an inbound SA of `to`.
bool all_reach(const Gateway& from, const Gateway& to) {
    return std::ranges::all_of(from.outbound, [&](const InstallOutbound& out) {
        return std::ranges::any_of(to.inbound, [&](const auto& in) { return in.second.spi == out.spi && in.second.keymat.view().size() == out.keymat.view().size(); });
    });
}

}  // namespace

TEST_CASE_METHOD(ManyWorkers, "each worker gets a child SA pair of its own, beside the one for all") {
    establish(3, 3);
    REQUIRE(pairs(spoke) == std::vector{-1});
    lab.advance(20s);
    CHECK(pairs(spoke) == std::vector{-1, 0, 1, 2});
    CHECK(pairs(hub) == std::vector{-1, 0, 1, 2});
    CHECK(senders(spoke) == std::vector{-1, 0, 1, 2});
    CHECK(senders(hub) == std::vector{-1, 0, 1, 2});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
    CHECK(hub.count("resource-children") == 0);
}

TEST_CASE_METHOD(ManyWorkers, "the end with more workers makes what the other one's were too few for") {
    establish(1, 4);
    lab.advance(60s);
    CHECK(pairs(spoke) == std::vector{-1, 0, 1, 2, 3});
    CHECK(pairs(hub) == std::vector{-1, 0, 1, 2, 3});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
}

TEST_CASE_METHOD(ManyWorkers, "when both ends ask for the pair of a worker at once, one is made") {
    for (Gateway* gateway : {&spoke, &hub}) gateway->settings.liveness_tries = 10, gateway->settings.profiles[0].liveness_interval = 60s;
    establish(1, 1);
    lab.advance_losing(10s, spoke);  // CREATE_CHILD_SA { N(SA_RESOURCE_INFO), SA, Ni, TSi, TSr } crosses the hub's own
    REQUIRE(hub.count("resource-children") == 1);
    lab.advance(30s);
    CHECK(hub.count("rekey-refused-TEMPORARY_FAILURE") >= 1);
    CHECK(pairs(spoke) == std::vector{-1, 0});
    CHECK(pairs(hub) == std::vector{-1, 0});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
}

TEST_CASE_METHOD(ManyWorkers, "with one worker at both ends there is one pair") {
    establish(0, 0);
    lab.advance(60s);
    CHECK(pairs(spoke) == std::vector{-1});
    CHECK(pairs(hub) == std::vector{-1});
}

TEST_CASE_METHOD(ManyWorkers, "a peer may have so many and no more, and is told TS_MAX_QUEUE") {
    establish(kResourcesMax, 1);
    lab.advance(30s);
    REQUIRE(pairs(hub).size() == 1 + kResourcesMax);
    CHECK(hub.count("answered-TS_MAX_QUEUE") == 0);
    // A peer that wants more than we ever would.
    spoke.settings.resources = 200;
    spoke.start();
    lab.advance(20s);
    lab.establish(spoke, hub);
    lab.advance(60s);
    CHECK(hub.spis.size() <= 2 * (1 + kResourcesMax));
    CHECK(Lab::reaches(spoke, hub));
}

TEST_CASE_METHOD(ManyWorkers, "a peer without room refuses a pair for a worker once, is not asked again, and the pair for all serves") {
    hub.spis_max = 1;
    establish(2, 0);
    lab.advance(20s);
    CHECK(pairs(spoke) == std::vector{-1});
    CHECK(spoke.logged("the peer wants no further child SA for a single worker (NO_ADDITIONAL_SAS): its traffic shares what there is"));
    const auto asked = spoke.count("resource-children");
    lab.advance(5min);
    CHECK(spoke.count("resource-children") == asked);
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(ManyWorkers, "out of SPIs of our own, pairs for workers are put off and made when there is room") {
    spoke.spis_max = 1;
    establish(2, 0);
    lab.advance(20s);
    CHECK(spoke.count("limit-spis") >= 1);
    CHECK(spoke.count("resource-children") == 0);
    spoke.spis_max = 1000;
    lab.advance(2min);
    CHECK(pairs(spoke) == std::vector{-1, 0, 1});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
}

TEST_CASE_METHOD(ManyWorkers, "a rekey keeps a pair with its worker") {
    establish(2, 2);
    lab.advance(20s);
    const auto before = spoke.spis;
    for (const auto& child : spoke.view().children) lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.rekey_child(spoke.sa(), child.inbound, lab.now, out); });
    lab.advance(20s);
    CHECK(pairs(spoke) == std::vector{-1, 0, 1});
    CHECK(pairs(hub) == std::vector{-1, 0, 1});
    CHECK(senders(spoke) == std::vector{-1, 0, 1});
    CHECK(senders(hub) == std::vector{-1, 0, 1});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
    for (const Spi spi : spoke.spis) CHECK_FALSE(before.contains(spi));
}

TEST_CASE_METHOD(ManyWorkers, "pairs survive the rekey of the IKE SA, and a lost one is made anew") {
    establish(2, 2);
    lab.advance(20s);
    lab.rekey_ike(hub);
    lab.run();
    CHECK(pairs(spoke) == std::vector{-1, 0, 1});
    lab.advance(30s);
    CHECK(pairs(hub) == std::vector{-1, 0, 1});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
}

TEST_CASE_METHOD(ManyWorkers, "the loss of any message leaves no pair that only one end has") {
    establish(2, 2);
    const int lost = GENERATE(range(0, 8));
    for (int i = 0; i < lost; ++i) {
        if (lab.in_flight() == 0) lab.advance_to_next_deadline();
        lab.deliver();
    }
    if (lab.in_flight() == 0) lab.advance_to_next_deadline();
    if (lab.in_flight() > 0) lab.lose();
    lab.advance(60s);
    CHECK(pairs(spoke) == std::vector{-1, 0, 1});
    CHECK(pairs(hub) == std::vector{-1, 0, 1});
    CHECK((all_reach(spoke, hub) && all_reach(hub, spoke)));
}

TEST_CASE_METHOD(ManyWorkers, "without the pair for all the association is of no use and ends") {
    establish(2, 2);
    lab.advance(20s);
    const auto& children = spoke.view().children;
    const auto all = std::ranges::find_if(children, [](const auto& child) { return !child.resource; });
    REQUIRE(all != children.end());
    const auto mine = spoke.view();
    CHECK(mine.children.size() == 3);
    lab.close(spoke);
    lab.run();
    CHECK(hub.inbound.empty());
    CHECK(hub.outbound.empty());
    CHECK(hub.spis.empty());
}
