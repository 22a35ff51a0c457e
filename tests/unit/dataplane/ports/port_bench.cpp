// EAL, pools and bursts of one packet.
#include "tests/unit/dataplane/ports/port_bench.hpp"

#include "dataplane/eal.hpp"
#include "dataplane/gateway.hpp"
#include "tests/unit/dataplane/ports/test_network.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <thread>

// libxdp's umem is not freed by DPDK 22.11's af_xdp driver; its stack needs the slow unwinder to be recognised.
extern "C" const char* __asan_default_options() { return "fast_unwind_on_malloc=0"; }
extern "C" const char* __lsan_default_suppressions() { return "leak:xsk_umem__create\n"; }

namespace nave::dataplane::test {

void start_eal() {
    static const auto eal = [] {
        enter_private_network();
        return Eal::start({.program = "unit-ports", .workers = 1, .mode = RunMode::adaptive, .hugepages = Hugepages::never, .memory_megabytes = 128});
    }();
    INFO((eal ? "" : eal.error().text));
    REQUIRE(eal.has_value());
}

Buffers::Buffers(std::uint16_t data_room) {
    start_eal();
    static int count = 0;
    constexpr std::uint16_t kPrivateSize = 64;
    const unsigned buffers = data_room > Port::data_room(1500) ? 2047 : 8191;
    pool_ = rte_pktmbuf_pool_create(("buffers" + std::to_string(count++)).c_str(), buffers, 0, kPrivateSize, data_room, SOCKET_ID_ANY);
    REQUIRE(pool_ != nullptr);
}

Buffers::~Buffers() { rte_mempool_free(pool_); }

unsigned Buffers::available() const { return rte_mempool_avail_count(pool_); }

rte_mbuf* Buffers::packet(const Frame& frame, std::size_t piece) const {
    rte_mbuf* head = nullptr;
    for (std::size_t at = 0; at < frame.size(); at += piece) {
        const std::size_t size = std::min(piece, frame.size() - at);
        rte_mbuf* segment = rte_pktmbuf_alloc(pool_);
        REQUIRE(segment != nullptr);
        std::copy_n(frame.data() + at, size, reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(segment, static_cast<std::uint16_t>(size))));
        if (head == nullptr) head = segment;
        else REQUIRE(rte_pktmbuf_chain(head, segment) == 0);
    }
    return head;
}

Port open_port(std::string_view device, const Buffers& buffers, std::uint16_t queues, std::uint16_t id) {
    auto port = Port::open({.id = PortId{id}, .device = parse_device_string(device).value(), .queues = queues, .mtu = std::nullopt, .pool = buffers.pool(), .adaptive = true});
    INFO((port ? "" : port.error().text));
    REQUIRE(port.has_value());
    const auto started = port->start();
    INFO((started ? "" : started.error().text));
    REQUIRE(started.has_value());
    // The kernel drops what is sent while it still notices that the link is there.
    for (int wait = 0; parse_device_string(device)->kernel_facing() && wait < 500 && !port->link().up; ++wait) std::this_thread::sleep_for(std::chrono::milliseconds{10});
    return std::move(*port);
}

std::string refused_port(std::string_view device, const Buffers& buffers, std::uint16_t queues, std::optional<std::uint16_t> mtu) {
    const auto port = Port::open({.id = PortId{4},
                                  .name = "wan",
                                  .device = parse_device_string(device).value(),
                                  .queues = queues,
                                  .mtu = mtu,
                                  .pool = buffers.pool(),
                                  .adaptive = true});
    REQUIRE_FALSE(port.has_value());
    CHECK_THAT(port.error().text, Catch::StartsWith("port wan (" + std::string{device} + "): "));
    return port.error().text;
}

void send(Port& port, const Buffers& buffers, const Frame& frame, std::uint16_t queue) {
    std::array<rte_mbuf*, 1> burst{buffers.packet(frame)};
    REQUIRE(port.transmit(queue, burst) == 1);
}

Frame receive(Port& port, std::uint16_t queue, std::chrono::milliseconds patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    std::array<rte_mbuf*, 1> burst{};
    do {
        if (port.receive(queue, burst) == 1) {
            Frame frame(burst[0]->pkt_len);
            const void* bytes = rte_pktmbuf_read(burst[0], 0, burst[0]->pkt_len, frame.data());
            if (bytes != frame.data()) std::copy_n(static_cast<const std::uint8_t*>(bytes), frame.size(), frame.begin());
            rte_pktmbuf_free(burst[0]);
            return frame;
        }
        std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < end);
    return {};
}

Frame receive_ours(Port& port) {
    for (int other = 0; other < 50; ++other) {
        auto frame = receive(port);
        if (frame.empty() || (frame[12] == 0x88 && frame[13] == 0xb5)) return frame;
    }
    return {};
}

std::chrono::nanoseconds rest(Pause& pause, Duration longest) {
    while (pause.after_turn(false) == Duration::zero()) {}
    const auto start = std::chrono::steady_clock::now();
    pause.rest(longest);
    return std::chrono::steady_clock::now() - start;
}

void drain(Port& port) {
    for (int frames = 0; frames < 1000 && !receive(port, 0, std::chrono::milliseconds{50}).empty(); ++frames) {}
}

Frame broadcast(std::size_t size, std::uint8_t fill) {
    Frame frame(size, fill);
    std::ranges::copy(std::array<std::uint8_t, 14>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, frame.begin());
    return frame;
}

}  // namespace nave::dataplane::test
