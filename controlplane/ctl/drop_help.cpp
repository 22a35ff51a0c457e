// The operator's table of drop reasons.
#include "controlplane/ctl/drop_help.hpp"

#include <algorithm>
#include <array>

namespace nave::ctl {
namespace {

struct Help {
    std::string_view reason, text;
};

constexpr std::array kHelp{
    // Ethernet and port
    Help{"ethernet-runt", "A frame was too short for its Ethernet header. A few are noise; many point at the cable, NIC or virtual switch."},
    Help{"ethernet-unknown-type", "A frame was neither IP nor ARP (LLDP, spanning tree...). Normal on most links."},
    Help{"vlan-mismatch", "A frame had another VLAN tag than the port, or a tag where none is expected. Compare vlan of the port with the switch."},
    Help{"not-our-mac", "A frame was for another station: the switch floods, or the device is promiscuous. Normal in small numbers."},
    // IP
    Help{"ip-runt", "An IP packet was too short for its header: broken or hostile sender."},
    Help{"ip-bad-version", "A packet announced as IPv4 or IPv6 has another version number: broken or hostile sender."},
    Help{"ip-bad-header-length", "The IPv4 header length is below 20 bytes or beyond the packet: broken or hostile sender."},
    Help{"ip-bad-total-length", "The length in the IP header is beyond the packet, below its header, or that of a jumbogram: cut on the way, or hostile."},
    Help{"ip-bad-checksum", "The IPv4 header checksum is wrong. Look for a faulty link, or checksum offload on a virtual interface in between."},
    Help{"ip-bad-source", "The source address is one that no host may send from (multicast, loopback, 0.0.0.0, ::...): misconfigured or spoofing host."},
    Help{"ip-bad-destination", "The destination is one that must not be forwarded (loopback, 0.0.0.0, link-local...): misconfigured host."},
    Help{"ip-ttl-expired", "The TTL, or hop limit, ran out here. Normal for traceroute; many mean a routing loop."},
    Help{"ip-options", "The packet has IPv4 options, which are not forwarded. Normal for some diagnostics, else suspicious."},
    Help{"ipv6-extension-header", "An IPv6 packet to the underlay has options or a routing header, which no peer sends. Usually scans from the Internet."},
    Help{"ip-fragment-invalid", "A fragment overlaps, exceeds 64 KiB or is too small: hostile or broken sender."},
    Help{"ecn-not-capable", "A congested router marked the outer packet, and the inner one cannot carry the mark (RFC 6040): the underlay is congested."},
    Help{"underlay-not-local", "A packet on the underlay was for an address that is not ours. Check address and routes of the port."},
    Help{"neighbour-not-on-link", "IPv6 neighbour discovery that did not come from the link: somebody far away tries to redirect traffic."},
    Help{"underlay-unknown-protocol", "An underlay packet for us was neither ESP, IKE nor anything that the twin takes. Usually scans from the Internet."},
    // reassembly and fragmentation
    Help{"reassembly-timeout", "Fragments of an outer packet did not all arrive in time. Lower mtu of the tunnel so that ESP packets are not fragmented."},
    Help{"reassembly-full", "Too many outer packets were in reassembly at once. Lower mtu of the senders' tunnels; else somebody floods us with fragments."},
    Help{"reassembly-failed", "Fragments did not fit together, or were too many: hostile or broken sender."},
    Help{"fragmentation-needed", "A packet with DF exceeds the tunnel's mtu; its sender was told (ICMP). Normal in small numbers; check that hosts get ICMP."},
    Help{"packet-too-big", "An IPv6 packet exceeds the mtu of tunnel or port; its sender was told (ICMPv6). Normal in small numbers; check that hosts get ICMPv6."},
    Help{"fragmentation-failed", "A packet could not be fragmented, mostly for want of buffers. Raise memory in [dataplane]."},
    // UDP encapsulation
    Help{"udp-runt", "A UDP packet was too short for its header: broken or hostile sender."},
    Help{"udp-bad-length", "The UDP length does not fit the packet: broken or hostile sender."},
    Help{"udp-bad-checksum", "The UDP checksum is wrong. Look for a faulty link or NAT."},
    Help{"nat-keepalive", "A NAT keepalive of a peer, which has done its work. Normal."},
    // ESP
    Help{"esp-runt", "An ESP packet was too short to be one: broken or hostile sender."},
    Help{"esp-unknown-spi", "ESP came for an SA that we do not have. Normal for seconds after a restart or rekey; if it lasts, clear that peer at its side."},
    Help{"esp-replayed", "An ESP packet came twice or too late. A few are reordering; many: raise replay_window, or somebody replays traffic."},
    Help{"esp-bad-icv", "An ESP packet failed its integrity check: forged, or damaged on the way. Look at the source if it goes on."},
    Help{"esp-bad-padding", "A genuine ESP packet had wrong padding: the peer's implementation is faulty."},
    Help{"esp-wrong-next-header", "A genuine ESP packet carried something that the SA is not for (we negotiate GRE): the peer's policy differs from ours."},
    Help{"esp-hard-limit", "An SA reached its limit of bytes or packets before its rekey. Raise child_lifetime_bytes or child_lifetime_packets."},
    Help{"esp-sequence-exhausted", "An SA ran out of sequence numbers before its rekey. Use ESN, or a lower child_lifetime_packets."},
    Help{"esp-not-multiple", "The ESP payload is not a multiple of 4 bytes, or of 16 with AES-CBC: broken or hostile sender."},
    // GRE
    Help{"gre-runt", "A GRE packet was too short for its header: the peer's implementation is faulty."},
    Help{"gre-version", "A GRE packet of a version other than 0 (PPTP?) came from a peer: the peer's configuration differs."},
    Help{"gre-routing-present", "A GRE packet used source routing, which RFC 2784 withdrew: the peer's implementation is odd."},
    Help{"gre-wrong-key", "A peer's GRE key is not this tunnel's. Compare key of the tunnel (Cisco: tunnel key) at both ends."},
    Help{"gre-unknown-protocol", "A peer sent something other than IPv4 or NHRP through the tunnel (IPv6, MPLS, CDP...). Turn that off on its tunnel."},
    Help{"gre-bad-checksum", "A GRE packet's own checksum is wrong: the peer's implementation is faulty."},
    Help{"gre-in-clear", "GRE came unencrypted to a protected tunnel, and was refused. Find its sender: its IPsec is missing, or it attacks."},
    // forwarding
    Help{"peer-unknown", "A packet was for or from a peer that is gone. Normal for moments while peers come and go."},
    Help{"peer-wrong-source", "A peer sent from an inside address that it may not use. Extend prefixes of its access rule, or find who spoofs behind it."},
    Help{"peer-no-sa", "There is no SA for the peer now, and nothing leaves in clear. Normal for a moment; if it lasts, see navectl show ike."},
    Help{"peer-no-path", "There is no route or neighbour on the underlay towards the peer. Check gateway and link of the underlay port."},
    Help{"no-route", "No route leads to the destination. Check routes of the tunnel, and what the peers register (navectl show routes)."},
    Help{"route-rejected", "The route to the destination says no: an unreachable route, or the hub answered that nobody has it."},
    Help{"adjacency-unknown", "The next hop behind an inside port was gone. Normal for a moment while its MAC address is looked up anew."},
    Help{"same-peer-loop", "A packet would go back to the peer that sent it: both believe that the other has the way. Compare their routes."},
    Help{"tunnel-unknown", "A packet was for a tunnel that does not exist, which should not happen: please report it."},
    Help{"multicast-no-members", "A multicast or broadcast packet found no peer to go to. Normal while no peer is up."},
    Help{"port-down", "The port that a packet should leave by was down. Check its link."},
    Help{"port-transmit-full", "The device took no more packets: the link is full, or the host behind a virtual device is slow."},
    // rates of peers
    Help{"shaper-priority", "Voice or routing packets were more than a peer's rate_to carries: they may take all of it, and the peer wants more. Raise rate_to, or mark less."},
    Help{"shaper-assured", "A peer's line (rate_to) was full, and so was its queue for AF2x to AF4x and CS2 to CS4. Normal under load; show peers --json says whose."},
    Help{"shaper-best-effort", "A peer's line (rate_to) was full, and so was its queue. Normal under load: this is how TCP learns the rate; show peers --json says whose."},
    Help{"shaper-scavenger", "A peer's line (rate_to) was full of better traffic than CS1 and LE. Normal under load."},
    Help{"peer-policed", "A peer sent more than its rate_from. show peers --json says who; it should shape what it sends."},
    // walls between the planes
    Help{"punt-policed", "More packets wanted the control plane (ARP, IKE, NHRP, ICMP...) than it is let have. Somebody floods, or many peers start at once."},
    Help{"nhrp-of-peer-policed", "One peer sent more NHRP than it is let have, so that it does not crowd out the others. Look for its registrations in its log."},
    Help{"punt-ring-full", "The control plane did not take punted packets fast enough: it is overloaded, or the machine is."},
    Help{"inject-malformed", "The kernel or control plane injected a packet that cannot be sent. Look for odd software on the twins."},
    Help{"handover-ring-full", "A worker could not hand a packet to the SA's owner fast enough: that worker is overloaded. Add workers, or spread the peers."},
    Help{"no-buffer", "There was no packet buffer left. Raise memory in [dataplane]."},
    Help{"crypto-failed", "The crypto library refused a packet, which should not happen: please report it."},
};

}  // namespace

std::string_view drop_help(std::string_view reason) {
    const auto help = std::ranges::find(kHelp, reason, &Help::reason);
    return help == kHelp.end() ? std::string_view{} : help->text;
}

}  // namespace nave::ctl
