// Who has which address: the hub under test, the spokes around it, and the networks behind both.
#pragma once

#include "common/addresses.hpp"

namespace nave::rig {

/// Peer `n` is spoke n. Networks are /24, one for each spoke, so that every peer's packets take another line of the route table.
namespace plan {
inline constexpr std::uint32_t kSpokeNetworks = 20u << 24, kSpokeLans = 22u << 24, kHubNetworks = 40u << 24, kTunnel = 60u << 24, kNbma = 80u << 24;
inline constexpr std::uint32_t kHubNbma = 90u << 24 | 1, kHubTunnel = 61u << 24 | 1, kHubInside = 43u << 24 | 1;
inline constexpr std::uint8_t kNetworkBits = 24, kBlockBits = 7;  // of one network, and of all that are numbered from one start
inline constexpr std::uint32_t kPeersMax = 1u << 17;  // 20.0.0.0 to 21.255.255.255

constexpr std::uint32_t spoke_network(std::uint32_t peer) { return kSpokeNetworks + (peer << 8); }
/// Where packets from the hub end that the spoke shall not relay.
constexpr std::uint32_t spoke_lan(std::uint32_t peer) { return kSpokeLans + (peer << 8); }
/// Where spoke `peer` sends what stays behind the hub; another /24 for each.
constexpr std::uint32_t hub_network(std::uint32_t peer) { return kHubNetworks + (peer << 8); }
constexpr std::uint32_t spoke_tunnel(std::uint32_t peer) { return kTunnel + 2 + peer; }
constexpr std::uint32_t spoke_nbma(std::uint32_t peer) { return kNbma + 1 + peer; }
/// The spoke that spoke `peer` talks to through the hub.
constexpr std::uint32_t partner(std::uint32_t peer) { return peer ^ 1; }

inline Prefix network(std::uint32_t address) { return Prefix::of(IpAddress::v4(address), kNetworkBits); }
}  // namespace plan

/// On the underlay, and of every inside port and the host behind it.
inline constexpr MacAddress kHubMac{{2, 0, 0, 0, 0, 1}}, kSpokesMac{{2, 0, 0, 0, 0, 2}}, kInsideMac{{2, 0, 0, 0, 0, 3}}, kHostMac{{2, 0, 0, 0, 0, 4}};

}  // namespace nave::rig
