// Opening a port of the rig, and the little that a host must say on its network.
#include "tests/rig/throughput/traffic_port.hpp"

#include "tests/rig/throughput/kernel_sockets.hpp"
#include "tests/rig/throughput/test_packet.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <numeric>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <stdexcept>
#include <thread>

namespace nave::rig::throughput {

namespace {

constexpr unsigned kReceiveBuffers = 16383, kTransmitBuffers = 8191, kCache = 256;
constexpr std::string_view kKernelRing = "16384";  // frames: some ten milliseconds at the most that a kernel interface carries

std::uint16_t mtu_for(std::size_t frame_size) {
    constexpr std::size_t kEthernet = sizeof(EthernetHeader) + kFrameCheckBytes;
    return static_cast<std::uint16_t>(std::max<std::size_t>(frame_size - kEthernet, 1500));
}

rte_mempool* make_buffers(const char* name, unsigned count, std::uint16_t room) {
    if (rte_mempool* pool = rte_pktmbuf_pool_create(name, count, kCache, 0, room, SOCKET_ID_ANY)) return pool;
    throw std::runtime_error{fmt::format("no memory for {} packet buffers of {} bytes: {}", count, room, rte_strerror(rte_errno))};
}

/// Counting bytes, which no compressing link makes small and a capture shows well.
void fill(rte_mempool*, void*, void* object, unsigned) {
    auto* buffer = static_cast<rte_mbuf*>(object);
    auto* bytes = static_cast<std::uint8_t*>(buffer->buf_addr);
    std::iota(bytes, bytes + buffer->buf_len, std::uint8_t{0});
}

}  // namespace

void Buffers::Free::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

Buffers::Buffers(std::size_t frame_size_max) : mtu_{mtu_for(frame_size_max)} {
    const std::uint16_t room = dataplane::Port::data_room(mtu_);
    receive_.reset(make_buffers("rig_receive", kReceiveBuffers, room));
    transmit_.reset(make_buffers("rig_transmit", kTransmitBuffers, room));
    rte_mempool_obj_iter(transmit_.get(), fill, nullptr);
}

std::size_t Buffers::megabytes(std::size_t frame_size_max) {
    constexpr std::size_t kBeside = 256, kEverythingElse = 64;  // bytes per buffer; megabytes
    return (kReceiveBuffers + kTransmitBuffers) * (dataplane::Port::data_room(mtu_for(frame_size_max)) + kBeside) / 1'000'000 + kEverythingElse;
}

std::expected<TrafficPort, std::string> TrafficPort::open(char name, const EndOptions& options, std::uint32_t addresses, const Buffers& buffers) {
    auto device = options.device;
    // The kernel's ring must hold what arrives while the rig is not running, or the rig's loss would count as the device's.
    if (device.kind == dataplane::DeviceKind::af_packet && !device.option("framecnt")) device.options.emplace_back("framecnt", kKernelRing);
    const auto mtu = device.kernel_facing() ? std::nullopt : std::optional{buffers.mtu()};  // a kernel interface's is the operator's
    auto port = dataplane::Port::open(
        {.id = PortId{static_cast<std::uint16_t>(name - 'a')}, .name = std::string{name}, .device = device, .mtu = mtu, .pool = buffers.receive(), .adaptive = false});
    if (!port) return std::unexpected{fmt::format("--port-{}: {}", name, port.error().text)};
    if (auto started = port->start(); !started) return std::unexpected{fmt::format("--port-{}: {}", name, started.error().text)};
    if (device.kernel_facing()) widen_send_buffers();
    return TrafficPort{name, options, addresses, buffers, std::move(*port)};
}

std::expected<void, std::string> TrafficPort::await_link(double seconds) const {
    constexpr std::chrono::milliseconds kPause{20};
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>{seconds};
    while (!port_.link().up) {
        if (std::chrono::steady_clock::now() > end)
            return std::unexpected{fmt::format("port {} ({}) has no link after {} s: is the other end of it up?", name_, to_string(options_.device), seconds)};
        std::this_thread::sleep_for(kPause);
    }
    return {};
}

std::expected<void, std::string> TrafficPort::find_gateway(double seconds) {
    if (!options_.gateway || gateway_mac_) return {};
    constexpr int kQuestions = 10;
    const auto pause = static_cast<std::uint64_t>(seconds / kQuestions * static_cast<double>(rte_get_tsc_hz()));
    for (int question = 0; question < kQuestions; ++question) {
        send({.sender_mac = mac(), .sender = options_.address, .target_mac = {}, .target = *options_.gateway});
        for (const std::uint64_t end = rte_rdtsc() + pause; rte_rdtsc() < end;) {
            receive([](ByteView) { return false; });
            if (gateway_mac_) return {};
        }
    }
    return std::unexpected{fmt::format("no ARP answer from {} on port {} ({}): is it up and on that network? If it does not speak ARP, give --gateway-mac-{}",
                                       IpAddress::v4(*options_.gateway).to_string(), name_, to_string(options_.device), name_)};
}

void TrafficPort::attend(ByteView frame) {
    if (const auto mtu = fragmentation_needed(frame)) path_mtu_ = mtu;
    const auto arp = decode_arp(frame);
    if (!arp) return;
    if (arp->operation == ArpMessage::Operation::reply && arp->sender == options_.gateway && arp->target == options_.address) gateway_mac_ = arp->sender_mac;
    if (arp->operation == ArpMessage::Operation::request && arp->target - options_.address < addresses_) send(reply_to(*arp, mac()));
}

void TrafficPort::send(const ArpMessage& message) {
    rte_mbuf* packet = rte_pktmbuf_alloc(buffers_->receive());
    if (packet == nullptr) return;
    const auto frame = encode(message);
    std::ranges::copy(frame, reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(packet, frame.size())));
    if (port_.transmit(0, std::span{&packet, 1}) == 0) rte_pktmbuf_free(packet);
}

}  // namespace nave::rig::throughput
