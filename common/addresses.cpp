// Text forms, containment and hashes of addresses.
#include "common/addresses.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

namespace nave {

std::optional<IpAddress> IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    IpAddress address;
    address.family_ = bytes.size() == 4 ? Family::v4 : Family::v6;
    std::ranges::copy(bytes, address.bytes_.begin());
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated{text};
    IpAddress address;
    if (inet_pton(AF_INET, terminated.c_str(), address.bytes_.data()) == 1) return address;
    address.family_ = Family::v6;
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) return address;
    return std::nullopt;
}

bool IpAddress::is_unspecified() const {
    return std::ranges::all_of(bytes(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const {
    return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
    return text;
}

Prefix Prefix::of(const IpAddress& address, std::uint8_t length) {
    const std::uint8_t bits = std::min(length, address.bit_count());
    std::array<std::uint8_t, 16> masked{};
    std::ranges::copy(address.bytes(), masked.begin());
    for (std::size_t i = 0; i < address.byte_count(); ++i) {
        const int kept = std::clamp(static_cast<int>(bits) - static_cast<int>(8 * i), 0, 8);
        masked[i] = static_cast<std::uint8_t>(masked[i] & (0xff00 >> kept));
    }
    return {*IpAddress::from_bytes(std::span{masked}.first(address.byte_count())), bits};
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    if (slash == std::string_view::npos) return host(*address);
    const auto digits = text.substr(slash + 1);
    std::uint8_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > address->bit_count()) return std::nullopt;
    const Prefix prefix = of(*address, length);
    if (prefix.address != *address) return std::nullopt;
    return prefix;
}

bool Prefix::contains(const IpAddress& other) const {
    return other.family() == address.family() && of(other, length).address == of(address, length).address;
}

std::string Prefix::to_string() const { return fmt::format("{}/{}", address.to_string(), length); }

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    if (text.size() != 17) return std::nullopt;
    for (std::size_t i = 0; i < 6; ++i) {
        const char* digits = text.data() + 3 * i;
        if (i < 5 && digits[2] != ':') return std::nullopt;
        const auto [end, error] = std::from_chars(digits, digits + 2, mac.bytes[i], 16);
        if (error != std::errc{} || end != digits + 2) return std::nullopt;
    }
    return mac;
}

std::string MacAddress::to_string() const { return fmt::format("{:02x}", fmt::join(bytes, ":")); }

std::string NbmaEndpoint::to_string() const {
    const auto text = address.value.to_string();
    return address.value.is_v4() ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
}

}  // namespace nave

std::size_t std::hash<nave::IpAddress>::operator()(const nave::IpAddress& address) const noexcept {
    const auto bytes = address.bytes();
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::size_t std::hash<nave::Prefix>::operator()(const nave::Prefix& prefix) const noexcept {
    return std::hash<nave::IpAddress>{}(prefix.address) * 131 + prefix.length;
}
