// Fragments (RFC 7383): what is cut fits, what was cut comes together in any order, and nothing is kept beyond the limits.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/fragmentation.hpp"
#include "tests/unit/ike/hex.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

using namespace nave;
using namespace nave::ike;

namespace {

const Header kHeader{.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::ike_auth, .from_initiator = true, .message_id = 1};
const char* const kSuites[] = {"aes-gcm-128/prf-sha256/x25519", "aes-gcm-256/prf-sha384/x25519", "aes-cbc-128/sha256/prf-sha256/x25519", "aes-cbc-256/sha512/prf-sha512/x25519"};

ProtectionKeys keys_for(const char* suite) {
    static const Bytes nonce(32, 1);
    return derive_session_keys({parse_ike_proposal(suite).value(), nonce, nonce, 1, 2}, Secret{nonce}).from_initiator;
}

std::vector<Payload> content(std::size_t size) {
    Bytes data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    return {VendorId{data}, AuthPayload{AuthMethod::shared_key, Bytes(32, 5)}};
}

std::vector<Bytes> cut(const char* suite, std::size_t content_size, std::size_t size_max) {
    SeededRandom random{9};
    return seal_to_fit(kHeader, content(content_size), keys_for(suite), random, size_max);
}

Inside part(std::uint16_t number, std::uint16_t total, std::size_t size = 1) { return {PayloadType::vendor_id, Bytes(size, 1), FragmentNumber{number, total}}; }

using enum Reassembly::Outcome;

}  // namespace

TEST_CASE("a message that fits goes whole, byte for byte as without fragments") {
    for (const char* suite : kSuites) {
        SeededRandom random{9};
        const Bytes whole = seal(kHeader, content(300), keys_for(suite), random);
        CHECK(cut(suite, 300, whole.size()) == std::vector<Bytes>{whole});
        CHECK(cut(suite, 300, whole.size() - 1).size() == 2);
    }
}

TEST_CASE("every fragment fits, has an IV of its own, and all together in any order are the message") {
    for (const char* suite : kSuites) {
        const auto keys = keys_for(suite);
        for (const std::size_t size_max : {150u, 548u, 1252u})
            for (std::size_t size = 0; size < 5000; size += 191) {
                std::vector<Bytes> messages = cut(suite, size, size_max);
                CHECK(std::ranges::all_of(messages, [&](const Bytes& message) { return message.size() <= size_max; }));
                if (messages.size() == 1) continue;
                std::set<Bytes> ivs;
                Reassembly parts;
                std::ranges::rotate(messages, messages.begin() + static_cast<std::ptrdiff_t>(size % messages.size()));
                for (const Bytes& message : messages) {
                    ivs.insert(to_bytes(ByteView{message}.subspan(36, 8)));
                    auto inside = unseal(message, keys);
                    REQUIRE(inside);
                    REQUIRE(inside->fragment->total == messages.size());
                    const auto outcome = parts.add(1, std::move(*inside));
                    REQUIRE(outcome == (&message == &messages.back() ? complete : kept));
                }
                CHECK(ivs.size() == messages.size());
                CHECK(parse(parts.whole()) == content(size));
                CHECK(parts.bytes_held() > 0);
                parts.forget();
                CHECK(parts.bytes_held() == 0);
            }
    }
}

TEST_CASE("a fragment is its number, the total, an IV, and its part, all before the part authenticated (RFC 7383 §2.5)") {
    const auto keys = keys_for(kSuites[0]);
    SeededRandom random{9};
    const Bytes message = seal_fragment(kHeader, {2, 3}, PayloadType::none, hex("aabb"), keys, random);
    REQUIRE(message.size() == Header::kSize + 8 + 8 + 3 + 16);
    const ByteView all = message, key = keys.encryption_key.view();
    CHECK(to_bytes(all.subspan(16, 1)) == hex("35"));
    CHECK(to_bytes(all.subspan(24, 12)) == hex("0000003f 00000023 0002 0003"));
    Bytes nonce = to_bytes(key.last(4));
    nonce.insert(nonce.end(), message.begin() + 36, message.begin() + 44);
    CHECK(aead_open(IkeEncryption::aes_gcm_128, key.first(16), nonce, all.first(36), all.subspan(44)) == hex("aabb 00"));
}

TEST_CASE("a fragment with any byte changed, or cut at any byte, is none") {
    for (const char* suite : {kSuites[0], kSuites[2]}) {
        const Bytes genuine = cut(suite, 400, 300).front();
        for (std::size_t i = 0; i < genuine.size(); ++i) {
            Bytes damaged = genuine;
            damaged[i] ^= 0x40;
            CHECK_FALSE(unseal(damaged, keys_for(suite)));
            Bytes shorter = to_bytes(ByteView{genuine}.first(i));
            CHECK_FALSE(unseal(shorter, keys_for(suite)));
            if (i < 32) continue;
            shorter[26] = static_cast<std::uint8_t>(i >> 8), shorter[27] = static_cast<std::uint8_t>(i);
            shorter[30] = static_cast<std::uint8_t>((i - 28) >> 8), shorter[31] = static_cast<std::uint8_t>(i - 28);
            CHECK_FALSE(unseal(shorter, keys_for(suite)));
        }
    }
}

TEST_CASE("fragment number zero, one above the total, and a total of zero are refused, however authentic") {
    SeededRandom random{9};
    const auto keys = keys_for(kSuites[0]);
    for (const FragmentNumber wrong : {FragmentNumber{0, 2}, FragmentNumber{3, 2}, FragmentNumber{0, 0}, FragmentNumber{1, 0}})
        CHECK(unseal(seal_fragment(kHeader, wrong, PayloadType::none, hex("00"), keys, random), keys).error().kind == OpenError::Kind::invalid_fragment);
    CHECK(unseal(seal_fragment(kHeader, {2, 2}, PayloadType::none, hex("00"), keys, random), keys));
}

TEST_CASE("the type of the first payload is believed of the first fragment only") {
    Reassembly parts;
    CHECK(parts.add(1, {PayloadType::nonce, Bytes(4, 2), FragmentNumber{2, 2}}) == kept);
    CHECK(parts.add(1, {PayloadType::vendor_id, Bytes{0, 0, 0, 8}, FragmentNumber{1, 2}}) == complete);
    const Inside whole = parts.whole();
    CHECK(whole.first == PayloadType::vendor_id);
    CHECK(parse(whole) == std::vector<Payload>{VendorId{Bytes(4, 2)}});
}

TEST_CASE("a fragment that is held is not taken again, a division into more takes the place of one into fewer (RFC 7383 §2.6)") {
    Reassembly parts;
    CHECK(parts.add(1, part(1, 2, 500)) == kept);
    CHECK(parts.add(1, part(1, 2, 500)) == repeated);
    CHECK(parts.bytes_held() == 500);
    CHECK(parts.add(1, part(2, 3, 10)) == kept);
    CHECK(parts.bytes_held() == 10);
    CHECK(parts.add(1, part(2, 2, 500)) == superseded);
    CHECK(parts.add(1, part(1, 3, 10)) == kept);
    CHECK(parts.add(1, part(3, 3, 10)) == complete);
    CHECK(parts.add(1, part(3, 3, 10)) == complete);
    CHECK(parts.whole().chain.size() == 30);
}

TEST_CASE("fragments of one message at a time are held") {
    Reassembly parts;
    CHECK(parts.add(1, part(1, 2)) == kept);
    CHECK(parts.add(2, part(2, 2)) == kept);
    CHECK(parts.add(2, part(1, 2)) == complete);
}

TEST_CASE("too many fragments, or too many bytes, are refused") {
    Reassembly parts;
    CHECK(parts.add(1, part(1, Reassembly::kFragmentsMax + 1)) == beyond_limits);
    CHECK(parts.bytes_held() == 0);
    CHECK(parts.add(1, part(1, 3, Reassembly::kBytesMax - 10)) == kept);
    CHECK(parts.add(1, part(2, 3, 11)) == beyond_limits);
    CHECK(parts.bytes_held() == Reassembly::kBytesMax - 10);
    CHECK(parts.add(1, part(1, Reassembly::kFragmentsMax)) == kept);
}

TEST_CASE("every outcome has its counter") {
    CHECK(name(kept) == "fragments-kept");
    CHECK(name(complete) == "fragments-complete");
    CHECK(name(repeated) == "fragments-repeated");
    CHECK(name(superseded) == "fragments-superseded");
    CHECK(name(beyond_limits) == "fragments-beyond-limits");
}
