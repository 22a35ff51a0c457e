// Cables out of rte_ring pairs and the net_ring driver.
#include "dataplane/ring_cable.hpp"

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <vector>

namespace nave::dataplane {

namespace {

constexpr unsigned kPacketsPerRing = 1024;

/// The ring that packets of queue `queue` take towards the end called 'a' or 'b'.
std::string ring_name(std::string_view cable, char towards, unsigned queue) { return fmt::format("{}.{}{}", cable, towards, queue); }

std::string end_name(std::string_view cable, char end) { return fmt::format("{}.{}", cable, end); }
/// As the driver names the device that it makes.
std::string device_name(std::string_view cable, char end) { return "net_ring_" + end_name(cable, end); }

bool is_plugged(std::string_view cable, char end) {
    std::uint16_t device;
    return rte_eth_dev_get_port_by_name(device_name(cable, end).c_str(), &device) == 0;
}

/// The rings of one direction; made when `create`, else those that exist.
std::vector<rte_ring*> rings_towards(std::string_view cable, char end, std::uint16_t queues, bool create) {
    std::vector<rte_ring*> rings;
    for (unsigned queue = 0; queue < queues; ++queue) {
        const std::string name = ring_name(cable, end, queue);
        rte_ring* ring = create ? rte_ring_create(name.c_str(), kPacketsPerRing, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ) : rte_ring_lookup(name.c_str());
        if (ring != nullptr) rings.push_back(ring);
    }
    return rings;
}

void free_rings(std::string_view cable) {
    for (const char end : {'a', 'b'}) {
        for (unsigned queue = 0;; ++queue) {
            rte_ring* ring = rte_ring_lookup(ring_name(cable, end, queue).c_str());
            if (ring == nullptr) break;
            void* packet;
            while (rte_ring_dequeue(ring, &packet) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
            rte_ring_free(ring);
        }
    }
}

}  // namespace

std::expected<RingEnd, SetupError> plug_in_ring(std::string_view name, std::uint16_t queues) {
    const bool first = !is_plugged(name, 'a') && !is_plugged(name, 'b');
    const char end = is_plugged(name, 'a') ? 'b' : 'a', other = end == 'a' ? 'b' : 'a';
    if (is_plugged(name, end)) return std::unexpected{SetupError{"both ends of this cable are in use; choose another name"}};
    const auto receive = rings_towards(name, end, queues, first), transmit = rings_towards(name, other, queues, first);
    const bool other_has_more = !first && rte_ring_lookup(ring_name(name, end, queues).c_str()) != nullptr;
    if (receive.size() != queues || transmit.size() != queues || other_has_more) {
        if (first) free_rings(name);
        return std::unexpected{SetupError{first ? "no memory for its rings; raise memory in [dataplane]"
                                               : "the other end has another number of queues; give both the same number"}};
    }
    const int device = rte_eth_from_rings(end_name(name, end).c_str(), receive.data(), queues, transmit.data(), queues, rte_socket_id());
    if (device < 0) {
        if (first) free_rings(name);
        return std::unexpected{SetupError{"the driver refuses it; choose another name"}};
    }
    return RingEnd{static_cast<std::uint16_t>(device), device_name(name, end)};
}

void unplug_ring(std::string_view name, const RingEnd& end) {
    rte_eth_dev_close(end.device);
    rte_eal_hotplug_remove("vdev", end.device_name.c_str());
    if (!is_plugged(name, 'a') && !is_plugged(name, 'b')) free_rings(name);
}

}  // namespace nave::dataplane
