// The key log: lines as Wireshark reads them, for every SA that comes up, and nothing unless asked for.
#include "controlplane/ike/key_log.hpp"
#include "tests/unit/ike/hex.hpp"
#include "tests/unit/ike/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

std::string text_of(const Secret& line) { return {line.view().begin(), line.view().end()}; }

IkeSa sa_with(const char* suite) {
    static const Bytes nonce(32, 1);
    IkeSa ike;
    ike.initiator_spi = 0x1122334455667788, ike.responder_spi = 0xa;
    ike.suite = parse_ike_proposal(suite).value();
    ike.keys = derive_session_keys({ike.suite, nonce, nonce, 1, 2}, Secret{nonce});
    return ike;
}

std::string esp_line(EspAlgorithm algorithm) {
    const Bytes keymat(sizes_of(algorithm).keymat(), 0xab);
    return text_of(wireshark_line(EspKeys{ip("192.0.2.1"), ip("192.0.2.2"), Spi{0x1234}, algorithm, keymat}));
}

/// Two gateways with a key log each.
struct Logging {
    play::Lab lab{95};
    play::Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    play::Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Logging() {
        for (play::Gateway* gateway : {&spoke, &hub}) gateway->settings.key_log = true, gateway->start();
    }
    static std::vector<std::string> lines(const play::Gateway& gateway, KeyLog::Table table) {
        std::vector<std::string> found;
        for (const KeyLog& keys : gateway.key_log)
            if (keys.table == table) found.push_back(text_of(keys.line));
        return found;
    }
    void require_same(KeyLog::Table table, std::size_t count) {
        auto a = lines(spoke, table), b = lines(hub, table);
        std::ranges::sort(a), std::ranges::sort(b);
        REQUIRE(a == b);
        REQUIRE(a.size() == count);
        REQUIRE(std::ranges::adjacent_find(a) == a.end());
    }
};

}  // namespace

TEST_CASE("a line of IKE is both SPIs, both encryption keys, their algorithm, both integrity keys, their algorithm") {
    const IkeSa gcm = sa_with("aes-gcm-128/prf-sha256/x25519"), cbc = sa_with("aes-cbc-256/sha512/prf-sha512/x25519");
    const std::string line = text_of(wireshark_line(gcm));
    CHECK(line.starts_with("1122334455667788,000000000000000a,"));
    CHECK(line.ends_with(",\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\""));
    CHECK(hex(line.substr(34, 40)) == to_bytes(gcm.keys.from_initiator.encryption_key.view()));
    CHECK(hex(line.substr(75, 40)) == to_bytes(gcm.keys.from_responder.encryption_key.view()));
    const std::string other = text_of(wireshark_line(cbc));
    CHECK(other.find(",\"AES-CBC-256 [RFC3602]\",") == 163);
    CHECK(hex(other.substr(188, 128)) == to_bytes(cbc.keys.from_initiator.integrity_key.view()));
    CHECK(hex(other.substr(317, 128)) == to_bytes(cbc.keys.from_responder.integrity_key.view()));
    CHECK(other.ends_with(",\"HMAC_SHA2_512_256 [RFC4868]\""));
    CHECK(text_of(wireshark_line(sa_with("aes-gcm-256/prf-sha256/x25519"))).find("\"AES-GCM-256 with") != std::string::npos);
    CHECK(text_of(wireshark_line(sa_with("aes-cbc-128/sha256/prf-sha256/x25519"))).ends_with("\"HMAC_SHA2_256_128 [RFC4868]\""));
    CHECK(text_of(wireshark_line(sa_with("aes-cbc-128/sha384/prf-sha256/x25519"))).ends_with("\"HMAC_SHA2_384_192 [RFC4868]\""));
}

TEST_CASE("a line of ESP is one direction: addresses, SPI, algorithms and keys") {
    const auto gcm_line = [](std::size_t bytes) {
        std::string key;
        for (std::size_t i = 0; i < bytes; ++i) key += "ab";
        return R"("IPv4","192.0.2.1","192.0.2.2","0x00001234","AES-GCM with 16 octet ICV [RFC4106]","0x)" + key + R"(","NULL","")";
    };
    CHECK(esp_line(EspAlgorithm::aes_gcm_256) == gcm_line(36));
    CHECK(esp_line(EspAlgorithm::aes_gcm_128) == gcm_line(20));
    const std::string cbc = esp_line(EspAlgorithm::aes_cbc_128_sha256);
    CHECK(cbc.find(R"("AES-CBC [RFC3602]","0xabababababababababababababababab","HMAC-SHA-256-128 [RFC4868]","0xabab)") != std::string::npos);
    CHECK(esp_line(EspAlgorithm::aes_cbc_256_sha384).find("HMAC-SHA-384-192 [RFC4868]") != std::string::npos);
    CHECK(esp_line(EspAlgorithm::aes_cbc_128_sha512).find("HMAC-SHA-512-256 [RFC4868]") != std::string::npos);
    CHECK(esp_line(EspAlgorithm::null_sha384).find(R"("0x00001234","NULL","","HMAC-SHA-384-192 [RFC4868]","0xabab)") != std::string::npos);
    CHECK(esp_line(EspAlgorithm::null_sha256).find("HMAC-SHA-256-128 [RFC4868]") != std::string::npos);
    CHECK(esp_line(EspAlgorithm::null_sha512).find("HMAC-SHA-512-256 [RFC4868]") != std::string::npos);
    for (const auto unknown : {EspAlgorithm::chacha20_poly1305, EspAlgorithm::aes_gmac_128, EspAlgorithm::aes_gmac_256}) CHECK(esp_line(unknown).starts_with("# \"IPv4\""));
}

TEST_CASE_METHOD(Logging, "every IKE SA and both directions of every child SA are written, rekeyed ones too, alike at both ends") {
    lab.establish(spoke, hub);
    require_same(KeyLog::Table::ike, 1);
    require_same(KeyLog::Table::esp, 2);
    lab.rekey_ike(hub), lab.run();
    lab.rekey_child(spoke), lab.run();
    require_same(KeyLog::Table::ike, 2);
    require_same(KeyLog::Table::esp, 4);
}

TEST_CASE_METHOD(Logging, "behind a NAT each end writes the addresses that it sees") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.establish(spoke, hub);
    for (const std::string& line : lines(hub, KeyLog::Table::esp)) REQUIRE((line.find("\"203.0.113.7\"") != std::string::npos && line.find("\"192.0.2.1\"") != std::string::npos));
    for (const std::string& line : lines(spoke, KeyLog::Table::esp)) REQUIRE((line.find("\"192.0.2.10\"") != std::string::npos && line.find("\"192.0.2.1\"") != std::string::npos));
}

TEST_CASE("a line of ESP over IPv6 says so") {
    const Bytes keymat(20, 1);
    const EspKeys keys{ip("2001:db8::1"), ip("2001:db8::2"), Spi{1}, EspAlgorithm::aes_gcm_128, keymat};
    CHECK(text_of(wireshark_line(keys)).starts_with(R"("IPv6","2001:db8::1","2001:db8::2",)"));
}

TEST_CASE_METHOD(Logging, "without the setting no key is written") {
    for (play::Gateway* gateway : {&spoke, &hub}) gateway->settings.key_log = false, gateway->start();
    lab.establish(spoke, hub);
    lab.rekey_ike(hub), lab.run();
    REQUIRE((spoke.key_log.empty() && hub.key_log.empty()));
}

TEST_CASE_METHOD(Logging, "the trace holds each message once and in clear, at both ends the same") {
    spoke.settings.crypto_pool = hub.settings.crypto_pool = true;
    spoke.start(), hub.start();
    lab.connect(spoke, hub);
    lab.run_with_pools();
    lab.rekey_child(spoke);
    lab.run_with_pools();
    REQUIRE(play::Lab::talk(spoke, hub));
    const auto messages = [](const play::Gateway& gateway) {
        std::vector<Bytes> found;
        for (const Trace& each : gateway.trace) found.push_back(each.message);
        std::ranges::sort(found);
        return found;
    };
    const auto of_spoke = messages(spoke);
    REQUIRE(of_spoke == messages(hub));
    REQUIRE(std::ranges::adjacent_find(of_spoke) == of_spoke.end());
    std::vector<ExchangeType> exchanges;
    for (const Trace& each : spoke.trace) {
        const auto message = decode_message(each.message);
        REQUIRE(message);
        exchanges.push_back(message->header.exchange);
        CHECK(each.source == (message->header.from_initiator ? play::at("192.0.2.10") : play::at("192.0.2.1")));
        CHECK((message->header.exchange != ExchangeType::ike_auth || find<AuthPayload>(message->payloads)));
    }
    using enum ExchangeType;
    CHECK(std::vector(exchanges.begin(), exchanges.begin() + 6) == std::vector{ike_sa_init, ike_sa_init, ike_auth, ike_auth, create_child_sa, create_child_sa});
}

TEST_CASE("nothing is traced unless asked for") {
    play::Lab lab{96};
    play::Gateway &spoke = lab.gateway("spoke", "192.0.2.10"), &hub = lab.gateway("hub", "192.0.2.1");
    lab.establish(spoke, hub);
    CHECK(spoke.trace.empty());
    CHECK(hub.trace.empty());
}
