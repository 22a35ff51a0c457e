// NAT detection by hashes of addresses and ports (RFC 7296 §2.23).
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "controlplane/ike/payloads.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace nave::ike {

/// SHA-1(SPIi | SPIr | address | port), the data of NAT_DETECTION_*_IP.
Bytes nat_detection_hash(std::uint64_t initiator_spi, std::uint64_t responder_spi, const NbmaEndpoint& endpoint);

/// The two notifications of a message that goes from `local` to `remote`. `force`: claim a NAT by a wrong source hash.
std::vector<Notify> nat_detection_notifies(std::uint64_t initiator_spi, std::uint64_t responder_spi, const NbmaEndpoint& local, const NbmaEndpoint& remote, bool force);

struct NatFindings {
    bool supported = false;      // both kinds of notifications were there
    bool local_behind_nat = false, remote_behind_nat = false;
    bool any() const { return local_behind_nat || remote_behind_nat; }
};
/// What the payloads of a received message say. The SPIs are those of that message's header.
NatFindings detect_nat(std::span<const Payload> payloads, std::uint64_t initiator_spi, std::uint64_t responder_spi, const NbmaEndpoint& local, const NbmaEndpoint& remote);

}  // namespace nave::ike
