// The cipher engine against published vectors, and against itself where packets share a payload.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

struct Vector {
    const char* name;
    EspAlgorithm algorithm;
    const char *keymat, *iv, *associated, *plain, *sealed;
};

// AES-GCM: draft-mcgrew-gcm-test-01 §4 (the first with an extended sequence number); ChaCha20-Poly1305: RFC 7634 appendix A.
constexpr Vector kVectors[] = {
    {"AES-GCM-128, ESN", EspAlgorithm::aes_gcm_128, "4c80cdefbb5d10da906ac73c3613a6342e443b68", "4956ed7e3b244cfe", "000043218765432100000000",
     "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902646b000021000101020201",
     "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732"
     "459018148f6cbe722fd04796562dfdb4"},
    {"AES-GCM-128, short", EspAlgorithm::aes_gcm_128, "0000000000000000000000000000000000000000", "0000000000000000", "0000000000000001",
     "4500003c99c500008001cb7a40679318010101010800075c020044006162636465666768696a6b6c6d6e6f707172737475767761626364656667686901020201",
     "4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492719ffb64de7d9dca1e1d894bc3bd57873ed4d181d19d4d5c8c18af3"
     "f821d496eeb096e98ad2b69e4799c71d"},
    {"AES-GCM-256", EspAlgorithm::aes_gcm_256, "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344", "0102030405060708", "4a2cbfe300000002",
     "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
     "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c4915956c96"},
    {"ChaCha20-Poly1305", EspAlgorithm::chacha20_poly1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3", "1011121314151617", "0102030400000005",
     "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b"
     "2c2d2e2f303132333435363701020204",
     "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b50"
     "2773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43"},
};

/// The whole packet of a vector: ESP header, IV, `text`.
Bytes packet_of(const Vector& vector, const Bytes& text) {
    const Bytes associated = hex(vector.associated);
    return concat({ByteView{associated}.first(4), ByteView{associated}.last(4), hex(vector.iv), text});
}

EspJob job_over_vector(const EspKey& key, Bytes& packet, const Vector& vector) {
    const Bytes associated = hex(vector.associated);
    ByteReader in{ByteView{associated}.subspan(4)};
    const bool esn = associated.size() == 12;
    return job_over(key, packet, esn, esn ? in.u64() : in.u32());
}

constexpr EspAlgorithm kAeads[] = {EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_gcm_256, EspAlgorithm::chacha20_poly1305, EspAlgorithm::aes_gmac_128, EspAlgorithm::aes_gmac_256};
constexpr EspAlgorithm kAll[] = {EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::aes_gcm_256, EspAlgorithm::aes_cbc_256_sha256,
                                 EspAlgorithm::chacha20_poly1305, EspAlgorithm::aes_cbc_128_sha384, EspAlgorithm::aes_cbc_256_sha512, EspAlgorithm::null_sha256,
                                 EspAlgorithm::aes_gmac_256,      EspAlgorithm::null_sha512};

}  // namespace

TEST_CASE("published vectors seal and open to the byte") {
    EspCrypto crypto;
    for (const Vector& vector : kVectors) {
        INFO(vector.name);
        EspKey key;
        REQUIRE(crypto.expand(vector.algorithm, hex(vector.keymat), key));
        Bytes packet = packet_of(vector, concat({hex(vector.plain), Bytes(16, 0)}));
        EspJob job = job_over_vector(key, packet, vector);
        crypto.seal({&job, 1});
        CHECK(job.ok);
        CHECK(packet == packet_of(vector, hex(vector.sealed)));
        crypto.open({&job, 1});
        CHECK(job.ok);
        CHECK(Bytes{job.text, job.text + job.length} == hex(vector.plain));
    }
}

TEST_CASE("one flipped bit in ciphertext, ICV or associated data fails to open") {
    EspCrypto crypto;
    for (const Vector& vector : kVectors) {
        EspKey key;
        REQUIRE(crypto.expand(vector.algorithm, hex(vector.keymat), key));
        for (const int spoilt : {0, 1, 2}) {
            Bytes packet = packet_of(vector, hex(vector.sealed));
            EspJob job = job_over_vector(key, packet, vector);
            std::uint8_t* const place[] = {job.text, job.icv() + 15, job.associated.data()};
            *place[spoilt] ^= 1;
            crypto.open({&job, 1});
            CHECK_FALSE(job.ok);
        }
    }
}

TEST_CASE("a shared payload is sealed from where it lies to the same bytes as in one piece, and stays as it was") {
    EspCrypto crypto;
    const auto algorithm = GENERATE(from_range(std::begin(kAeads), std::end(kAeads)));
    EspKey key;
    REQUIRE(crypto.expand(algorithm, pattern(sizes_of(algorithm).keymat()), key));
    const Bytes esp = pattern(16), head = pattern(8), first = pattern(20), second = pattern(333), trailer{1, 1, 47};
    Bytes whole = concat({esp, head, first, second, trailer, Bytes(16, 0)});
    Bytes pieces = concat({esp, head, Bytes(first.size() + second.size(), 0xee), trailer, Bytes(16, 0)});
    EspJob jobs[] = {job_over(key, whole, false, 1), job_over(key, pieces, false, 1)};
    const ByteView shared[] = {first, second};
    jobs[1].head_length = 8, jobs[1].gather_count = 2, jobs[1].gather = shared;
    crypto.seal(jobs);
    CHECK(whole == pieces);
    CHECK(second == pattern(333));
}

TEST_CASE("a burst of mixed algorithms, many times what is sealed at once, opens with each job's own verdict") {
    EspCrypto crypto;
    std::vector<Bytes> packets(700);
    std::vector<EspJob> jobs;
    std::array<EspKey, std::size(kAll)> keys;
    for (std::size_t i = 0; i < keys.size(); ++i) REQUIRE(crypto.expand(kAll[i], pattern(sizes_of(kAll[i]).keymat()), keys[i]));
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const auto algorithm = i % keys.size();
        const EspSizes sizes = sizes_of(kAll[algorithm]);
        packets[i] = concat({pattern(front_of(sizes)), pattern(16 + i % 97 * 16), Bytes(sizes.icv, 0)});
        jobs.push_back(job_over(keys[algorithm], packets[i], i % 2 == 0, i));
    }
    crypto.seal(jobs);
    for (const EspJob& job : jobs) CHECK(job.ok);
    for (std::size_t i = 0; i < jobs.size(); i += 5) jobs[i].icv()[i % 16] ^= 4;
    crypto.open(jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        CHECK(jobs[i].ok == (i % 5 != 0));
        if (jobs[i].ok) CHECK(Bytes{jobs[i].text, jobs[i].text + jobs[i].length} == pattern(jobs[i].length));
    }
}

TEST_CASE("key material of another length than the algorithm's is refused") {
    EspCrypto crypto;
    EspKey key;
    for (const EspAlgorithm algorithm : kAll) {
        CHECK_FALSE(crypto.expand(algorithm, pattern(sizes_of(algorithm).keymat() - 1), key));
        CHECK_FALSE(crypto.expand(algorithm, pattern(sizes_of(algorithm).keymat() + 1), key));
        CHECK_FALSE(key.ready);
    }
}
