// One end of the rig: a port that answers for its addresses, knows its gateway and hands received frames on.
#pragma once

#include "common/bytes.hpp"
#include "dataplane/port.hpp"
#include "tests/rig/throughput/arp.hpp"
#include "tests/rig/throughput/options.hpp"

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace nave::rig::throughput {

/// The packet buffers of the rig. What is sent comes out of a pool of its own, whose buffers are filled once, so that a
/// packet costs its head and signature only.
class Buffers {
public:
    /// For frames up to that size. Throws std::runtime_error when memory is short. EAL must be up.
    explicit Buffers(std::size_t frame_size_max);

    rte_mempool* receive() const { return receive_.get(); }
    rte_mempool* transmit() const { return transmit_.get(); }
    /// IP bytes that a buffer has room for.
    std::uint16_t mtu() const { return mtu_; }
    /// What EAL needs for them.
    static std::size_t megabytes(std::size_t frame_size_max);

private:
    struct Free {
        void operator()(rte_mempool* pool) const;
    };
    using Pool = std::unique_ptr<rte_mempool, Free>;
    std::uint16_t mtu_;
    Pool receive_, transmit_;
};

/// Opened by the main thread, then used by one thread.
class TrafficPort {
public:
    /// The end called 'a' or 'b' answers for that many addresses from its own upwards.
    static std::expected<TrafficPort, std::string> open(char name, const EndOptions& options, std::uint32_t addresses, const Buffers& buffers);
    /// Waits up to that long until the link is up.
    std::expected<void, std::string> await_link(double seconds) const;
    /// Asks for the gateway's MAC address by ARP, unless it is known.
    std::expected<void, std::string> find_gateway(double seconds);

    char name() const { return name_; }
    const EndOptions& options() const { return options_; }
    MacAddress mac() const { return port_.mac(); }
    const dataplane::Port& port() const { return port_; }
    /// Nothing where the ends are joined straight.
    std::optional<MacAddress> gateway_mac() const { return gateway_mac_; }
    /// The MTU that somebody on the way asked for.
    std::optional<std::uint16_t> path_mtu() const { return path_mtu_; }

    /// Receives a burst and gives each frame to `sink`, which tells whether it was a test packet; the others are looked at here.
    template <class Sink>
    void receive(Sink&& sink) {
        std::array<rte_mbuf*, kBurst> burst;
        const std::uint16_t count = port_.receive(0, burst);
        const std::span received{burst.data(), count};
        for (rte_mbuf* packet : received) {
            const ByteView frame{rte_pktmbuf_mtod(packet, const std::uint8_t*), packet->data_len};
            if (!sink(frame)) attend(frame);
        }
        rte_pktmbuf_free_bulk(burst.data(), count);
    }
    /// Sends from the front as many as the device takes; the others stay the caller's.
    std::uint16_t transmit(std::span<rte_mbuf*> packets) { return port_.transmit(0, packets); }

    static constexpr std::uint16_t kBurst = 32;

private:
    TrafficPort(char name, const EndOptions& options, std::uint32_t addresses, const Buffers& buffers, dataplane::Port port)
        : name_{name}, options_{options}, addresses_{addresses}, buffers_{&buffers}, port_{std::move(port)}, gateway_mac_{options.gateway_mac} {}
    void attend(ByteView frame);
    void send(const ArpMessage& message);

    char name_;
    EndOptions options_;
    std::uint32_t addresses_;
    const Buffers* buffers_;
    dataplane::Port port_;
    std::optional<MacAddress> gateway_mac_;
    std::optional<std::uint16_t> path_mtu_;
};

}  // namespace nave::rig::throughput
