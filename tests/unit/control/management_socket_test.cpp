// The management socket: many clients, slow clients, rude clients, and the path that it claims.
#include "controlplane/management/requests.hpp"
#include "controlplane/management/server.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

using namespace nave::management;

namespace {

const std::string kFolder = (std::filesystem::temp_directory_path() / ("nave-management-test-" + std::to_string(getpid()))).string();

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

/// A client that never waits.
class Client {
public:
    explicit Client(const std::string& path) : descriptor_{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
        const sockaddr_un address = address_of(path);
        connected = connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ~Client() { close(descriptor_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    void send(const std::string& bytes) { static_cast<void>(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL)); }
    void finish_sending() { shutdown(descriptor_, SHUT_WR); }
    /// What has come so far.
    std::string& received() {
        char chunk[65536];
        for (ssize_t count = 0; (count = recv(descriptor_, chunk, sizeof chunk, 0)) >= 0;) {
            if (count == 0) {
                closed = true;
                break;
            }
            bytes_.append(chunk, static_cast<std::size_t>(count));
        }
        return bytes_;
    }
    bool connected = false, closed = false;

private:
    int descriptor_;
    std::string bytes_;
};

struct Bench {
    std::string path = kFolder + "/nave/test.sock";
    std::unique_ptr<Server> server;
    explicit Bench(Server::Handler handler = [](std::string_view line) { return "<" + std::string{line} + ">"; }) {
        std::filesystem::remove_all(kFolder);
        auto made = Server::listen(path, std::move(handler));
        if (!made) throw std::runtime_error{made.error()};
        server = std::move(*made);
    }
    ~Bench() { std::filesystem::remove_all(kFolder); }
    /// As an event loop would: serves as long as the descriptor is readable; bounded.
    int run() {
        int turns = 0;
        for (pollfd watched{server->descriptor(), POLLIN, 0}; turns < 1000 && poll(&watched, 1, 0) > 0; ++turns) server->on_readable();
        return turns;
    }
};

}  // namespace

TEST_CASE("a request line is answered by a line") {
    Bench bench;
    Client client{bench.path};
    client.send("hello\n");
    bench.run();
    CHECK(client.received() == "<hello>\n");
}

TEST_CASE("lines that come together are answered in order") {
    Bench bench;
    Client client{bench.path};
    client.send("one\ntwo\nthr");
    bench.run();
    CHECK(client.received() == "<one>\n<two>\n");
    client.send("ee\n");
    bench.run();
    CHECK(client.received() == "<one>\n<two>\n<three>\n");
}

TEST_CASE("a client may send its last line without an end, and still gets the answer") {
    Bench bench;
    Client client{bench.path};
    client.send("bye");
    client.finish_sending();
    bench.run();
    CHECK(client.received() == "<bye>\n");
    CHECK(client.closed);
    CHECK(bench.server->client_count() == 0);
}

TEST_CASE("a request sent byte by byte is answered once it is whole") {
    Bench bench;
    Client client{bench.path};
    for (const char byte : std::string{"slow\n"}) {
        CHECK(client.received().empty());
        client.send(std::string(1, byte));
        bench.run();
    }
    CHECK(client.received() == "<slow>\n");
}

TEST_CASE("a request that is too long ends the connection with a reason") {
    Bench bench;
    Client client{bench.path};
    for (int i = 0; i < 3; ++i) {
        client.send(std::string(2000, 'x'));
        bench.run();
    }
    CHECK(client.received() == refusal("a request has at most 4096 bytes") + "\n");
    CHECK(client.closed);
}

TEST_CASE("a client that does not read its answer holds up nobody") {
    const std::string large(3'000'000, 'a');
    Bench bench{[&](std::string_view line) { return line == "large" ? large : std::string{line}; }};
    Client slow{bench.path}, quick{bench.path};
    slow.send("large\nlarge\nlarge\n");
    CHECK(bench.run() < 100);  // the loop comes to rest although the answer is not delivered
    quick.send("quick\n");
    bench.run();
    CHECK(quick.received() == "quick\n");
    for (int i = 0; i < 1000 && slow.received().size() < 3 * (large.size() + 1); ++i) bench.run();
    CHECK(slow.received() == large + "\n" + large + "\n" + large + "\n");
}

TEST_CASE("a client that asks and goes away leaves nothing behind") {
    Bench bench{[](std::string_view) { return std::string(2'000'000, 'a'); }};
    {
        Client client{bench.path};
        client.send("large\n");
        bench.run();
        CHECK(bench.server->client_count() == 1);
    }
    CHECK(bench.run() < 100);
    CHECK(bench.server->client_count() == 0);
}

TEST_CASE("many clients are served, and one too many is told so") {
    Bench bench;
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < Server::kClientsMax; ++i) {
        clients.push_back(std::make_unique<Client>(bench.path));
        clients.back()->send("hi\n");
        bench.run();
    }
    for (auto& client : clients) CHECK(client->received() == "<hi>\n");
    Client last{bench.path};
    bench.run();
    CHECK(last.received().find("no more are served") != std::string::npos);
    CHECK(last.closed);
    clients.pop_back();
    bench.run();
    Client next{bench.path};
    next.send("hi\n");
    bench.run();
    CHECK(next.received() == "<hi>\n");
}

TEST_CASE("an answer beyond the bound is replaced by a reason") {
    Bench bench{[](std::string_view) { return std::string(Server::kAnswerBytesMax + 1, 'a'); }};
    Client client{bench.path};
    client.send("all\n");
    bench.run();
    CHECK(client.received().starts_with("{\"ok\":false,\"error\":\"the answer would have 67108865 bytes"));
}

TEST_CASE("the socket is its owner's alone, and goes with the server") {
    Bench bench;
    struct stat status{};
    REQUIRE(stat(bench.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777u) == 0600u);
    bench.server.reset();
    CHECK_FALSE(std::filesystem::exists(bench.path));
}

TEST_CASE("a socket that another naved listens on is not taken away") {
    Bench bench;
    const auto second = Server::listen(bench.path, [](std::string_view) { return std::string{}; });
    REQUIRE_FALSE(second);
    CHECK(second.error() == "cannot make the management socket " + bench.path +
                                ": another naved listens there; stop it, or give this one another name or control.socket");
    Client client{bench.path};
    client.send("still here\n");
    bench.run();
    CHECK(client.received() == "<still here>\n");
}

TEST_CASE("a socket that a killed naved left behind is replaced") {
    std::filesystem::create_directories(kFolder + "/nave");
    const sockaddr_un address = address_of(kFolder + "/nave/stale.sock");
    const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    close(stale);
    auto server = Server::listen(address.sun_path, [](std::string_view) { return std::string{}; });
    CHECK(server);
    CHECK(Client{address.sun_path}.connected);
    std::filesystem::remove_all(kFolder);
}

TEST_CASE("a file that is no socket is left alone") {
    std::filesystem::create_directories(kFolder);
    const std::string path = kFolder + "/precious";
    std::ofstream{path} << "data";
    const auto server = Server::listen(path, [](std::string_view) { return std::string{}; });
    REQUIRE_FALSE(server);
    CHECK(server.error().find("there is a file of that name that is no socket") != std::string::npos);
    CHECK(std::filesystem::file_size(path) == 4);
    std::filesystem::remove_all(kFolder);
}

TEST_CASE("a path that cannot be is told in words") {
    const auto handler = [](std::string_view) { return std::string{}; };
    CHECK(Server::listen("/" + std::string(120, 'a'), handler).error().find("must have 1 to 107 characters") != std::string::npos);
    CHECK(Server::listen("", handler).error().find("must have 1 to 107 characters") != std::string::npos);
    CHECK(Server::listen("/proc/nowhere/nave.sock", handler).error().find("its folder cannot be made") != std::string::npos);
}
