// What tests of ports stand on: a running EAL, buffers, and frames in and out.
#pragma once

#include "dataplane/port.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct rte_mempool;

namespace nave::dataplane::test {

using Frame = std::vector<std::uint8_t>;

/// Starts EAL once for the whole test process, in a private network namespace when that is allowed.
void start_eal();

/// Buffers like those of the gateway, freed at the end.
class Buffers {
public:
    explicit Buffers(std::uint16_t data_room = Port::data_room(1500));
    ~Buffers();
    rte_mempool* pool() const { return pool_; }
    /// How many nobody holds.
    unsigned available() const;
    /// A packet that holds the bytes, in one buffer or as a chain of buffers of `piece` bytes.
    rte_mbuf* packet(const Frame& frame, std::size_t piece = 65535) const;

private:
    rte_mempool* pool_;
};

/// Opens and starts, or fails the test with the error. `id` must differ between ports of one kind that live at once.
Port open_port(std::string_view device, const Buffers& buffers, std::uint16_t queues = 1, std::uint16_t id = 0);
/// The error of a port that must not open.
std::string refused_port(std::string_view device, const Buffers& buffers, std::uint16_t queues = 1, std::optional<std::uint16_t> mtu = std::nullopt);
/// Sends one frame; fails the test when the port does not take it.
void send(Port& port, const Buffers& buffers, const Frame& frame, std::uint16_t queue = 0);
/// The next received frame, its packet freed; empty after the time.
Frame receive(Port& port, std::uint16_t queue = 0, std::chrono::milliseconds patience = std::chrono::milliseconds{1000});
/// The next received frame that broadcast() made; kernels send frames of their own on their interfaces.
Frame receive_ours(Port& port);
/// One rest of an idle worker over the pause's wakers: how long it slept.
std::chrono::nanoseconds rest(Pause& pause, Duration longest);
/// Receives and throws away until nothing has come for some time.
void drain(Port& port);
/// A broadcast frame of an experimental EtherType (0x88b5) with that many bytes.
Frame broadcast(std::size_t size, std::uint8_t fill = 0x5a);

}  // namespace nave::dataplane::test
