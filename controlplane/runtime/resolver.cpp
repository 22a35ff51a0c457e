// getaddrinfo on threads that nobody joins: a server that does not answer must not hold up the end of the process.
#include "controlplane/runtime/resolver.hpp"

#include "common/deleter.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <stdexcept>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace nave::runtime {
namespace {

std::optional<IpAddress> address_of(const addrinfo& record) {
    const auto bytes = [](const auto& address) { return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&address), sizeof address}); };
    if (record.ai_family == AF_INET) return bytes(reinterpret_cast<const sockaddr_in*>(record.ai_addr)->sin_addr);
    if (record.ai_family == AF_INET6) return bytes(reinterpret_cast<const sockaddr_in6*>(record.ai_addr)->sin6_addr);
    return std::nullopt;
}

std::expected<std::vector<NbmaAddress>, std::string> look_up(const std::string& name) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_DGRAM;  // else each address comes once for every kind of socket
    if (const int error = getaddrinfo(name.c_str(), nullptr, &hints, &found); error != 0) return std::unexpected{std::string{gai_strerror(error)}};
    const std::unique_ptr<addrinfo, Deleter<freeaddrinfo>> records{found};
    std::vector<NbmaAddress> addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        const auto address = address_of(*each);
        if (address && std::ranges::find(addresses, NbmaAddress{*address}) == addresses.end()) addresses.push_back({*address});
    }
    return addresses;
}

}  // namespace

struct Resolver::Shared {
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex mutex{};  // guards the results
    std::vector<Result> results{};

    Shared() {
        if (event < 0) throw std::runtime_error{"cannot make a descriptor for names that are looked up"};
    }
    ~Shared() { close(event); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    void finish(Result result) {
        const std::scoped_lock lock{mutex};
        results.push_back(std::move(result));
        const std::uint64_t one = 1;
        if (write(event, &one, sizeof one) < 0) return;  // the counter is full: then it is readable anyway
    }
};

Resolver::Resolver() : shared_{std::make_shared<Shared>()} {}

void Resolver::resolve(std::string name) {
    std::thread{[shared = shared_, name = std::move(name)] { shared->finish({name, look_up(name)}); }}.detach();
}

int Resolver::descriptor() const { return shared_->event; }

std::vector<Resolver::Result> Resolver::take() {
    std::uint64_t count = 0;
    const std::scoped_lock lock{shared_->mutex};
    if (read(shared_->event, &count, sizeof count) < 0) return {};  // nothing came
    return std::exchange(shared_->results, {});
}

}  // namespace nave::runtime
