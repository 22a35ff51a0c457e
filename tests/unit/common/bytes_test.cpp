// Readers, writers, checksums and secrets.
#include "common/bytes.hpp"
#include "common/checksum.hpp"
#include "common/drop.hpp"
#include "common/secret.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

using namespace nave;

TEST_CASE("a reader gives big-endian numbers and latches a read past the end") {
    const Bytes bytes{1, 2, 3, 4, 5, 6, 7};
    ByteReader in{bytes};
    CHECK(in.u8() == 1);
    CHECK(in.u16() == 0x0203);
    CHECK(in.u32() == 0x04050607);
    CHECK(in.at_end());
    CHECK_FALSE(in.failed());
    CHECK(in.u8() == 0);
    CHECK(in.failed());
}

TEST_CASE("a reader that failed stays failed and gives nothing more") {
    const Bytes bytes{1, 2, 3};
    ByteReader in{bytes};
    CHECK(in.take(4).empty());
    CHECK(in.u8() == 0);
    CHECK(in.failed());
}

TEST_CASE("a writer writes what a reader reads, and patches lengths in place") {
    ByteWriter out;
    out.u16(0);
    out.u32(0xdeadbeef);
    out.u64(0x0102030405060708);
    out.patch_u16(0, static_cast<std::uint16_t>(out.size()));
    ByteReader in{out.view()};
    CHECK(in.u16() == 14);
    CHECK(in.u32() == 0xdeadbeef);
    CHECK(in.u64() == 0x0102030405060708);
}

TEST_CASE("the Internet checksum is that of RFC 1071 section 3") {
    const Bytes example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    CHECK(checksum_fold(checksum_add(0, example)) == 0xddf2);
    CHECK(internet_checksum(example) == 0x220d);
}

TEST_CASE("an odd tail counts as if a zero byte followed") {
    CHECK(internet_checksum(Bytes{0x12, 0x34, 0x56}) == internet_checksum(Bytes{0x12, 0x34, 0x56, 0x00}));
}

TEST_CASE("secrets compare by content and are wiped when moved from") {
    Secret a{Bytes{1, 2, 3}};
    CHECK(a == Secret{Bytes{1, 2, 3}});
    CHECK_FALSE(a == Secret{Bytes{1, 2, 4}});
    const Secret b{std::move(a)};
    CHECK(a.empty());
    CHECK(b.size() == 3);
}

TEST_CASE("every drop reason has a name of its own") {
    std::set<std::string> names;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Drop::count); ++i) names.emplace(name(static_cast<Drop>(i)));
    CHECK(names.size() == static_cast<std::size_t>(Drop::count));
    CHECK_FALSE(names.contains("unknown"));
}
