// AES-CBC with HMAC-SHA2 against published and foreign packets, against every kind of damage, and at every length.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace nave;
using namespace nave::test;

namespace {

constexpr EspAlgorithm kCbcAlgorithms[] = {EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::aes_cbc_128_sha384, EspAlgorithm::aes_cbc_128_sha512,
                                           EspAlgorithm::aes_cbc_256_sha256, EspAlgorithm::aes_cbc_256_sha384, EspAlgorithm::aes_cbc_256_sha512};

struct Vector {
    EspAlgorithm algorithm;
    bool esn;
    const char* sealed;
};

// Made with the openssl command from keymat 01 02 03 …: the IV as esp_crypto_hmac.cpp describes it, then `enc -aes-…-cbc` and `dgst -mac HMAC`.
constexpr std::uint64_t kSequence = 0x3'ffff'fffe;
constexpr Vector kVectors[] = {
    {EspAlgorithm::aes_cbc_128_sha256, false,
     "00004321fffffffee82bdcc39b31788292a6ea73771ad850d9a4d50211a97d11ba97d5014a4d841122550528c95f55b26b3a15a282068e20"
     "63fe99bdedb292142025ed937da8f051"},
    {EspAlgorithm::aes_cbc_128_sha256, true,
     "00004321fffffffefaab22956252f3a1344b3f75a736027e7a114826098e876e76f0de7a9b8cd1f114b95b43e4aaa2f5b1f7c9e9fcff8058"
     "024ed702457fe9daaf5d41f103280ff8"},
    {EspAlgorithm::aes_cbc_256_sha256, true,
     "00004321fffffffe3ad741fd6d2eb6b4035280285d870a2b1ad034d533e7f4dc0ad7421eb54bca6b95e42f6f09a77739d997976fb20cbce0"
     "897ad563f7f17f7ae9f8d7c2f161f09f"},
    {EspAlgorithm::aes_cbc_128_sha384, false,
     "00004321fffffffeac6096bbdba7f26afc3358afec2913ccfe80ddf9d692051c606be076ec2cf29358d9ca28588bdef7ca5cea299b399605"
     "298bec16f91aa7ddc036062ff4987df184c6607d1b176aef"},
    {EspAlgorithm::aes_cbc_256_sha384, true,
     "00004321fffffffed7911b28666a9481fb19d99213c24e85d9d404dfff4e3efe790e39f022806be76d5b94f43dbe13cfd0e29aee03131727"
     "bdd2033dc8788da2771c5b2836f7085580c8df1b6540694b"},
    {EspAlgorithm::aes_cbc_128_sha512, true,
     "00004321fffffffe571f24d7f799e46bdc35da91d3cbc19b5394cce7687a5efdbdc2b1d79df9da4ad0bfbe4104021d263ddc95baf2b842a6"
     "5da921326be462aaf445386dc7200eec812fa00cdda8a8b83b0fc143c06bcd6c"},
    {EspAlgorithm::aes_cbc_256_sha512, false,
     "00004321fffffffe8fd75e2d04b816f8bf216a6c6e93aa2d789f9a9a8a302d9be863ac6d26d472dd60a1c004545fe84b811ad26c631ee724"
     "d6d9b3087946711a9c669e7b5092aed0faef1757dafab6cee3d55394b8d942a2"},
};

Bytes plain_text() { return hex("6162636465666768696a6b6c6d6e6f707172737475767778797a7b010203032f"); }

/// SPI and number, room for the IV, text, room for the ICV.
Bytes unsealed(EspAlgorithm algorithm, std::uint64_t sequence, ByteView text) {
    ByteWriter header;
    header.u32(0x4321);
    header.u32(static_cast<std::uint32_t>(sequence));
    return concat({header.view(), Bytes(sizes_of(algorithm).iv, 0xcc), text, Bytes(sizes_of(algorithm).icv, 0xdd)});
}

Bytes text_of(const EspJob& job) { return {job.text, job.text + job.length}; }

/// A cipher with one key.
struct Keyed {
    EspCrypto crypto;
    EspKey key;
    explicit Keyed(EspAlgorithm algorithm) { REQUIRE(crypto.expand(algorithm, pattern(sizes_of(algorithm).keymat()), key)); }
    bool opens(Bytes packet, bool esn, std::uint64_t sequence) {
        EspJob job = job_over(key, packet, esn, sequence);
        crypto.open({&job, 1});
        return job.ok;
    }
};

}  // namespace

TEST_CASE("packets that openssl made are sealed to the byte, IV included, and opened") {
    for (const Vector& vector : kVectors) {
        INFO("algorithm " << static_cast<int>(vector.algorithm) << " esn " << vector.esn);
        Keyed keyed{vector.algorithm};
        Bytes packet = unsealed(vector.algorithm, kSequence, plain_text());
        EspJob job = job_over(keyed.key, packet, vector.esn, kSequence);
        keyed.crypto.seal({&job, 1});
        CHECK(job.ok);
        CHECK(packet == hex(vector.sealed));
        keyed.crypto.open({&job, 1});
        CHECK(job.ok);
        CHECK(text_of(job) == plain_text());
    }
}

TEST_CASE("the transport-mode ESP packet of RFC 3602 section 4, case 5, opens") {
    EspCrypto crypto;
    EspKey key;
    REQUIRE(crypto.expand(EspAlgorithm::aes_cbc_128_sha256, concat({hex("90d382b410eeba7ad938c46cec1a82bf"), pattern(32)}), key));
    Bytes packet = hex("0000432100000001" "e96e8c08ab465763fd098d45dd3ff893"
                       "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
                       "a269add047ad2d5913ac19b7cfbad4a6" "a4de5ff4f4cf744b89129c5b5e3efa4b");
    EspJob job = job_over(key, packet, false, 1);
    crypto.open({&job, 1});
    REQUIRE(job.ok);
    CHECK(text_of(job) == hex("08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
                              "0102030405060708090a0b0c0d0e0e01"));
}

TEST_CASE("whatever bit is flipped, in header, IV, ciphertext or ICV, the packet does not open and its ciphertext stays as it came") {
    const auto algorithm = GENERATE(from_range(std::begin(kCbcAlgorithms), std::end(kCbcAlgorithms)));
    const bool esn = GENERATE(false, true);
    Keyed keyed{algorithm};
    Bytes packet = unsealed(algorithm, kSequence, plain_text());
    EspJob job = job_over(keyed.key, packet, esn, kSequence);
    keyed.crypto.seal({&job, 1});
    REQUIRE(keyed.opens(packet, esn, kSequence));
    for (std::size_t i = 0; i < packet.size(); ++i) {
        Bytes spoilt = packet;
        spoilt[i] ^= static_cast<std::uint8_t>(1 << i % 8);
        const Bytes before = spoilt;
        job = job_over(keyed.key, spoilt, esn, kSequence);
        keyed.crypto.open({&job, 1});
        CHECK_FALSE(job.ok);
        CHECK(spoilt == before);
    }
}

TEST_CASE("the high half of an extended number is authenticated though it is never sent") {
    const auto algorithm = GENERATE(from_range(std::begin(kCbcAlgorithms), std::end(kCbcAlgorithms)));
    Keyed keyed{algorithm};
    Bytes packet = unsealed(algorithm, kSequence, plain_text());
    EspJob job = job_over(keyed.key, packet, true, kSequence);
    keyed.crypto.seal({&job, 1});
    CHECK(keyed.opens(packet, true, kSequence));
    CHECK_FALSE(keyed.opens(packet, true, kSequence + (std::uint64_t{1} << 32)));
    CHECK_FALSE(keyed.opens(packet, false, kSequence));
}

TEST_CASE("a job that is not whole blocks, or not in one piece, is refused and not written to") {
    Keyed keyed{EspAlgorithm::aes_cbc_128_sha256};
    for (const std::size_t size : {std::size_t{0}, std::size_t{15}, std::size_t{17}}) {
        Bytes packet = unsealed(EspAlgorithm::aes_cbc_128_sha256, 1, pattern(size));
        const Bytes before = packet;
        EspJob job = job_over(keyed.key, packet, false, 1);
        keyed.crypto.seal({&job, 1});
        CHECK_FALSE(job.ok);
        keyed.crypto.open({&job, 1});
        CHECK_FALSE(job.ok);
        CHECK(packet == before);
    }
    Bytes packet = unsealed(EspAlgorithm::aes_cbc_128_sha256, 1, pattern(32));
    EspJob job = job_over(keyed.key, packet, false, 1);
    job.gather_count = 1;
    keyed.crypto.seal({&job, 1});
    CHECK_FALSE(job.ok);
}

TEST_CASE("IVs never repeat under a key, and two keys make two IVs of one number") {
    Keyed keyed{EspAlgorithm::aes_cbc_256_sha256};
    std::set<Bytes> seen;
    const auto iv = [&](EspKey& key, bool esn, std::uint64_t sequence) {
        Bytes packet = unsealed(EspAlgorithm::aes_cbc_256_sha256, sequence, plain_text());
        EspJob job = job_over(key, packet, esn, sequence);
        keyed.crypto.seal({&job, 1});
        return Bytes{packet.begin() + 8, packet.begin() + 24};
    };
    for (std::uint64_t i = 1; i <= 1000; ++i) seen.insert(iv(keyed.key, true, i)), seen.insert(iv(keyed.key, true, i << 32));
    CHECK(seen.size() == 2000);
    // Also a key that differs in its integrity half alone.
    Bytes other_keymat = pattern(64);
    other_keymat[63] ^= 1;
    EspKey other;
    REQUIRE(keyed.crypto.expand(EspAlgorithm::aes_cbc_256_sha256, other_keymat, other));
    CHECK_FALSE(seen.contains(iv(other, true, 1)));
}

TEST_CASE("a host's packet of any length from 0 to 1,400 arrives through CBC and HMAC, with and without extended numbers") {
    LeakCheck leaks;
    const auto algorithm = GENERATE(from_range(std::begin(kCbcAlgorithms), std::end(kCbcAlgorithms)));
    const bool esn = GENERATE(false, true);
    Box a{{.number = 1}}, b{{.number = 2}};
    connect(a, b, {.algorithm = algorithm, .esn = esn});
    for (std::size_t size = 0; size < 1400 - 28; size += 31) {
        for (std::size_t i = 0; i < 7; ++i) a.from_host(host_packet(a, b, size + i));
        a.turn();
        for (const Bytes& frame : carry(a, b)) CHECK((frame.size() - 14 - 20 - 8 - 16 - sizes_of(algorithm).icv) % 16 == 0);
        const auto frames = b.sent(kInside);
        REQUIRE(frames.size() == 7);
        for (std::size_t i = 0; i < 7; ++i) CHECK(tail(frames[i], 14 + 20) == tail(host_packet(a, b, size + i), 20));
    }
    CHECK(a.drops() == 0);
    CHECK(b.drops() == 0);
}
