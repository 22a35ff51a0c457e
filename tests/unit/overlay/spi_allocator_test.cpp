// Tests of the choice of inbound SPIs.
#include "controlplane/overlay/spi_allocator.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace nave;
using overlay::SlotPool;
using overlay::SpiAllocator;

TEST_CASE("no SPI is one of those that RFC 4303 reserves, and all differ") {
    SpiAllocator spis{100, 4};
    std::set<Spi> seen;
    for (int i = 0; i < 100; ++i) {
        const auto spi = spis.allocate();
        REQUIRE(spi);
        CHECK(spi->value > 255);
        CHECK(seen.insert(*spi).second);
    }
}

TEST_CASE("SAs are spread over all workers") {
    SpiAllocator spis{8, 4};
    std::set<std::uint8_t> owners;
    for (int i = 0; i < 4; ++i) owners.insert(spi_layout::worker(*spis.allocate()).value);
    CHECK(owners == std::set<std::uint8_t>{0, 1, 2, 3});
}

TEST_CASE("when all slots are taken there is no SPI, and that is counted") {
    SpiAllocator spis{2, 1};
    REQUIRE(spis.allocate());
    REQUIRE(spis.allocate());
    CHECK_FALSE(spis.allocate());
    CHECK(spis.exhausted() == 1);
}

TEST_CASE("a slot is used again only after its SA's removal was acknowledged, under another SPI") {
    SpiAllocator spis{1, 1};
    const Spi first = *spis.allocate();
    CHECK_FALSE(spis.allocate());
    spis.removed(first);
    const Spi second = *spis.allocate();
    CHECK(spi_layout::slot(second) == spi_layout::slot(first));
    CHECK(second != first);
}

TEST_CASE("a late acknowledgement of an old SPI does not free the slot's new one") {
    SpiAllocator spis{1, 1};
    const Spi first = *spis.allocate();
    spis.removed(first);
    const Spi second = *spis.allocate();
    spis.removed(first);
    CHECK(spis.holds(second));
    CHECK(spis.in_use() == 1);
}

TEST_CASE("an SPI that never held an SA is given back at once") {
    SpiAllocator spis{1, 1};
    spis.release(*spis.allocate());
    CHECK(spis.in_use() == 0);
    CHECK(spis.allocate());
}

TEST_CASE("the generation of a slot wraps without ever being zero") {
    SpiAllocator spis{1, 1};
    for (int i = 0; i < 200; ++i) {
        const Spi spi = *spis.allocate();
        REQUIRE(spi.value >> (spi_layout::kSlotBits + spi_layout::kWorkerBits) != 0);
        spis.removed(spi);
    }
}

TEST_CASE("an SPI with a slot out of range is not ours") {
    SpiAllocator spis{4, 1};
    CHECK_FALSE(spis.holds(spi_layout::make(SaSlot{77}, WorkerId{0}, 1)));
    spis.removed(spi_layout::make(SaSlot{77}, WorkerId{0}, 1));
    CHECK(spis.in_use() == 0);
}

TEST_CASE("of free numbers the one that rested longest is taken") {
    SlotPool pool{3};
    CHECK(pool.take() == 0u);
    pool.give_back(0);
    CHECK(pool.take() == 1u);
    CHECK(pool.take() == 2u);
    CHECK(pool.take() == 0u);
}

TEST_CASE("a number that is given back twice is free once") {
    SlotPool pool{2};
    REQUIRE(pool.take());
    pool.give_back(0);
    pool.give_back(0);
    pool.give_back(9);
    CHECK(pool.in_use() == 0);
    REQUIRE(pool.take());
    REQUIRE(pool.take());
    CHECK_FALSE(pool.take());
}
