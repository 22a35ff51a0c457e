// A bench for the packet path: gateways of real workers, rings and in-memory ports, driven turn by turn under a virtual TSC.
#pragma once

#include "dataplane/port.hpp"
#include "dataplane/route_writer.hpp"
#include "dataplane/worker.hpp"
#include "tests/unit/dataplane/packets.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::test {

using namespace nave::dataplane;

inline constexpr std::size_t kSaSlots = 4096;
inline constexpr PortId kUnderlay{0}, kInside{1};
inline constexpr TunnelId kTunnel{0};
inline constexpr MacAddress kBoxMac{{2, 0, 0, 0, 0, 1}}, kNeighbourMac{{2, 0, 0, 0, 0, 2}}, kBroadcastMac{{255, 255, 255, 255, 255, 255}};
inline constexpr std::uint64_t kSecond = 1'000'000;  // cycles of the virtual TSC

struct BoxOptions {
    std::uint8_t workers = 1;
    std::optional<std::uint16_t> underlay_vlan = std::nullopt, inside_vlan = std::nullopt;
    Limits limits = {};
    std::uint8_t number = 1;  // 1 to 3: 192.0.2.N and 2001:db8::N, inside 10.N.0.1 with host 10.N.0.9, tunnel 172.16.0.N
};

/// A punted packet, its bytes copied.
struct Punted {
    Punt punt;
    PortId port;
    TunnelId tunnel;
    PeerId peer;
    Bytes bytes;
};

/// One gateway with an underlay port, an inside port and a tunnel; the test holds the other ends of its cables.
class Box {
public:
    explicit Box(const BoxOptions& options = {});
    ~Box();

    /// To whom it concerns, every worker or the route writer, and executed.
    void command(const Command& command);
    void command_only(std::uint8_t worker, const Command& command);
    /// Sets a route, which goes with the box.
    void route(std::string_view prefix, RouteTarget target);
    /// Commands for the route writer wait until it is released.
    void hold_route_writer(bool hold) { writer_is_held_ = hold; }
    /// A frame into a port; `device_flags`: what the device says of it (RTE_MBUF_F_RX_…).
    void put(PortId port, ByteView frame, std::uint8_t queue = 0, std::uint64_t device_flags = 0);
    /// The same as a chain of buffers of at most `piece` bytes.
    void put_chain(PortId port, ByteView frame, std::size_t piece);
    /// An inner IP packet from the inside host, in its frame.
    void from_host(ByteView ip_packet, std::uint8_t queue = 0) {
        put(kInside, ethernet(kBoxMac, kNeighbourMac, ip_packet[0] >> 4 == 6 ? kEtherTypeIpv6 : kEtherTypeIpv4, ip_packet), queue);
    }
    void from_underlay(ByteView ip_packet, std::uint8_t queue = 0) { put(kUnderlay, ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, ip_packet), queue); }
    void inject(PacketMessage::Inject kind, ByteView bytes, PeerId peer = kNoPeer, PortId port = kUnderlay);
    /// Every worker takes `turns` turns, the route writer a round after each.
    void turn(int turns = 2);
    void sleep(std::uint64_t cycles) { now_ += cycles; }

    /// Frames that left a port since the last call.
    std::vector<Bytes> sent(PortId port);
    std::vector<Event> events();
    std::vector<Punted> punted();
    std::uint64_t drops(Drop reason) const;
    /// All drops but the quiet value; for "nothing was dropped".
    std::uint64_t drops() const;
    Counters& counters() { return counters_; }
    Worker& worker(std::uint8_t worker) { return *workers_[worker]; }
    WorkerState& state(std::uint8_t worker = 0) { return workers_[worker]->state(); }
    RouteTables& routes() { return state().routes; }
    std::span<PlaneRings* const> rings() { return ring_pointers_; }
    RouteRings& route_rings() { return *route_rings_; }
    std::uint8_t number() const { return options_.number; }
    TableId table() const { return TableId{static_cast<std::uint16_t>(options_.number - 1)}; }
    std::string underlay_address(bool ipv6 = false) const { return (ipv6 ? "2001:db8::" : "192.0.2.") + std::to_string(options_.number); }

private:
    BoxOptions options_;
    GatewayConfig config_;
    Counters counters_;
    Doorbell bell_;
    std::vector<std::unique_ptr<PlaneRings>> rings_;
    std::vector<PlaneRings*> ring_pointers_;
    std::vector<std::unique_ptr<Port>> ports_, far_ends_;
    std::vector<Port*> port_pointers_;
    AssociationStore associations_{kSaSlots};
    PeerPolicer peer_policer_{64, kSecond};
    std::unique_ptr<RouteRings> route_rings_;
    std::unique_ptr<RouteWriter> route_writer_;
    bool writer_is_held_ = false;
    std::unique_ptr<HandoverRings> handovers_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<Prefix> routes_;
    std::uint64_t now_ = kSecond;
};

/// How two boxes talk.
struct Peering {
    EspAlgorithm algorithm = EspAlgorithm::aes_gcm_128;
    EspMode mode = EspMode::transport;
    bool esn = false, udp = false, any_source = true, multicast = false, over_ipv6 = false;
    std::uint16_t window = 64;
    SaLimits limits = {};
    std::uint8_t owner = 0;  // the worker of both SAs, in both boxes
};
/// The peer and slot numbers that `a` uses for `b`.
inline PeerId peer_id(const Box& b) { return PeerId{b.number()}; }
inline SaSlot slot_for(const Box& b) { return SaSlot{b.number()}; }
/// The SPI under which `from`'s packets reach `to`.
Spi spi_between(const Box& from, const Box& to, std::uint8_t owner = 0);
/// Peers, paths and SAs on both sides, and routes to each other's inside networks.
void connect(Box& a, Box& b, const Peering& peering = {});
/// Carries what `from` sent on its underlay to `to`; returns the frames.
std::vector<Bytes> carry(Box& from, Box& to);
/// A peer with sources, without path and SAs.
SetPeer peer_command(PeerId peer, const Peering& peering, std::initializer_list<std::string_view> sources = {});
/// UDP from box `from`'s inside host to box `to`'s.
Bytes host_packet(const Box& from, const Box& to, std::size_t payload_size = 64);

/// An ESP packet as a peer, or an attacker with its keys, could make it.
struct Forged {
    std::uint64_t sequence = 1;
    Bytes payload = {};                      // behind the IV, before the trailer
    std::uint8_t next_header = kProtocolGre;
    std::optional<Bytes> trailer = std::nullopt;  // instead of right padding
    std::uint8_t outer_type_of_service = 0;
    std::string_view source = "192.0.2.1";
    std::uint8_t flip_icv = 0;
};
/// The outer IP packet from box `from` to box `to`, sealed with the key that connect() gave them.
Bytes forge(const Box& from, const Box& to, const Forged& forged, const Peering& peering = {});
/// The cipher's job over a whole ESP packet, header to ICV.
EspJob job_over(const EspKey& key, Bytes& esp, bool esn, std::uint64_t sequence);
/// GRE with the tunnel's key around an inner packet.
Bytes keyed_gre(ByteView inner, std::uint16_t protocol = kEtherTypeIpv4, std::uint8_t key = 42);

/// Use first in each test: looks, when it ends, whether every buffer came home.
class LeakCheck {
public:
    LeakCheck();
    ~LeakCheck();

private:
    std::size_t before_;
};

}  // namespace nave::test
