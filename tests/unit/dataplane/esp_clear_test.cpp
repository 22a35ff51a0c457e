// Suites that do not encrypt: AES-GMAC (RFC 4543) and HMAC alone (RFC 2410) against packets that others made, damage, and every length.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

constexpr EspAlgorithm kClear[] = {EspAlgorithm::aes_gmac_128, EspAlgorithm::aes_gmac_256, EspAlgorithm::null_sha256, EspAlgorithm::null_sha384, EspAlgorithm::null_sha512};

struct Vector {
    EspAlgorithm algorithm;
    bool esn;
    const char *iv, *icv;
};

// Made with the openssl command, `mac -cipher aes-…-gcm GMAC` or `mac -digest sha… HMAC`, from keymat 01 02 03 … over header, IV, text and
// number as RFC 4543 §3.3 and RFC 4303 §2.8 order them.
constexpr std::uint64_t kSequence = 0x3'ffff'fffe;
constexpr const char *kHeader = "00004321fffffffe", *kText = "6162636465666768696a6b6c6d6e6f707172737475767778797a7b010203032f", *kIv = "1020304050607080";
constexpr Vector kVectors[] = {
    {EspAlgorithm::aes_gmac_128, false, kIv, "aac074cd14a97439e622bee644de2180"},
    {EspAlgorithm::aes_gmac_128, true, kIv, "95f3314a5fba6f0c26fe126c4fa1e34d"},
    {EspAlgorithm::aes_gmac_256, false, kIv, "3c42892e3b0f0fff50d9b36f552d9b1e"},
    {EspAlgorithm::aes_gmac_256, true, kIv, "cee9a3c3db67e85d01952db7771c4c4b"},
    {EspAlgorithm::null_sha256, false, "", "0232412e54d1c2fb7761cd688a9b89c6"},
    {EspAlgorithm::null_sha256, true, "", "c47b5c045f2c78d615251068778f6e2b"},
    {EspAlgorithm::null_sha384, false, "", "dbd2eb3c7045e75a619ccd123b5d23b5eb973c0cdd1b0466"},
    {EspAlgorithm::null_sha384, true, "", "8206e218670b6841f37e93a05f2415dfc3c25dbe22362d87"},
    {EspAlgorithm::null_sha512, false, "", "4cd337060f76e3776185aaef244605ede39193a1a18159a5a624a1a0991e1e7d"},
    {EspAlgorithm::null_sha512, true, "", "7e8832d5e42791d9dde74aadba134706886c246912eda5040456362e1eb19c47"},
};

Bytes sealed(const Vector& vector) { return concat({hex(kHeader), hex(vector.iv), hex(kText), hex(vector.icv)}); }

struct Keyed {
    EspCrypto crypto;
    EspKey key;
    explicit Keyed(EspAlgorithm algorithm) { REQUIRE(crypto.expand(algorithm, pattern(sizes_of(algorithm).keymat()), key)); }
    /// With the high half of the number that the receiver infers; the low one stands in the packet.
    bool opens(Bytes packet, bool esn, std::uint64_t high) {
        EspJob job = job_over(key, packet, esn, high << 32 | ByteReader{ByteView{packet}.subspan(4)}.u32());
        crypto.open({&job, 1});
        return job.ok;
    }
};

}  // namespace

TEST_CASE("text goes out as it is, and behind it the ICV that openssl computes") {
    for (const Vector& vector : kVectors) {
        INFO("algorithm " << static_cast<int>(vector.algorithm) << " esn " << vector.esn);
        Keyed keyed{vector.algorithm};
        Bytes packet = concat({hex(kHeader), hex(vector.iv), hex(kText), Bytes(sizes_of(vector.algorithm).icv, 0xdd)});
        EspJob job = job_over(keyed.key, packet, vector.esn, kSequence);
        keyed.crypto.seal({&job, 1});
        CHECK(job.ok);
        CHECK(packet == sealed(vector));
        keyed.crypto.open({&job, 1});
        CHECK(job.ok);
        CHECK(packet == sealed(vector));
    }
}

TEST_CASE("the AES-GMAC packet of draft-mcgrew-gcm-test-01 opens") {
    EspCrypto crypto;
    EspKey key;
    REQUIRE(crypto.expand(EspAlgorithm::aes_gmac_128, hex("4c80cdefbb5d10da906ac73c3613a63422433c64"), key));
    Bytes packet = hex("0000432100000007" "0000000000000000"
                       "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201"
                       "f2a9a836e155106aa8dcd618e4099aaa");
    EspJob job = job_over(key, packet, false, 7);
    crypto.open({&job, 1});
    CHECK(job.ok);
}

TEST_CASE("at every length the ICV is that of openssl: all of them, XORed") {
    const auto [algorithm, expected] = GENERATE(table<EspAlgorithm, const char*>({
        {EspAlgorithm::aes_gmac_128, "dcf607122386b99f20b22935db9a4eb1"},
        {EspAlgorithm::aes_gmac_256, "fd49ed91de72fa98adb578d96eb619ad"},
        {EspAlgorithm::null_sha256, "7490ef29a511c896e2d8d4cf43e10b50"},
        {EspAlgorithm::null_sha384, "4d37db51203d3cd447ac6d7205caa68f07c6d7a402781609"},
        {EspAlgorithm::null_sha512, "63d43248963edb1fc5d78e1894d30e66bf369adfb88888e4b7891014481d647f"}}));
    Keyed keyed{algorithm};
    const EspSizes sizes = sizes_of(algorithm);
    Bytes all(sizes.icv);
    for (std::size_t length = 4; length <= 1500; length += 4) {
        Bytes packet = concat({pattern(front_of(sizes)), pattern(length), Bytes(sizes.icv, 0)});
        EspJob job = job_over(keyed.key, packet, false, 0x05060708);
        keyed.crypto.seal({&job, 1});
        for (std::size_t i = 0; i < sizes.icv; ++i) all[i] ^= job.icv()[i];
    }
    CHECK(all == hex(expected));
}

TEST_CASE("whatever bit is flipped, in header, IV, text or ICV, a packet in clear does not open") {
    for (const Vector& vector : kVectors) {
        Keyed keyed{vector.algorithm};
        REQUIRE(keyed.opens(sealed(vector), vector.esn, kSequence >> 32));
        CHECK_FALSE(keyed.opens(sealed(vector), !vector.esn, kSequence >> 32));
        CHECK(keyed.opens(sealed(vector), vector.esn, (kSequence >> 32) + 1) != vector.esn);
        for (std::size_t i = 0; i < sealed(vector).size(); ++i) {
            Bytes spoilt = sealed(vector);
            spoilt[i] ^= static_cast<std::uint8_t>(1 << i % 8);
            CHECK_FALSE(keyed.opens(spoilt, vector.esn, kSequence >> 32));
        }
    }
}

TEST_CASE("HMAC alone refuses a job that is empty or not in one piece") {
    Keyed keyed{EspAlgorithm::null_sha256};
    Bytes packet = concat({pattern(8), Bytes(16, 0)});
    EspJob empty = job_over(keyed.key, packet, false, 1);
    keyed.crypto.seal({&empty, 1});
    CHECK_FALSE(empty.ok);
    packet = concat({pattern(8), pattern(32), Bytes(16, 0)});
    EspJob pieces = job_over(keyed.key, packet, false, 1);
    pieces.gather_count = 1;
    keyed.crypto.seal({&pieces, 1});
    CHECK_FALSE(pieces.ok);
}

TEST_CASE("on the wire between two gateways the host's packet can be read, and no byte more is sent than four-byte units and the ICV take") {
    const auto algorithm = GENERATE(from_range(std::begin(kClear), std::end(kClear)));
    Box a{{.number = 1}}, b{{.number = 2}};
    connect(a, b, {.algorithm = algorithm});
    for (std::size_t size = 0; size < 8; ++size) {
        Bytes packet = host_packet(a, b, size);
        a.from_host(packet);
        a.turn();
        const auto frames = carry(a, b);
        REQUIRE(frames.size() == 1);
        const std::size_t front = front_of(sizes_of(algorithm)), text = (8 + packet.size() + 2 + 3) / 4 * 4;
        CHECK(frames[0].size() == 14 + 20 + front + text + sizes_of(algorithm).icv);
        const Bytes gre = tail(frames[0], 14 + 20 + front);
        CHECK(Bytes{gre.begin() + 8 + 20, gre.begin() + 8 + static_cast<std::ptrdiff_t>(packet.size())} == tail(packet, 20));
    }
    CHECK(b.sent(kInside).size() == 8);
}
