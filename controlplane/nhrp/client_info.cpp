// Client information entries on the wire (RFC 2332 §5.2.0.1).
#include "controlplane/nhrp/client_info.hpp"

namespace nave::nhrp {
namespace {


/// A length of 0 means that the address is absent; any other must be the family's.
std::optional<IpAddress> take_address(ByteReader& in, std::size_t length, Family family) {
    if (length == 0) return std::nullopt;
    if (length != byte_count(family)) {
        in.fail();
        return std::nullopt;
    }
    return IpAddress::from_bytes(in.take(length));
}

}  // namespace

Prefix ClientInfo::prefix(const IpAddress& fallback) const {
    const IpAddress& address = protocol ? *protocol : fallback;
    return answers_for(address);
}

Prefix ClientInfo::answers_for(const IpAddress& destination) const {
    return prefix_length == 0 ? Prefix::host(destination) : Prefix::of(destination, prefix_length);
}

ClientInfo decode_client_info(ByteReader& in, Families families) {
    ClientInfo info;
    info.code = static_cast<CieCode>(in.u8());
    info.prefix_length = in.u8();
    in.skip(2);  // unused
    info.mtu = in.u16();
    info.holding_time = std::chrono::seconds{in.u16()};
    const std::size_t nbma_length = in.u8();  // the two top bits (NSAP, E.164) are never set for IP, and fail as a length
    const std::size_t subaddress_length = in.u8();
    const std::size_t protocol_length = in.u8();
    info.preference = in.u8();
    if (subaddress_length != 0) in.fail();
    if (const auto address = take_address(in, nbma_length, families.nbma)) info.nbma = NbmaAddress{*address};
    info.protocol = take_address(in, protocol_length, families.protocol);
    return info;
}

void encode_client_info(const ClientInfo& info, ByteWriter& out) {
    out.u8(static_cast<std::uint8_t>(info.code));
    out.u8(info.prefix_length);
    out.u16(0);
    out.u16(info.mtu);
    out.u16(static_cast<std::uint16_t>(info.holding_time.count()));
    out.u8(info.nbma ? static_cast<std::uint8_t>(info.nbma->value.byte_count()) : 0);
    out.u8(0);
    out.u8(info.protocol ? static_cast<std::uint8_t>(info.protocol->byte_count()) : 0);
    out.u8(info.preference);
    if (info.nbma) out.bytes(info.nbma->value.bytes());
    if (info.protocol) out.bytes(info.protocol->bytes());
}

std::optional<std::vector<ClientInfo>> decode_client_list(ByteView bytes, Families families) {
    std::vector<ClientInfo> clients;
    ByteReader in{bytes};
    while (!in.at_end()) {
        if (clients.size() == kClientsMax) return std::nullopt;
        clients.push_back(decode_client_info(in, families));
        if (in.failed()) return std::nullopt;
    }
    return clients;
}

Bytes encode_client_list(const std::vector<ClientInfo>& clients) {
    ByteWriter out;
    for (const auto& client : clients) encode_client_info(client, out);
    return out.take();
}

}  // namespace nave::nhrp
