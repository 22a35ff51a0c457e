// Workers share nothing of ipsec-mb.
#include "dataplane/ipsec_mb.hpp"

#include <catch2/catch.hpp>

namespace nave::dataplane {

TEST_CASE("engines that live side by side run code of their own, and so write variables of their own") {
    const IpsecMb one, other;
    CHECK(one.manager().gcm128_enc != other.manager().gcm128_enc);
    CHECK(one.manager().submit_job != other.manager().submit_job);
}

TEST_CASE("a copy that an engine left is the next one's") {
    const IpsecMb one;
    const auto left = [] { return IpsecMb{}.manager().gcm128_enc; }();
    CHECK(IpsecMb{}.manager().gcm128_enc == left);
}

}  // namespace nave::dataplane
