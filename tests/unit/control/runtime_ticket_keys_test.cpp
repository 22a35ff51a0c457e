// Tests of the file of ticket keys: made, kept, renewed, shared, refused.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/runtime/ticket_keys.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

using namespace nave;
using namespace nave::runtime;
using namespace std::chrono_literals;

namespace {

struct KeyFolder {
    std::filesystem::path folder;
    std::string path;
    ike::SystemRandom random;
    std::chrono::sys_seconds now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());

    KeyFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nave-tickets-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
        path = folder / "ticket.key";
    }
    ~KeyFolder() { std::filesystem::remove_all(folder); }
    TicketKeys open() { return TicketKeys::open(path, random, now).value(); }
    void write(std::string_view text, mode_t mode = 0600) {
        std::ofstream{path} << text;
        REQUIRE(chmod(path.c_str(), mode) == 0);
    }
    std::string refusal() { return TicketKeys::open(path, random, now).error(); }
};

}  // namespace

TEST_CASE_METHOD(KeyFolder, "a key is made for its owner alone, and a restarted gateway has the same") {
    const auto first = open().keys();
    REQUIRE(first.size() == 1);
    REQUIRE(first[0].size() == 32);
    struct stat status{};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777u) == 0600);
    CHECK(open().keys() == first);
}

TEST_CASE_METHOD(KeyFolder, "after a day there is a new key, and the one before still opens tickets") {
    TicketKeys keys = open();
    const Secret first = keys.keys()[0];
    CHECK_FALSE(keys.look(random, now + 23h).value());
    REQUIRE(keys.look(random, now + 24h).value());
    REQUIRE(keys.keys().size() == 2);
    CHECK(keys.keys()[0] != first);
    CHECK(keys.keys()[1] == first);
    CHECK_FALSE(keys.look(random, now + 25h).value());
    CHECK(open().keys() == keys.keys());
    REQUIRE(keys.look(random, now + 48h).value());
    CHECK(keys.keys().size() == 2);
    CHECK(keys.keys()[1] != first);
}

TEST_CASE_METHOD(KeyFolder, "a key that aged while the gateway was down is renewed at its start") {
    const Secret first = open().keys()[0];
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - 30h);
    const auto keys = open().keys();
    REQUIRE(keys.size() == 2);
    CHECK(keys[1] == first);
}

TEST_CASE_METHOD(KeyFolder, "gateways that share the file follow each other") {
    TicketKeys one = open(), two = open();
    REQUIRE(one.look(random, now + 24h).value());
    REQUIRE(two.look(random, now + 24h).value());
    CHECK(one.keys() == two.keys());
    CHECK_FALSE(two.look(random, now + 24h).value());
}

TEST_CASE_METHOD(KeyFolder, "without a file the keys live in memory, and are renewed as well") {
    TicketKeys keys = TicketKeys::open("", random, now).value();
    const Secret first = keys.keys()[0];
    CHECK_FALSE(keys.look(random, now + 1h).value());
    REQUIRE(keys.look(random, now + 24h).value());
    CHECK(keys.keys()[1] == first);
}

TEST_CASE_METHOD(KeyFolder, "a file that others may read, that holds anything else, or that cannot be made is refused in words") {
    const std::string key(64, 'a');
    write(key + "\n", 0640);
    CHECK(refusal() == "control.ticket_key: " + path + ": others than its owner may use it (mode 0640); chmod 600 it");
    for (const std::string& text : {std::string{}, key.substr(1), key + "b", key + "\n" + key + "\n" + key + "\n", key + "\n\n" + key, std::string(64, 'g')}) {
        CAPTURE(text);
        write(text);
        CHECK(refusal() == "control.ticket_key: " + path + ": accepted: one or two lines of 64 hexadecimal digits, as naved writes them; remove it for new keys");
    }
    write(key + "\n" + std::string(64, 'b'));
    CHECK(open().keys().size() == 2);
    path = folder / "missing" / "ticket.key";
    CHECK(refusal() == "control.ticket_key: " + path + ": cannot be written: No such file or directory; its folder must be there (mode 0700) and writable");
}

TEST_CASE_METHOD(KeyFolder, "a file that is spoilt while the gateway runs leaves the keys as they are") {
    TicketKeys keys = open();
    const auto before = keys.keys();
    write("nonsense");
    CHECK_FALSE(keys.look(random, now));
    CHECK(keys.keys() == before);
    CHECK_FALSE(keys.look(random, now).value());  // said once
}

TEST_CASE_METHOD(KeyFolder, "old keys that cannot be renewed stay in use, at a start and later, and renewing is tried again after a while") {
    const auto first = open().keys();
    std::filesystem::create_directory(path + ".next");  // where the new file would be written
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - 30h);
    TicketKeys keys = open();
    CHECK(keys.keys() == first);
    CHECK_FALSE(keys.look(random, now + 1min).value());
    CHECK(keys.look(random, now + 11min).error().find("its folder must be there") != std::string::npos);
    std::filesystem::remove(path + ".next");
    CHECK(keys.look(random, now + 22min).value());
    CHECK(keys.keys().size() == 2);
}

TEST_CASE_METHOD(KeyFolder, "a file that is removed while the gateway runs is written anew, with the keys of before in it") {
    TicketKeys keys = open();
    const Secret first = keys.keys()[0];
    std::filesystem::remove(path);
    CHECK(keys.look(random, now).value());
    CHECK(keys.keys()[1] == first);
    CHECK(open().keys() == keys.keys());
}

TEST_CASE_METHOD(KeyFolder, "a file whose date is in the future is renewed a day from now") {
    open();
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + 24h * 400);
    TicketKeys keys = open();
    CHECK_FALSE(keys.look(random, now + 1h).value());
    CHECK(keys.look(random, now + 25h).value());
}
