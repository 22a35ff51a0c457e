// Who finds a NAT, and where (RFC 7296 §2.23).
#include "controlplane/ike/nat_detection.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const NbmaEndpoint kSpoke = endpoint("10.0.0.5", 500), kNat = endpoint("198.51.100.7", 1024), kHub = endpoint("192.0.2.1", 500);

std::vector<Payload> sent(const NbmaEndpoint& local, const NbmaEndpoint& remote, bool force = false) {
    const auto notifies = nat_detection_notifies(1, 2, local, remote, force);
    return {notifies.begin(), notifies.end()};
}

}  // namespace

TEST_CASE("without a NAT both hashes match") {
    const auto findings = detect_nat(sent(kSpoke, kHub), 1, 2, kHub, kSpoke);
    CHECK(findings.supported);
    CHECK_FALSE(findings.any());
}

TEST_CASE("a hub sees that the spoke is behind a NAT, the spoke that itself is") {
    const auto at_hub = detect_nat(sent(kSpoke, kHub), 1, 2, kHub, kNat);
    CHECK(at_hub.remote_behind_nat);
    CHECK_FALSE(at_hub.local_behind_nat);
    const auto at_spoke = detect_nat(sent(kHub, kNat), 1, 2, kSpoke, kHub);
    CHECK(at_spoke.local_behind_nat);
    CHECK_FALSE(at_spoke.remote_behind_nat);
}

TEST_CASE("a NAT that changes the port only is found too") {
    CHECK(detect_nat(sent(kSpoke, kHub), 1, 2, kHub, endpoint("10.0.0.5", 4711)).remote_behind_nat);
}

TEST_CASE("one matching source hash of several is enough") {
    auto payloads = sent(endpoint("10.9.9.9", 500), kHub);
    const auto right = sent(kSpoke, kHub);
    payloads.insert(payloads.end(), right.begin(), right.end());
    CHECK_FALSE(detect_nat(payloads, 1, 2, kHub, kSpoke).any());
}

TEST_CASE("forced encapsulation looks like a NAT in front of the sender") {
    const auto findings = detect_nat(sent(kSpoke, kHub, true), 1, 2, kHub, kSpoke);
    CHECK(findings.remote_behind_nat);
    CHECK_FALSE(findings.local_behind_nat);
}

TEST_CASE("a peer without NAT detection, or with half of it, finds nothing") {
    CHECK_FALSE(detect_nat({}, 1, 2, kHub, kNat).supported);
    auto payloads = sent(kSpoke, kHub);
    payloads.pop_back();
    CHECK_FALSE(detect_nat(payloads, 1, 2, kHub, kNat).supported);
    CHECK_FALSE(detect_nat(payloads, 1, 2, kHub, kNat).any());
}

TEST_CASE("the hash covers SPIs, address and port, of IPv6 too") {
    const Bytes hash = nat_detection_hash(1, 2, kHub);
    CHECK(hash != nat_detection_hash(2, 1, kHub));
    CHECK(hash != nat_detection_hash(1, 2, endpoint("192.0.2.1", 501)));
    CHECK(nat_detection_hash(1, 2, endpoint("2001:db8::1", 500)).size() == 20);
}
