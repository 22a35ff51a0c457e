// Every reason to drop a packet, with the one name that code, counters and operators use for it.
#pragma once

#include <cstdint>
#include <string_view>

namespace nave {

enum class Drop : std::uint8_t {
    none,  // not a drop: the value of a verdict that passes or was handed over
    // Ethernet and port
    ethernet_runt, ethernet_unknown_type, vlan_mismatch, not_our_mac,
    // outer and inner IP
    ip_runt, ip_bad_version, ip_bad_header_length, ip_bad_total_length, ip_bad_checksum, ip_bad_source, ip_bad_destination, ip_ttl_expired,
    ip_options, ipv6_extension_header, ip_fragment_invalid, ecn_not_capable,
    underlay_not_local, underlay_unknown_protocol, neighbour_not_on_link,
    // reassembly and fragmentation
    reassembly_timeout, reassembly_full, reassembly_failed, fragmentation_needed, packet_too_big, fragmentation_failed,
    // UDP encapsulation
    udp_runt, udp_bad_length, udp_bad_checksum, nat_keepalive,
    // ESP
    esp_runt, esp_unknown_spi, esp_replayed, esp_bad_icv, esp_bad_padding, esp_wrong_next_header, esp_hard_limit, esp_sequence_exhausted, esp_not_multiple,
    // GRE
    gre_runt, gre_version, gre_routing_present, gre_wrong_key, gre_unknown_protocol, gre_bad_checksum, gre_in_clear,
    // forwarding
    peer_unknown, peer_wrong_source, peer_no_sa, peer_no_path, no_route, route_rejected, adjacency_unknown, same_peer_loop, tunnel_unknown,
    multicast_no_members, port_down, port_transmit_full,
    // rates of peers: the shaper's queues by class, and the policer on receive
    shaper_priority, shaper_assured, shaper_best_effort, shaper_scavenger, peer_policed,
    // walls
    punt_policed, nhrp_of_peer_policed, punt_ring_full, inject_malformed, handover_ring_full, no_buffer, crypto_failed,
    count
};

constexpr std::string_view name(Drop reason) {
    switch (reason) {
    case Drop::none: return "none";
    case Drop::ethernet_runt: return "ethernet-runt";
    case Drop::ethernet_unknown_type: return "ethernet-unknown-type";
    case Drop::vlan_mismatch: return "vlan-mismatch";
    case Drop::not_our_mac: return "not-our-mac";
    case Drop::ip_runt: return "ip-runt";
    case Drop::ip_bad_version: return "ip-bad-version";
    case Drop::ip_bad_header_length: return "ip-bad-header-length";
    case Drop::ip_bad_total_length: return "ip-bad-total-length";
    case Drop::ip_bad_checksum: return "ip-bad-checksum";
    case Drop::ip_bad_source: return "ip-bad-source";
    case Drop::ip_bad_destination: return "ip-bad-destination";
    case Drop::ip_ttl_expired: return "ip-ttl-expired";
    case Drop::ip_options: return "ip-options";
    case Drop::ipv6_extension_header: return "ipv6-extension-header";
    case Drop::ip_fragment_invalid: return "ip-fragment-invalid";
    case Drop::ecn_not_capable: return "ecn-not-capable";
    case Drop::underlay_not_local: return "underlay-not-local";
    case Drop::underlay_unknown_protocol: return "underlay-unknown-protocol";
    case Drop::neighbour_not_on_link: return "neighbour-not-on-link";
    case Drop::reassembly_timeout: return "reassembly-timeout";
    case Drop::reassembly_full: return "reassembly-full";
    case Drop::reassembly_failed: return "reassembly-failed";
    case Drop::fragmentation_needed: return "fragmentation-needed";
    case Drop::packet_too_big: return "packet-too-big";
    case Drop::fragmentation_failed: return "fragmentation-failed";
    case Drop::udp_runt: return "udp-runt";
    case Drop::udp_bad_length: return "udp-bad-length";
    case Drop::udp_bad_checksum: return "udp-bad-checksum";
    case Drop::nat_keepalive: return "nat-keepalive";
    case Drop::esp_runt: return "esp-runt";
    case Drop::esp_unknown_spi: return "esp-unknown-spi";
    case Drop::esp_replayed: return "esp-replayed";
    case Drop::esp_bad_icv: return "esp-bad-icv";
    case Drop::esp_bad_padding: return "esp-bad-padding";
    case Drop::esp_wrong_next_header: return "esp-wrong-next-header";
    case Drop::esp_hard_limit: return "esp-hard-limit";
    case Drop::esp_sequence_exhausted: return "esp-sequence-exhausted";
    case Drop::esp_not_multiple: return "esp-not-multiple";
    case Drop::gre_runt: return "gre-runt";
    case Drop::gre_version: return "gre-version";
    case Drop::gre_routing_present: return "gre-routing-present";
    case Drop::gre_wrong_key: return "gre-wrong-key";
    case Drop::gre_unknown_protocol: return "gre-unknown-protocol";
    case Drop::gre_bad_checksum: return "gre-bad-checksum";
    case Drop::gre_in_clear: return "gre-in-clear";
    case Drop::peer_unknown: return "peer-unknown";
    case Drop::peer_wrong_source: return "peer-wrong-source";
    case Drop::peer_no_sa: return "peer-no-sa";
    case Drop::peer_no_path: return "peer-no-path";
    case Drop::no_route: return "no-route";
    case Drop::route_rejected: return "route-rejected";
    case Drop::adjacency_unknown: return "adjacency-unknown";
    case Drop::same_peer_loop: return "same-peer-loop";
    case Drop::tunnel_unknown: return "tunnel-unknown";
    case Drop::multicast_no_members: return "multicast-no-members";
    case Drop::port_down: return "port-down";
    case Drop::port_transmit_full: return "port-transmit-full";
    case Drop::shaper_priority: return "shaper-priority";
    case Drop::shaper_assured: return "shaper-assured";
    case Drop::shaper_best_effort: return "shaper-best-effort";
    case Drop::shaper_scavenger: return "shaper-scavenger";
    case Drop::peer_policed: return "peer-policed";
    case Drop::punt_policed: return "punt-policed";
    case Drop::nhrp_of_peer_policed: return "nhrp-of-peer-policed";
    case Drop::punt_ring_full: return "punt-ring-full";
    case Drop::inject_malformed: return "inject-malformed";
    case Drop::handover_ring_full: return "handover-ring-full";
    case Drop::no_buffer: return "no-buffer";
    case Drop::crypto_failed: return "crypto-failed";
    case Drop::count: break;
    }
    return "unknown";
}

}  // namespace nave
