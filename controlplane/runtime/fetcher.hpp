// Gets small things by HTTP on a thread of its own; the home of libcurl.
#pragma once

#include "common/bytes.hpp"
#include "common/time.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nave::runtime {

/// So many starts in a second at most, in all and for each host.
class FetchPace {
public:
    static constexpr Duration kApart = std::chrono::milliseconds{10}, kApartPerHost = std::chrono::milliseconds{20};
    /// Whether one may start now; then it counts.
    bool admit(const std::string& host, TimePoint now);

private:
    TimePoint next_{};
    std::map<std::string, TimePoint> hosts_{};  // of the last moments
};

/// "pki.example:8080" of "http://pki.example:8080/x".
std::string host_of(const std::string& url);

class Fetcher {
public:
    static constexpr std::size_t kWaitingMax = 512, kBytesMax = 1 << 20;
    static constexpr long kAtOnce = 8, kAtOncePerHost = 4, kRedirectsMax = 2;
    static constexpr Duration kPatience = std::chrono::seconds{5};

    /// The thread starts with the first request.
    Fetcher();
    ~Fetcher();
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

    struct Request {
        std::uint64_t id;
        std::string url;   // http or https; others fail
        Bytes body;        // of an OCSP request, which is posted; empty: a GET
    };
    struct Result {
        std::uint64_t id;
        std::expected<Bytes, std::string> content;  // or in words why there is none
    };
    /// Every request has a result after kPatience at the latest, counted from when its turn comes. It goes where the kernel's routes lead.
    void fetch(Request request);
    /// Readable when there are results.
    int descriptor() const;
    std::vector<Result> take();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nave::runtime
