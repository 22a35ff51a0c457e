// From the bytes of an ICMP error to a packet on its way.
#include "dataplane/error_answers.hpp"

namespace nave::dataplane {

namespace {

using Origin = PacketMeta::Origin;

/// nullptr when there is no buffer.
Packet* make_error(const Packet& packet, const IcmpError& error, const IpAddress& source, WorkerState& worker) {
    const std::size_t most = source.is_v4() ? kIcmpErrorMax : kIcmpv6ErrorMax;
    Packet* answer = worker.pools.allocate(most);
    if (!answer) return nullptr;
    std::uint8_t* bytes = answer->append(most);
    answer->trim_back(most - write_icmp_error(error, source, packet.bytes(), {bytes, most}));
    answer->meta().origin = Origin::own;
    answer->meta().table = packet.meta().table;
    answer->meta().tunnel = packet.meta().tunnel;
    worker.counters.icmp_sent.add(1);
    return answer;
}

/// The packet came out of the tunnel's twin: the kernel's own stack has to learn how long one may be, or who it forwards for. In the name of
/// the destination, as the kernel takes a packet from an address of its own for a forged one.
void tell_kernel(const Packet& packet, const IcmpError& error, WorkerState& worker) {
    if (error.mtu == 0 || !worker.icmp_errors.allow(worker.now)) return;
    const IpAddress destination = packet.is_ipv6() ? IpAddress::v6(reinterpret_cast<const Ipv6Header*>(packet.data())->destination)
                                                   : IpAddress::v4(reinterpret_cast<const Ipv4Header*>(packet.data())->destination.host());
    Packet* answer = make_error(packet, error, destination, worker);
    if (!answer) return;
    if (const Verdict verdict = worker.punt(*answer, Punt::tunnel); !verdict.is_taken()) worker.drops.discard(*answer, verdict.reason());
}

/// Nothing when no address of ours will do.
std::optional<IpAddress> source_for(const Packet& packet, const WorkerState& worker) {
    const PacketMeta& about = packet.meta();
    const Tunnel* tunnel = about.origin == Origin::peer ? worker.tables.tunnel(about.tunnel) : nullptr;
    const PortState* port = about.origin == Origin::inside ? worker.tables.port(about.port) : nullptr;
    const LocalAddresses* ours = tunnel ? &tunnel->addresses : port ? &port->addresses : nullptr;
    if (!ours) return std::nullopt;
    if (!packet.is_ipv6()) return ours->v4.empty() ? std::nullopt : std::optional{IpAddress::v4(ours->v4.front())};
    const Ipv6Bytes* routable = ours->routable_v6();
    return routable ? std::optional{IpAddress::v6(*routable)} : std::nullopt;
}

}  // namespace

void answer_with_error(const Packet& packet, const IcmpError& error, WorkerState& worker) {
    if (!may_answer_with_error(error, packet.bytes())) return;
    if (packet.meta().origin == Origin::own) return tell_kernel(packet, error, worker);
    const auto source = source_for(packet, worker);
    if (!source || worker.from_here.full() || !worker.icmp_errors.allow(worker.now)) return;
    Packet* answer = make_error(packet, error, *source, worker);
    if (answer) worker.from_here.push(*answer);
}

}  // namespace nave::dataplane
