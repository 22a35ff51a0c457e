// Names of hubs, looked up by the system's resolver without holding up whoever asks.
#include "controlplane/runtime/resolver.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <poll.h>

using namespace nave;

namespace {
runtime::Resolver::Result result_of(const std::string& name) {
    runtime::Resolver resolver;
    resolver.resolve(name);
    pollfd wait{.fd = resolver.descriptor(), .events = POLLIN, .revents = 0};
    REQUIRE(poll(&wait, 1, 30'000) == 1);
    auto results = resolver.take();
    REQUIRE(results.size() == 1);
    REQUIRE(resolver.take().empty());
    return results.front();
}
}  // namespace

TEST_CASE("a name's addresses come in as a result, each once") {
    const auto result = result_of("localhost");
    REQUIRE(result.name == "localhost");
    REQUIRE(result.addresses);
    CHECK(std::ranges::count(*result.addresses, NbmaAddress{*IpAddress::parse("127.0.0.1")}) == 1);
}

TEST_CASE("a name that cannot be has a result that says why") {
    const auto result = result_of(std::string(300, 'x'));
    REQUIRE_FALSE(result.addresses);
    CHECK_FALSE(result.addresses.error().empty());
}

TEST_CASE("a resolver may go before its answers come") {
    runtime::Resolver resolver;
    resolver.resolve("localhost");
}
