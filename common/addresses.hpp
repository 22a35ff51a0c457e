// Addresses of both planes: IP of either version, prefix, MAC, and the two roles that DMVPN must never mix up.
#pragma once

#include "common/strong.hpp"

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nave {

enum class Family : std::uint8_t { v4, v6 };
/// Bytes of an address of that family on the wire.
constexpr std::size_t byte_count(Family family) { return family == Family::v4 ? 4 : 16; }

/// An IPv4 or IPv6 address; trivially copyable; ordered by family, then by bytes.
class IpAddress {
public:
    constexpr IpAddress() = default;  // 0.0.0.0
    /// From an IPv4 address in host byte order.
    static constexpr IpAddress v4(std::uint32_t host_order) {
        IpAddress address;
        for (int i = 0; i < 4; ++i) address.bytes_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
        return address;
    }
    static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& bytes) {
        IpAddress address;
        address.family_ = Family::v6;
        address.bytes_ = bytes;
        return address;
    }
    /// From 4 or 16 bytes in network order; nothing for any other length.
    static std::optional<IpAddress> from_bytes(std::span<const std::uint8_t> bytes);
    /// From text such as "192.0.2.1" or "2001:db8::1"; nothing if it is neither.
    static std::optional<IpAddress> parse(std::string_view text);

    constexpr Family family() const { return family_; }
    constexpr bool is_v4() const { return family_ == Family::v4; }
    /// The IPv4 address in host byte order; 0 for an IPv6 address.
    constexpr std::uint32_t v4_host() const {
        if (!is_v4()) return 0;
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes_[i];
        return value;
    }
    /// The 16 bytes of an IPv6 address in network order.
    constexpr const std::array<std::uint8_t, 16>& v6_bytes() const { return bytes_; }
    /// 4 or 16 bytes in network order.
    constexpr std::span<const std::uint8_t> bytes() const { return {bytes_.data(), byte_count()}; }
    constexpr std::size_t byte_count() const { return is_v4() ? 4 : 16; }
    constexpr std::uint8_t bit_count() const { return is_v4() ? 32 : 128; }
    bool is_unspecified() const;
    /// 224.0.0.0/4 or ff00::/8.
    bool is_multicast() const;
    /// fe80::/10 (RFC 4291 §2.5.6), which names another host on each link; false for IPv4.
    bool is_link_local() const { return !is_v4() && bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80; }
    std::string to_string() const;
    constexpr auto operator<=>(const IpAddress&) const = default;

private:
    Family family_ = Family::v4;
    std::array<std::uint8_t, 16> bytes_{};
};

/// An address block; `address` has its host bits cleared when made by `of` or `parse`.
struct Prefix {
    IpAddress address;
    std::uint8_t length = 0;  // bits

    /// The prefix that holds `address`; a length beyond the family's bits is cut to a host prefix.
    static Prefix of(const IpAddress& address, std::uint8_t length);
    static Prefix host(const IpAddress& address) { return {address, address.bit_count()}; }
    /// From "10.0.0.0/8" or a bare address (a host prefix). Host bits that are set are an error (nothing).
    static std::optional<Prefix> parse(std::string_view text);

    bool contains(const IpAddress& other) const;
    bool contains(const Prefix& other) const { return other.length >= length && contains(other.address); }
    bool is_host() const { return length == address.bit_count(); }
    std::string to_string() const;
    constexpr auto operator<=>(const Prefix&) const = default;
};

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};
    static std::optional<MacAddress> parse(std::string_view text);
    std::string to_string() const;
    constexpr auto operator<=>(const MacAddress&) const = default;
    /// As one number, which compares faster than six bytes do.
    constexpr bool operator==(const MacAddress& other) const { return number() == other.number(); }

private:
    constexpr std::uint64_t number() const {
        struct [[gnu::packed]] Parts {
            std::uint32_t front;
            std::uint16_t back;
        };
        const auto parts = std::bit_cast<Parts>(bytes);
        return std::uint64_t{parts.back} << 32 | parts.front;
    }
};

/// An address inside the overlay.
using TunnelAddress = Strong<struct TunnelAddressTag, IpAddress>;
/// An address of the underlay, to which ESP is sent.
using NbmaAddress = Strong<struct NbmaAddressTag, IpAddress>;

/// Where datagrams of one underlay host go: address and UDP port (host order).
struct NbmaEndpoint {
    NbmaAddress address;
    std::uint16_t port = 0;
    std::string to_string() const;
    constexpr auto operator<=>(const NbmaEndpoint&) const = default;
};

}  // namespace nave

template <>
struct std::hash<nave::IpAddress> {
    std::size_t operator()(const nave::IpAddress& address) const noexcept;
};
template <>
struct std::hash<nave::Prefix> {
    std::size_t operator()(const nave::Prefix& prefix) const noexcept;
};
