// Ports over devices that need no privilege: cables in memory, capture files, and every kind of refusal.
#include "dataplane/port.hpp"

#include "dataplane/eal.hpp"
#include "dataplane/gateway.hpp"
#include "tests/unit/dataplane/ports/port_bench.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <rte_mbuf.h>
#include <thread>
#include <unistd.h>

using namespace nave;
using namespace nave::dataplane;
using namespace nave::dataplane::test;
using namespace std::chrono_literals;

namespace {

/// A folder that is removed at the end.
struct Folder {
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "nave-ports-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

/// A classic capture file with the frames.
void write_capture(const std::filesystem::path& file, const std::vector<Frame>& frames) {
    std::ofstream out{file, std::ios::binary};
    const auto word = [&](std::uint32_t value) { out.write(reinterpret_cast<const char*>(&value), 4); };
    for (const std::uint32_t value : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) word(value);
    for (const auto& frame : frames) {
        const auto size = static_cast<std::uint32_t>(frame.size());
        for (const std::uint32_t value : {1u, 0u, size, size}) word(value);
        out.write(reinterpret_cast<const char*>(frame.data()), size);
    }
}

/// Waits until the guest of a vhost port is connected. DPDK 22.11's virtio_user crashes when it is closed while its
/// interrupt thread still reads the replies of the connection.
void settle(const Port& host) {
    for (int wait = 0; wait < 200 && !host.link().up; ++wait) std::this_thread::sleep_for(10ms);
    REQUIRE(host.link().up);
    std::this_thread::sleep_for(100ms);
}

}  // namespace

TEST_CASE("EAL runs once in a process, and says so") {
    start_eal();
    const auto again = Eal::start({.mode = RunMode::adaptive, .hugepages = Hugepages::never, .memory_megabytes = 64});
    REQUIRE_FALSE(again.has_value());
    CHECK_THAT(again.error().text, Catch::Contains("runs in this process already"));
}

TEST_CASE("what one end of a ring cable sends the other receives, both ways") {
    Buffers buffers;
    auto one = open_port("ring:both-ways", buffers), other = open_port("ring:both-ways", buffers);
    send(one, buffers, broadcast(64, 1));
    send(other, buffers, broadcast(1400, 2));
    CHECK(receive(other) == broadcast(64, 1));
    CHECK(receive(one) == broadcast(1400, 2));
}

TEST_CASE("a ring cable keeps the order of packets and loses none within its length") {
    Buffers buffers;
    auto one = open_port("ring:order", buffers), other = open_port("ring:order", buffers);
    for (int i = 0; i < 1000; ++i) send(one, buffers, broadcast(60, static_cast<std::uint8_t>(i)));
    for (int i = 0; i < 1000; ++i) REQUIRE(receive(other) == broadcast(60, static_cast<std::uint8_t>(i)));
}

TEST_CASE("a full device takes what fits and leaves the rest with the caller") {
    Buffers buffers;
    auto one = open_port("ring:full", buffers), other = open_port("ring:full", buffers);
    std::array<rte_mbuf*, 64> burst{};
    unsigned taken = 0, sent = 0;
    for (int turn = 0; turn < 20; ++turn) {
        for (auto& packet : burst) packet = buffers.packet(broadcast(60));
        const auto count = one.transmit(0, burst);
        rte_pktmbuf_free_bulk(burst.data() + count, static_cast<unsigned>(burst.size()) - count);
        taken += count, sent += static_cast<unsigned>(burst.size());
    }
    CHECK(taken == 1023);
    CHECK(sent == 1280);
}

TEST_CASE("packets that are in a cable when it is unplugged are freed") {
    Buffers buffers;
    const auto before = buffers.available();
    {
        auto one = open_port("ring:unplugged", buffers), other = open_port("ring:unplugged", buffers);
        for (int i = 0; i < 10; ++i) send(one, buffers, broadcast(60));
    }
    CHECK(buffers.available() == before);
}

TEST_CASE("the name of a cable is free again when both ends are closed") {
    Buffers buffers;
    for (int round = 0; round < 3; ++round) {
        auto one = open_port("ring:again", buffers), other = open_port("ring:again", buffers);
        send(one, buffers, broadcast(60));
        CHECK(receive(other).size() == 60);
    }
}

TEST_CASE("a third end of a cable is refused") {
    Buffers buffers;
    const auto one = open_port("ring:third", buffers), other = open_port("ring:third", buffers);
    CHECK_THAT(refused_port("ring:third", buffers), Catch::Contains("both ends of this cable are in use"));
}

TEST_CASE("the ends of a cable have the same number of queues") {
    Buffers buffers;
    const auto one = open_port("ring:queues", buffers, 2);
    CHECK_THAT(refused_port("ring:queues", buffers, 1), Catch::Contains("another number of queues"));
    CHECK_THAT(refused_port("ring:queues", buffers, 3), Catch::Contains("another number of queues"));
}

TEST_CASE("each queue pair of a cable is a way of its own") {
    Buffers buffers;
    auto one = open_port("ring:ways", buffers, 2), other = open_port("ring:ways", buffers, 2);
    REQUIRE(one.capabilities().queues == 2);
    send(one, buffers, broadcast(60, 1), 1);
    CHECK(receive(other, 0, std::chrono::milliseconds{1}).empty());
    CHECK(receive(other, 1) == broadcast(60, 1));
}

TEST_CASE("a port without an address of its own gets a locally administered one") {
    Buffers buffers;
    const auto port = open_port("ring:mac", buffers);
    CHECK((port.mac().bytes[0] & 0x03) == 0x02);
}

TEST_CASE("a port says which driver, how many queues and which MTU it has") {
    Buffers buffers;
    const auto port = open_port("ring:described", buffers);
    CHECK(port.capabilities().driver == "net_ring");
    CHECK(port.capabilities().queues == 1);
    CHECK(port.capabilities().mtu == 1500);
    CHECK_FALSE(port.capabilities().rss);
    CHECK_FALSE(port.capabilities().transmit_fills_udp);
}

TEST_CASE("a device that cannot wake a worker says so") {
    Buffers buffers;
    const auto port = open_port("ring:wakes", buffers);
    CHECK_FALSE(port.capabilities().wakes);
    CHECK_FALSE(port.wake(0).has_value());
}

TEST_CASE("a started port is up, a stopped one is down") {
    Buffers buffers;
    auto port = open_port("ring:link", buffers);
    CHECK(port.link().up);
    port.stop();
    CHECK_FALSE(port.link().up);
}

TEST_CASE("an MTU that no device accepts is refused with the accepted range") {
    Buffers buffers;
    CHECK_THAT(refused_port("ring:mtu", buffers, 1, 40), Catch::Contains("MTU 40 is outside of what the device accepts, 68 to"));
}

TEST_CASE("a capture file's frames are received in order") {
    Buffers buffers;
    const Folder folder;
    const auto file = folder.path / "in.pcap";
    write_capture(file, {broadcast(60, 1), broadcast(1514, 2)});
    auto port = open_port("pcap:" + file.string(), buffers);
    CHECK(receive(port) == broadcast(60, 1));
    CHECK(receive(port) == broadcast(1514, 2));
    CHECK(receive(port, 0, std::chrono::milliseconds{5}).empty());
}

TEST_CASE("frames sent to a capture file are in it when the port is closed") {
    Buffers buffers;
    const Folder folder;
    write_capture(folder.path / "in.pcap", {});
    const auto out = folder.path / "out.pcap";
    {
        auto port = open_port("pcap:" + (folder.path / "in.pcap").string() + ",tx_pcap=" + out.string(), buffers);
        send(port, buffers, broadcast(60, 1));
    }
    CHECK(std::filesystem::file_size(out) == 24 + 16 + 60);
}

TEST_CASE("a capture file that does not exist is refused with what to check") {
    Buffers buffers;
    CHECK_THAT(refused_port("pcap:/nonexistent/in.pcap", buffers), Catch::Contains("check that the file is a capture") && Catch::Contains("/nonexistent/in.pcap"));
}

TEST_CASE("a vhost socket in a folder that does not exist is refused with what to check") {
    Buffers buffers;
    CHECK_THAT(refused_port("vhost:/nonexistent/vhost0", buffers), Catch::Contains("folder of the socket"));
}

TEST_CASE("a virtio_user port without its other end is refused with what to check") {
    Buffers buffers;
    CHECK_THAT(refused_port("virtio_user:/nonexistent/vhost0", buffers), Catch::Contains("other end"));
}

TEST_CASE("a memif socket in a folder that does not exist is refused with what to check") {
    Buffers buffers;
    CHECK_THAT(refused_port("memif:/nonexistent/memif.sock", buffers), Catch::Contains("folder of the socket exists"));
}

TEST_CASE("a memif client without its server is refused with what to check") {
    Buffers buffers;
    const Folder folder;
    const auto device = parse_device_string("memif:" + (folder.path / "memif.sock").string() + ",role=client").value();
    auto port = Port::open({.id = PortId{0}, .device = device, .queues = 1, .mtu = std::nullopt, .pool = buffers.pool(), .adaptive = true});
    REQUIRE(port.has_value());
    const auto started = port->start();
    REQUIRE_FALSE(started.has_value());
    CHECK_THAT(started.error().text, Catch::Contains("the server runs before the client"));
}

TEST_CASE("a PCI device that is missing is refused with how to bind one") {
    Buffers buffers;
    CHECK_THAT(refused_port("0000:ff:1f.7", buffers), Catch::Contains("dpdk-devbind.py --bind=vfio-pci"));
}

TEST_CASE("a refused port leaves nothing behind") {
    Buffers buffers;
    const auto before = buffers.available();
    for (int round = 0; round < 3; ++round) {
        refused_port("virtio_user:/nonexistent/vhost0", buffers);
        refused_port("ring:behind", buffers, 1, 40);
    }
    const auto one = open_port("ring:behind", buffers), other = open_port("ring:behind", buffers);
    CHECK(buffers.available() == before);
}

TEST_CASE("a vhost and a virtio_user port are the two ends of one socket") {
    Buffers buffers;
    const Folder folder;
    const auto path = (folder.path / "vhost0").string();
    auto host = open_port("vhost:" + path, buffers, 1, 0), guest = open_port("virtio_user:" + path, buffers, 1, 1);
    settle(host);
    send(host, buffers, broadcast(100, 3));
    CHECK(receive(guest) == broadcast(100, 3));
    send(guest, buffers, broadcast(1500, 4));
    CHECK(receive(host) == broadcast(1500, 4));
}

TEST_CASE("a worker that rests over a virtio_user port is woken by a packet") {
    Buffers buffers;
    const Folder folder;
    const auto path = (folder.path / "vhost0").string();
    auto host = open_port("vhost:" + path, buffers, 1, 0), guest = open_port("virtio_user:" + path, buffers, 1, 1);
    settle(host);
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {guest.wake(0).value()}, true};
    CHECK(rest(pause, 30ms) >= 30ms);
    std::jthread peer{[&] {
        std::this_thread::sleep_for(20ms);
        send(host, buffers, broadcast(60));
    }};
    CHECK(rest(pause, 10s) < 5s);
    CHECK(receive(guest) == broadcast(60));
}

TEST_CASE("two memif ports are the two ends of one socket") {
    Buffers buffers;
    const Folder folder;
    const auto path = (folder.path / "memif.sock").string();
    auto server = open_port("memif:" + path + ",role=server", buffers, 1, 0), client = open_port("memif:" + path + ",role=client", buffers, 1, 1);
    for (int wait = 0; wait < 500 && !(server.link().up && client.link().up); ++wait) std::this_thread::sleep_for(10ms);
    // A memif client offers room to the server when it first looks for packets.
    CHECK(receive(client, 0, 1ms).empty());
    send(client, buffers, broadcast(100, 3));
    CHECK(receive(server) == broadcast(100, 3));
    send(server, buffers, broadcast(1500, 4));
    CHECK(receive(client) == broadcast(1500, 4));
}
