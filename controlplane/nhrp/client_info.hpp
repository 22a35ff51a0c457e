// Client information entries (RFC 2332 §5.2.0.1), in the mandatory part and in extensions.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "controlplane/nhrp/codes.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace nave::nhrp {

/// The address families that a packet's header names: of the underlay and of the overlay.
struct Families {
    Family nbma = Family::v4;
    Family protocol = Family::v4;
    constexpr bool operator==(const Families&) const = default;
};

struct ClientInfo {
    CieCode code = CieCode::success;
    std::uint8_t prefix_length = 0;  // bits; 0 and everything from the family's bits up to 255 mean a host
    std::uint16_t mtu = 0;           // bytes; deployed peers send odd values, a hint at most
    std::chrono::seconds holding_time{0};  // 0 to 65535
    std::optional<NbmaAddress> nbma;
    std::optional<IpAddress> protocol;
    std::uint8_t preference = 0;
    bool operator==(const ClientInfo&) const = default;

    /// The prefix meant, on `fallback` when the entry has no protocol address of its own.
    Prefix prefix(const IpAddress& fallback) const;
    /// In a Resolution Reply, whose entries hold the next hop's address: the prefix around the destination that they answer for.
    Prefix answers_for(const IpAddress& destination) const;
};

inline constexpr std::size_t kClientsMax = 256;  // entries of one packet or extension that we are ready to read

/// Reads one entry; latches the reader's failure for a length that fits no family named by the header.
ClientInfo decode_client_info(ByteReader& in, Families families);
void encode_client_info(const ClientInfo& info, ByteWriter& out);

/// Reads entries to the end of `bytes`; nothing when one is malformed or there are more than kClientsMax.
std::optional<std::vector<ClientInfo>> decode_client_list(ByteView bytes, Families families);
Bytes encode_client_list(const std::vector<ClientInfo>& clients);

}  // namespace nave::nhrp
