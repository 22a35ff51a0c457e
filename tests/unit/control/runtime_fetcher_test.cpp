// Tests of the fetcher against a small HTTP server on the loopback: what it gets, and what it gives up.
#include "controlplane/runtime/event_loop.hpp"
#include "controlplane/runtime/fetcher.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace nave;
using namespace nave::runtime;
using namespace std::chrono_literals;

namespace {

std::string answer(std::string_view status, std::string_view headers, std::string_view body) {
    return std::string{"HTTP/1.1 "}.append(status).append("\r\nConnection: close\r\n").append(headers).append("\r\n").append(body);
}

/// Answers each connection once, by the path; one without an answer stays open.
class Server {
public:
    Server() {
        sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        socklen_t size = sizeof address;
        REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(listen(listener_, 64) == 0);
        REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        answers = {{"/list", answer("200 OK", "", "content")},
                   {"/gone", answer("404 Not Found", "", "content")},
                   {"/long", answer("200 OK", "", std::string(Fetcher::kBytesMax + 1, 'a'))},
                   {"/limit", answer("200 OK", "", std::string(Fetcher::kBytesMax, 'a'))},
                   {"/one", answer("302 Found", "Location: /two\r\n", "")},
                   {"/two", answer("302 Found", "Location: /list\r\n", "")},
                   {"/three", answer("302 Found", "Location: /one\r\n", "")},
                   {"/file", answer("302 Found", "Location: file:///etc/hostname\r\n", "")}};
        thread_ = std::thread{[this] { serve(); }};
    }
    ~Server() {
        shutdown(listener_, SHUT_RDWR);
        thread_.join();
        close(listener_);
        for (const int each : silent_) close(each);
    }
    std::string last_request() {
        const std::scoped_lock lock{mutex_};
        return last_;
    }

    std::string url;
    std::map<std::string, std::string> answers;

private:
    void serve() {
        for (int peer = 0; (peer = accept(listener_, nullptr, nullptr)) >= 0;) {
            std::string request(4096, '\0');
            const ssize_t size = recv(peer, request.data(), request.size(), 0);
            request.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
            const std::size_t begin = request.find(' ') + 1;
            const auto found = answers.find(request.substr(begin, request.find(' ', begin) - begin));
            {
                const std::scoped_lock lock{mutex_};
                last_ = request;
            }
            if (found == answers.end()) {
                silent_.push_back(peer);
                continue;
            }
            for (std::size_t sent = 0; sent < found->second.size();) {
                const ssize_t more = send(peer, found->second.data() + sent, found->second.size() - sent, MSG_NOSIGNAL);
                if (more <= 0) break;
                sent += static_cast<std::size_t>(more);
            }
            close(peer);
        }
    }

    int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::vector<int> silent_;
    std::thread thread_;
    std::mutex mutex_;
    std::string last_;
};

/// The results of so many requests, or of what came within that time.
std::map<std::uint64_t, std::expected<Bytes, std::string>> results(Fetcher& fetcher, std::size_t count, Duration patience) {
    std::map<std::uint64_t, std::expected<Bytes, std::string>> all;
    for (const TimePoint until = now() + patience; all.size() < count && now() < until;) {
        pollfd readable{.fd = fetcher.descriptor(), .events = POLLIN, .revents = 0};
        poll(&readable, 1, 100);
        for (auto& each : fetcher.take()) all.emplace(each.id, std::move(each.content));
    }
    return all;
}

std::string text_of(const std::expected<Bytes, std::string>& content) { return content ? std::string{content->begin(), content->end()} : content.error(); }

}  // namespace

TEST_CASE("what an HTTP server has comes, also after two redirects; what is posted is an OCSP request") {
    Server server;
    Fetcher fetcher;
    fetcher.fetch({1, server.url + "/list", {}});
    fetcher.fetch({2, server.url + "/one", {}});
    fetcher.fetch({3, server.url + "/limit", {}});
    auto got = results(fetcher, 3, 5s);
    REQUIRE(got.size() == 3);
    CHECK(text_of(got.at(1)) == "content");
    CHECK(text_of(got.at(2)) == "content");
    CHECK(got.at(3)->size() == Fetcher::kBytesMax);
    fetcher.fetch({4, server.url + "/list", {'o', 'c', 's', 'p'}});
    CHECK(text_of(results(fetcher, 1, 5s).at(4)) == "content");
    const std::string request = server.last_request();
    CHECK(request.starts_with("POST /list "));
    CHECK(request.find("Content-Type: application/ocsp-request") != std::string::npos);
}

TEST_CASE("what is long, elsewhere, refused or of another scheme does not come, and says why") {
    Server server;
    Fetcher fetcher;
    std::vector<std::string> urls{"file:///etc/hostname", "http://127.0.0.1:1/x", "nonsense"};
    for (const char* path : {"/long", "/gone", "/three", "/file"}) urls.push_back(server.url + path);
    for (std::size_t i = 0; i < urls.size(); ++i) fetcher.fetch({i, urls[i], {}});
    const auto got = results(fetcher, urls.size(), 5s);
    REQUIRE(got.size() == urls.size());
    for (const auto& [id, content] : got) {
        CAPTURE(urls[id]);
        CHECK_FALSE(content);
        CHECK_FALSE(text_of(content).empty());
    }
}

TEST_CASE("a server that says nothing is given up after five seconds, and holds up nobody else") {
    Server server, other;
    Fetcher fetcher;
    for (std::uint64_t id = 0; id < Fetcher::kAtOnce; ++id) fetcher.fetch({id, server.url + "/silent", {}});
    fetcher.fetch({9, other.url + "/list", {}});
    const TimePoint began = now();
    CHECK(text_of(results(fetcher, 1, 3s).at(9)) == "content");
    const auto rest = results(fetcher, Fetcher::kAtOnce, 13s);
    CHECK(rest.size() == Fetcher::kAtOnce);
    CHECK(now() - began > Fetcher::kPatience - 500ms);
    for (const auto& [id, content] : rest) CHECK_FALSE(content);
}

TEST_CASE("more than may wait is refused at once, and a fetcher may end with work at hand") {
    Server server;
    Fetcher fetcher;
    for (std::uint64_t id = 0; id < Fetcher::kWaitingMax + 100; ++id) fetcher.fetch({id, server.url + "/silent", {}});
    const auto refused = results(fetcher, 1, 1s);
    REQUIRE_FALSE(refused.empty());
    CHECK(text_of(refused.begin()->second) == "too much waits to be fetched");
}

TEST_CASE("starts are paced, in all and for each host") {
    FetchPace pace;
    const TimePoint start{1h};
    CHECK(pace.admit("a", start));
    CHECK_FALSE(pace.admit("b", start));
    CHECK(pace.admit("b", start + FetchPace::kApart));
    CHECK_FALSE(pace.admit("a", start + FetchPace::kApart));
    CHECK(pace.admit("a", start + FetchPace::kApartPerHost));
    CHECK(host_of("http://pki.example:8080/a/b") == "pki.example:8080");
    CHECK(host_of("http://pki.example?x") == "pki.example");
    CHECK(host_of("nonsense").empty());
}
