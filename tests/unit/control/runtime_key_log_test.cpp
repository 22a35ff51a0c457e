// Tests of the key log's files: who may read them, what is appended, and what is refused.
#include "controlplane/runtime/key_log_files.hpp"

#include <barrier>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace nave;
using namespace nave::runtime;

namespace {

/// A folder that goes away with the test; the key log's own is inside of it.
struct Folder {
    std::filesystem::path outer;
    std::filesystem::path keys;
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nave-keys-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        outer = pattern;
        keys = outer / "keys";
    }
    ~Folder() { std::filesystem::remove_all(outer); }
    std::string read(const char* name) const {
        std::ifstream file{keys / name};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    mode_t mode(const char* name) const {
        struct stat status{};
        REQUIRE(stat((keys / name).c_str(), &status) == 0);
        return status.st_mode & 07777u;
    }
};

ike::KeyLog line(ike::KeyLog::Table table, std::string_view text) { return {table, Secret{as_bytes(text)}}; }

}  // namespace

TEST_CASE_METHOD(Folder, "the tables of a key log are for their owner alone, and lines go into the one that they are for") {
    auto files = KeyLogFiles::open(keys.string());
    REQUIRE(files);
    CHECK(files->append(line(ike::KeyLog::Table::ike, "first")));
    CHECK(files->append(line(ike::KeyLog::Table::esp, "esp")));
    CHECK(files->append(line(ike::KeyLog::Table::ike, "second")));
    CHECK(read("ikev2_decryption_table") == "first\nsecond\n");
    CHECK(read("esp_sa") == "esp\n");
    CHECK(mode("") == 0700);
    CHECK(mode("ikev2_decryption_table") == 0600);
    CHECK(mode("esp_sa") == 0600);
}

TEST_CASE_METHOD(Folder, "a key log that exists is appended to") {
    for (const char* text : {"one", "two"}) {
        auto files = KeyLogFiles::open(keys.string());
        REQUIRE(files);
        CHECK(files->append(line(ike::KeyLog::Table::esp, text)));
    }
    CHECK(read("esp_sa") == "one\ntwo\n");
}

TEST_CASE_METHOD(Folder, "the capture of IKE in clear has one header, and a packet for each message that IPv4 can carry") {
    const auto at = [](std::string_view address, std::uint16_t port) { return NbmaEndpoint{NbmaAddress{IpAddress::parse(address).value()}, port}; };
    constexpr std::size_t kHeader = 24, kRecord = 16, kEthernetIpUdp = 14 + 20 + 8, kMarker = 4;
    for (int i = 0; i < 2; ++i) {
        auto files = KeyLogFiles::open(keys.string());
        REQUIRE(files);
        CHECK(files->append(ike::Trace{at("192.0.2.1", 500), at("192.0.2.2", 500), Bytes(28)}));
    }
    CHECK(read("ike.pcap").size() == kHeader + 2 * (kRecord + kEthernetIpUdp + 28));
    auto files = KeyLogFiles::open(keys.string());
    CHECK(files->append(ike::Trace{at("192.0.2.1", 4500), at("192.0.2.2", 40001), Bytes(28)}));
    CHECK(read("ike.pcap").size() == kHeader + 3 * (kRecord + kEthernetIpUdp + 28) + kMarker);
    CHECK_FALSE(files->append(ike::Trace{at("192.0.2.1", 500), at("192.0.2.2", 500), Bytes(65536)}));
}

TEST_CASE_METHOD(Folder, "keys are not written into a file that others may read, a link, or no file at all") {
    std::filesystem::create_directory(keys);
    const auto esp = keys / "esp_sa";
    std::ofstream{esp} << "";
    chmod(esp.c_str(), 0640);
    CHECK(KeyLogFiles::open(keys.string()).error() == "control.key_log: cannot write " + esp.string() + ": others than its owner may use it (mode 0640); chmod 600 it");
    std::filesystem::remove(esp);
    std::filesystem::create_symlink(outer / "elsewhere", esp);
    CHECK_FALSE(KeyLogFiles::open(keys.string()));
    std::filesystem::remove(esp);
    mkfifo(esp.c_str(), 0600);
    CHECK_FALSE(KeyLogFiles::open(keys.string()));
    const std::string missing = (outer / "missing" / "keys").string();
    CHECK(KeyLogFiles::open(missing).error() == "control.key_log: cannot make " + missing + ": No such file or directory");
}

TEST_CASE_METHOD(Folder, "gateways that begin a capture together write one header") {
    for (int round = 0; round < 50; ++round) {
        const std::filesystem::path shared = outer / std::to_string(round);
        std::barrier start{4};
        std::vector<std::jthread> gateways;
        for (int i = 0; i < 4; ++i)
            gateways.emplace_back([&] {
                start.arrive_and_wait();
                (void)KeyLogFiles::open(shared.string());
            });
        gateways.clear();
        REQUIRE(std::filesystem::file_size(shared / "ike.pcap") == 24);
    }
}
