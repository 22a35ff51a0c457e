// What tests of datagrams over either IP version share.
#pragma once

#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"

#include <catch2/catch.hpp>
#include <initializer_list>

namespace nave::kernel {

/// Bytes that differ.
inline Bytes payload_of(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 3);
    return bytes;
}

/// Where a datagram goes, and in what frame.
struct Way {
    FrameShape shape;
    NbmaEndpoint local, remote;

    /// The IP packet of a datagram that fits into one frame.
    Bytes packet(std::size_t payload_size) const {
        const Bytes frame = datagram_frames(shape, local, remote, payload_of(payload_size)).at(0);
        return {frame.begin() + sizeof(EthernetHeader), frame.end()};
    }
    void check_that_a_receiver_reads(std::initializer_list<std::size_t> payload_sizes) const {
        for (const std::size_t size : payload_sizes) {
            const Bytes received = packet(size);
            const auto datagram = parse_datagram(received);
            REQUIRE(datagram);
            CHECK(datagram->remote == local);
            CHECK(datagram->local == remote);
            CHECK(Bytes{datagram->payload.begin(), datagram->payload.end()} == payload_of(size));
        }
    }
};

}  // namespace nave::kernel
