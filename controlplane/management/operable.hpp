// What an operator may see of a running gateway and do to it; the runtime implements it, requests are answered from it.
#pragma once

#include "common/counters.hpp"
#include "controlplane/config/config.hpp"
#include "controlplane/overlay/views.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::management {

/// One port: what is configured, what the device and its kernel twin say, what passed.
struct PortView {
    std::string name, role, device, twin, tunnel;    // role: "underlay", "inside"; tunnel: of an inside port
    std::string mac, link;                           // link: "up", "down"
    std::uint16_t mtu = 0;                           // IP bytes
    std::uint16_t queues = 0;                        // receive queues
    std::vector<std::string> addresses;              // "192.0.2.1/24"
    std::uint64_t received_packets = 0, received_bytes = 0, sent_packets = 0, sent_bytes = 0;
    std::uint64_t missed = 0, errors = 0;            // packets that the device itself lost
};

/// All functions are called from the control thread and must not block: views are snapshots.
class Operable {
public:
    virtual ~Operable() = default;
    virtual std::vector<overlay::PeerView> peers() const = 0;
    virtual std::vector<overlay::NhrpView> nhrp() const = 0;
    virtual std::vector<overlay::IkeView> ike() const = 0;
    virtual std::vector<overlay::SaView> sas() const = 0;
    virtual std::vector<overlay::RouteView> routes() const = 0;
    virtual std::vector<PortView> ports() const = 0;
    /// The dataplane's counters: drops, stages, and what a worker counts besides.
    virtual const Counters& dataplane_counters() const = 0;
    /// Named counters of the control plane, "ike-...", "nhrp-...", "overlay-...", "kernel-...".
    virtual std::vector<std::pair<std::string, std::uint64_t>> control_counters() const = 0;
    virtual const config::Config& configuration() const = 0;
    /// Closes the peers that the text names: identity, tunnel address, NBMA address or "all". Gives how many.
    virtual std::size_t clear_peer(std::string_view text) = 0;
    /// Asks the loop to end after this turn; the answer is still delivered.
    virtual void shut_down() = 0;
};

}  // namespace nave::management
