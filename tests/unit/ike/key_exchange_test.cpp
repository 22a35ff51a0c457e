// Key exchange against published vectors in every group, and every public value that must be refused.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/key_exchange.hpp"
#include "tests/unit/ike/hex.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace nave;
using namespace nave::ike;

namespace {

constexpr std::initializer_list<Group> kAllGroups{Group::x25519, Group::x448,     Group::p256,     Group::p384,
                                                  Group::p521,   Group::modp2048, Group::modp3072, Group::modp4096};

/// RFC 3526 §5: 2^4096 - 2^4032 - 1 + 2^64 * ([2^3966 pi] + 240904).
constexpr std::string_view kPrime4096 =
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437"
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05"
    "98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b"
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aaac42dad33170d04507a33"
    "a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864"
    "d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e4b82d120a92108011a723c12a787e6d7"
    "88719a10bdba5b2699c327186af4e23c1a946834b6150bda2583e9ca2ad44ce8dbbbc2db04de8ef92e8efc141fbecaa6287c59474e6bc05d99b2964fa090c3a2"
    "233ba186515be7ed1f612970cee2d7afb81bdd762170481cd0069127d5b05aa993b4ea988d8fddc186ffb7dc90a6c08f4df435c934063199ffffffffffffffff";

/// The smaller primes begin with the same digits of pi (§3, §4) and end in a sum of their own.
Bytes prime_of(Group group) {
    const auto [size, ending] = group == Group::modp2048 ? std::pair{256, "8aacaa68"} : group == Group::modp3072 ? std::pair{384, "a93ad2ca"} : std::pair{512, "34063199"};
    return hex(std::string{kPrime4096.substr(0, static_cast<std::size_t>(2 * (size - 12)))} + ending + "ffffffffffffffff");
}

/// `first`, `first` + 1, ...: a private key that is easy to say again elsewhere.
Bytes counted(std::uint8_t first, std::size_t size) {
    Bytes bytes(size);
    for (std::uint8_t& byte : bytes) byte = first++;
    return bytes;
}

Bytes digest(ByteView bytes) { return to_bytes(prf(Prf::hmac_sha256, {}, {bytes}).view()); }

}  // namespace

TEST_CASE("X25519 agrees with RFC 7748 §6.1") {
    const auto alice = DhKeyPair::from_private(Group::x25519, hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")).value();
    const auto bob = DhKeyPair::from_private(Group::x25519, hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")).value();
    CHECK(alice.public_value() == hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    CHECK(bob.public_value() == hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    const Bytes shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    CHECK(to_bytes(alice.shared_secret(bob.public_value())->view()) == shared);
    CHECK(to_bytes(bob.shared_secret(alice.public_value())->view()) == shared);
}

TEST_CASE("X448 agrees with RFC 7748 §6.2") {
    const auto alice = DhKeyPair::from_private(Group::x448, hex("9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d"
                                                                "d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b")).value();
    const auto bob = DhKeyPair::from_private(Group::x448, hex("1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d"
                                                                "6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d")).value();
    CHECK(alice.public_value() == hex("9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0"));
    CHECK(bob.public_value() == hex("3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609"));
    const Bytes shared = hex("07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d");
    CHECK(to_bytes(alice.shared_secret(bob.public_value())->view()) == shared);
    CHECK(to_bytes(bob.shared_secret(alice.public_value())->view()) == shared);
}

TEST_CASE("P-256 agrees with RFC 5903 §8.1") {
    const auto initiator = DhKeyPair::from_private(Group::p256, hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433")).value();
    const auto responder = DhKeyPair::from_private(Group::p256, hex("C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53")).value();
    CHECK(initiator.public_value() == hex("DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180 5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3"));
    CHECK(responder.public_value() == hex("D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63 56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB"));
    const Bytes shared = hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE");
    CHECK(to_bytes(initiator.shared_secret(responder.public_value())->view()) == shared);
    CHECK(to_bytes(responder.shared_secret(initiator.public_value())->view()) == shared);
}

TEST_CASE("P-384 agrees with RFC 5903 §8.2") {
    const auto initiator = DhKeyPair::from_private(Group::p384, hex("099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194")).value();
    CHECK(initiator.public_value() == hex("667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA"
                                          "9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C"));
    const Bytes responder = hex("E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571"
                                "DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C");
    CHECK(to_bytes(initiator.shared_secret(responder)->view()) == hex("11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746"));
}

TEST_CASE("P-521 agrees with RFC 5903 §8.3") {
    const auto initiator = DhKeyPair::from_private(Group::p521, hex("0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777F595"
                                                                    "7B2639BAB072462F68C27A57382D4A52")).value();
    const auto responder = DhKeyPair::from_private(Group::p521, hex("0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E9C677D600B343757A3BDBF2A3163E4C2F869"
                                                                    "CCA7458AA4A4EFFC311F5CB151685EB9")).value();
    CHECK(initiator.public_value() == hex("0015417E84DBF28C0AD3C278713349DC7DF153C897A1891BD98BAB4357C9ECBEE1E3BF42E00B8E380AEAE57C2D107564941885942AF5A7F4601723C4195D176CED3E"
                                          "017CAE20B6641D2EEB695786D8C946146239D099E18E1D5A514C739D7CB4A10AD8A788015AC405D7799DC75E7B7D5B6CF2261A6A7F1507438BF01BEB6CA3926F9582"));
    CHECK(responder.public_value() == hex("00D0B3975AC4B799F5BEA16D5E13E9AF971D5E9B984C9F39728B5E5739735A219B97C356436ADC6E95BB0352F6BE64A6C2912D4EF2D0433CED2B6171640012D9460F"
                                          "015C68226383956E3BD066E797B623C27CE0EAC2F551A10C2C724D9852077B87220B6536C5C408A1D2AEBB8E86D678AE49CB57091F4732296579AB44FCD17F0FC56A"));
    const Bytes shared = hex("01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04D1427E73CA4BAA240A34786859810C06B3C715A3A8CC3151F2BEE417996D19F3DDEA");
    CHECK(to_bytes(initiator.shared_secret(responder.public_value())->view()) == shared);
    CHECK(to_bytes(responder.shared_secret(initiator.public_value())->view()) == shared);
}

TEST_CASE("the MODP groups have RFC 3526's primes and the generator 2") {
    // HMAC-SHA-256 with an empty key of the public values and the secret, as Python's pow() gives them for the primes above.
    const auto [group, of_initiator, of_responder, of_shared] = GENERATE(table<Group, const char*, const char*, const char*>({
        {Group::modp2048, "d6d6f7128f7225932ecc6ca8bce38661e951bf6139a6ab1da4d3ed5c1e6ad41c", "7735849fc975f72b68f7919c7578dd48fb9b133c7ca39d16c70a92d7172a5f89",
         "c83ddc4a1242cd956ae6fc54b57e9bee101192c1331eefc7ca32bc7133fe15dd"},
        {Group::modp3072, "f92a1ad3ca24be2f5c4508706e1d4c39ec2f8866a0413c2e0a7e4685c35661dd", "5446340602da1fa32c5fac5ed8522a3198a3faf3ff584baae072bc7f7a0bf5d4",
         "2cd2a4f3fd457cf285e1568877cb1fdf657dec284dfc713ca78ce71e1c027719"},
        {Group::modp4096, "659b57d7ad2d4dad321dee447f738cddfd1f5963c7277bb723001e486ed90620", "066ca3eafa53b361c61df0c01c112d70db3df80c89947d14fcefa7fb0e03e8e3",
         "f1561da6398d96282780befc38a1ed9adbe294b784165831e100f0a3ef1fb1a3"}}));
    const auto initiator = DhKeyPair::from_private(group, counted(1, 40)).value(), responder = DhKeyPair::from_private(group, counted(101, 40)).value();
    CHECK(initiator.public_value().size() == prime_of(group).size());
    CHECK(digest(initiator.public_value()) == hex(of_initiator));
    CHECK(digest(responder.public_value()) == hex(of_responder));
    CHECK(digest(initiator.shared_secret(responder.public_value())->view()) == hex(of_shared));
    CHECK(digest(responder.shared_secret(initiator.public_value())->view()) == hex(of_shared));
}

TEST_CASE("a small MODP value stands with leading zeros in the KE payload (RFC 7296 §3.4)") {
    const auto key = DhKeyPair::from_private(Group::modp2048, Bytes{3}).value();
    Bytes eight(256, 0);
    eight.back() = 8;
    CHECK(key.public_value() == eight);
    eight.back() = 2;
    Bytes shared(256, 0);
    shared.back() = 8;
    CHECK(to_bytes(key.shared_secret(eight)->view()) == shared);
}

TEST_CASE("a MODP value below 2 or above p - 2 is refused (RFC 6989 §2.1)") {
    SeededRandom random{4};
    for (const Group group : {Group::modp2048, Group::modp3072, Group::modp4096}) {
        const auto key = DhKeyPair::generate(group, random);
        const Bytes prime = prime_of(group);
        Bytes value(prime.size(), 0);
        CHECK(key.shared_secret(value).error() == KeyExchangeError::out_of_range);  // 0
        value.back() = 1;
        CHECK(key.shared_secret(value).error() == KeyExchangeError::out_of_range);  // the identity
        value.back() = 2;
        CHECK(key.shared_secret(value));
        value = prime;
        CHECK(key.shared_secret(value).error() == KeyExchangeError::out_of_range);  // p
        value.back() -= 1;
        CHECK(key.shared_secret(value).error() == KeyExchangeError::out_of_range);  // p - 1, whose order is 2
        value.back() -= 1;
        CHECK(key.shared_secret(value));
        CHECK(key.shared_secret(Bytes(prime.size(), 0xff)).error() == KeyExchangeError::out_of_range);
    }
}

TEST_CASE("both ends of every group compute one secret, and a seed replays its key") {
    for (const Group group : kAllGroups) {
        SeededRandom random{7}, replay{7};
        const auto a = DhKeyPair::generate(group, random), b = DhKeyPair::generate(group, random);
        CHECK(a.public_value() != b.public_value());
        CHECK(*a.shared_secret(b.public_value()) == *b.shared_secret(a.public_value()));
        CHECK(DhKeyPair::generate(group, replay).public_value() == a.public_value());
        const DhKeyPair copy = a;
        CHECK(*copy.shared_secret(b.public_value()) == *a.shared_secret(b.public_value()));
    }
}

TEST_CASE("a peer's public value of the wrong length is refused in every group") {
    SeededRandom random{1};
    for (const Group group : kAllGroups) {
        const auto key = DhKeyPair::generate(group, random);
        Bytes longer = key.public_value(), shorter = key.public_value();
        longer.push_back(0);
        shorter.pop_back();
        for (const Bytes& value : {longer, shorter, Bytes{}}) CHECK(key.shared_secret(value).error() == KeyExchangeError::wrong_length);
    }
}

TEST_CASE("a point beside the curve, out of range or at infinity is refused") {
    SeededRandom random{2};
    for (const Group group : {Group::p256, Group::p384, Group::p521}) {
        const auto key = DhKeyPair::generate(group, random);
        Bytes beside = key.public_value();
        beside.back() ^= 1;
        CHECK(key.shared_secret(beside).error() == KeyExchangeError::not_on_curve);
        CHECK(key.shared_secret(Bytes(beside.size(), 0)).error() == KeyExchangeError::not_on_curve);
        CHECK(key.shared_secret(Bytes(beside.size(), 0xff)).error() == KeyExchangeError::not_on_curve);
    }
}

TEST_CASE("X25519 values of small order are refused, because anybody knows the result") {
    SeededRandom random{3};
    const auto key = DhKeyPair::generate(Group::x25519, random);
    for (const char* value : {"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
                              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"})
        CHECK(key.shared_secret(hex(value)).error() == KeyExchangeError::zero_result);
}

TEST_CASE("X448 values of small order are refused likewise") {
    SeededRandom random{3};
    const auto key = DhKeyPair::generate(Group::x448, random);
    const std::string ones(54, 'f');
    for (const std::string& value : {std::string(112, '0'), "01" + std::string(110, '0'), "fe" + ones + "fe" + ones,   // 0, 1, p - 1
                                     "ff" + ones + "fe" + ones, "00" + std::string(54, '0') + "ff" + ones})            // p, p + 1
        CHECK(key.shared_secret(hex(value)).error() == KeyExchangeError::zero_result);
}

TEST_CASE("a private key must be within the group's order and length") {
    CHECK_FALSE(DhKeyPair::from_private(Group::p256, Bytes(32, 0)));
    CHECK_FALSE(DhKeyPair::from_private(Group::p256, Bytes(32, 0xff)));
    CHECK_FALSE(DhKeyPair::from_private(Group::p384, Bytes(32, 1)));
    CHECK_FALSE(DhKeyPair::from_private(Group::p521, Bytes(66, 0xff)));
    CHECK_FALSE(DhKeyPair::from_private(Group::x25519, Bytes(31, 1)));
    CHECK_FALSE(DhKeyPair::from_private(Group::x448, Bytes(57, 1)));
    CHECK_FALSE(DhKeyPair::from_private(Group::modp2048, Bytes{}));
    CHECK_FALSE(DhKeyPair::from_private(Group::modp2048, Bytes(40, 0)));
    CHECK_FALSE(DhKeyPair::from_private(Group::modp2048, prime_of(Group::modp2048)));
    CHECK_FALSE(DhKeyPair::from_private(Group::modp2048, Bytes(257, 1)));
}

TEST_CASE("groups that are weak or unknown do not exist") {
    for (const unsigned number : {0u, 1u, 2u, 5u, 17u, 18u, 22u, 23u, 24u, 25u, 26u, 27u, 30u, 33u, 65535u}) {
        CHECK_FALSE(is_supported(Group{static_cast<std::uint16_t>(number)}));
        CHECK_FALSE(DhKeyPair::from_private(Group{static_cast<std::uint16_t>(number)}, Bytes(32, 1)));
    }
}
