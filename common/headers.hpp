// Fixed-size headers of the packet path as packed structs; the layout reads like the RFCs' figures.
#pragma once

#include "common/addresses.hpp"
#include "common/endian.hpp"

namespace nave {

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800, kEtherTypeArp = 0x0806, kEtherTypeVlan = 0x8100, kEtherTypeIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherTypeNhrp = 0x2001;  // GRE protocol type of NHRP
inline constexpr std::uint8_t kProtocolIcmp = 1, kProtocolIpip = 4, kProtocolTcp = 6, kProtocolUdp = 17, kProtocolGre = 47, kProtocolEsp = 50;
inline constexpr std::uint8_t kProtocolIpv6 = 41, kProtocolHopByHop = 0, kProtocolRouting = 43, kProtocolFragment = 44, kProtocolIcmpv6 = 58, kProtocolDestinationOptions = 60;
inline constexpr std::uint16_t kUdpPortIke = 500, kUdpPortNatTraversal = 4500;

struct EthernetHeader {
    MacAddress destination, source;
    be16 type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

struct VlanHeader {  // IEEE 802.1Q, behind the tag protocol identifier
    be16 control;
    be16 type;
    std::uint16_t id() const { return control.host() & 0x0fff; }
};
static_assert(sizeof(VlanHeader) == 4 && alignof(VlanHeader) == 1);

struct Ipv4Header {  // RFC 791 §3.1
    std::uint8_t version_and_length;
    std::uint8_t type_of_service;  // DSCP (RFC 2474) and ECN (RFC 3168)
    be16 total_length;
    be16 identification;
    be16 fragment;  // flags and offset in units of 8 bytes
    std::uint8_t time_to_live;
    std::uint8_t protocol;
    be16 checksum;
    be32 source;
    be32 destination;

    static constexpr std::uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffsetMask = 0x1fff;
    std::uint8_t version() const { return version_and_length >> 4; }
    std::size_t header_length() const { return (version_and_length & 0x0fu) * 4u; }
    bool is_fragment() const { return (fragment.host() & (kMoreFragments | kOffsetMask)) != 0; }
    bool dont_fragment() const { return (fragment.host() & kDontFragment) != 0; }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

using Ipv6Bytes = std::array<std::uint8_t, 16>;

struct Ipv6Header {  // RFC 8200 §3
    be32 version_class_flow;
    be16 payload_length;  // everything behind this header, extension headers too
    std::uint8_t next_header;
    std::uint8_t hop_limit;
    Ipv6Bytes source, destination;

    constexpr std::uint8_t version() const { return static_cast<std::uint8_t>(version_class_flow.host() >> 28); }
    /// DSCP (RFC 2474) and ECN (RFC 3168), as the type of service of IPv4.
    constexpr std::uint8_t traffic_class() const { return static_cast<std::uint8_t>(version_class_flow.host() >> 20); }
    constexpr void set_traffic_class(std::uint8_t value) { version_class_flow = be32((version_class_flow.host() & 0xf00fffff) | std::uint32_t{value} << 20); }
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);

struct Ipv6FragmentHeader {  // RFC 8200 §4.5
    std::uint8_t next_header, reserved;
    be16 fragment;  // offset in units of 8 bytes in the upper 13 bits, and the flag that more follow
    be32 identification;

    static constexpr std::uint16_t kMoreFragments = 1, kOffsetMask = 0xfff8;  // masked, the offset is in bytes
};
static_assert(sizeof(Ipv6FragmentHeader) == 8 && alignof(Ipv6FragmentHeader) == 1);

/// No link of IPv6 carries less (RFC 8200 §5).
inline constexpr std::uint16_t kIpv6MtuMin = 1280;

constexpr bool is_unspecified(const Ipv6Bytes& address) { return address == Ipv6Bytes{}; }
constexpr bool is_loopback(const Ipv6Bytes& address) { return address == Ipv6Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}; }
constexpr bool is_multicast(const Ipv6Bytes& address) { return address[0] == 0xff; }
/// fe80::/10 (RFC 4291 §2.5.6).
constexpr bool is_link_local(const Ipv6Bytes& address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

struct UdpHeader {  // RFC 768
    be16 source_port, destination_port, length, checksum;
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

struct EspHeader {  // RFC 4303 §2
    be32 spi;
    be32 sequence_low;  // the high half of the ESN is never on the wire
};
static_assert(sizeof(EspHeader) == 8 && alignof(EspHeader) == 1);

struct GreHeader {  // RFC 2784 §2.1; checksum, key and sequence (RFC 2890 §2) follow when their bits are set
    be16 flags;
    be16 protocol;

    static constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000, kVersionMask = 0x0007;
    bool has_checksum() const { return flags.host() & kChecksum; }
    bool has_routing() const { return flags.host() & kRouting; }
    bool has_key() const { return flags.host() & kKey; }
    bool has_sequence() const { return flags.host() & kSequence; }
    std::uint16_t version() const { return flags.host() & kVersionMask; }
    std::size_t size() const { return 4u + 4u * has_checksum() + 4u * has_key() + 4u * has_sequence(); }
};
static_assert(sizeof(GreHeader) == 4 && alignof(GreHeader) == 1);

struct IcmpHeader {  // RFC 792
    std::uint8_t type, code;
    be16 checksum;
    be16 unused;
    be16 next_hop_mtu;  // RFC 1191 §4, type 3 code 4
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

struct Icmpv6Header {  // RFC 4443 §2.1
    std::uint8_t type, code;
    be16 checksum;  // with the pseudo-header, see ipv6_checksum()
    be32 mtu;       // of Packet Too Big (§3.2); unused in the other errors
};
static_assert(sizeof(Icmpv6Header) == 8 && alignof(Icmpv6Header) == 1);

struct TcpHeader {  // RFC 9293 §3.1
    be16 source_port, destination_port;
    be32 sequence, acknowledgement;
    std::uint8_t data_offset;
    std::uint8_t flags;
    be16 window, checksum, urgent;
    static constexpr std::uint8_t kSyn = 0x02;
    std::size_t header_length() const { return (data_offset >> 4) * 4u; }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

}  // namespace nave
