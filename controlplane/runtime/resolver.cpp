// getaddrinfo on threads that nobody joins: a server that does not answer must not hold up the end of the process.
#include "controlplane/runtime/resolver.hpp"

#include "common/deleter.hpp"

#include <algorithm>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <thread>
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

Resolver::Resolver() : results_{std::make_shared<Mailbox<Result>>("names that are looked up")} {}

void Resolver::resolve(std::string name) {
    std::thread{[results = results_, name = std::move(name)] { results->put({name, look_up(name)}); }}.detach();
}

}  // namespace nave::runtime
