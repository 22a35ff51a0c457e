// NAT detection: hashes of what each end believes, compared with what the packets show.
#include "controlplane/ike/nat_detection.hpp"

#include "controlplane/ike/crypto.hpp"

namespace nave::ike {

Bytes nat_detection_hash(std::uint64_t initiator_spi, std::uint64_t responder_spi, const NbmaEndpoint& endpoint) {
    ByteWriter input;
    input.u64(initiator_spi);
    input.u64(responder_spi);
    input.bytes(endpoint.address.value.bytes());
    input.u16(endpoint.port);
    const auto hash = sha1({input.view()});
    return {hash.begin(), hash.end()};
}

std::vector<Notify> nat_detection_notifies(std::uint64_t initiator_spi, std::uint64_t responder_spi, const NbmaEndpoint& local, const NbmaEndpoint& remote, bool force) {
    // Port 0 is never a source, so the peer cannot find this hash genuine.
    const NbmaEndpoint source{local.address, force ? std::uint16_t{0} : local.port};
    return {Notify{NotifyType::nat_detection_source_ip, nat_detection_hash(initiator_spi, responder_spi, source)},
            Notify{NotifyType::nat_detection_destination_ip, nat_detection_hash(initiator_spi, responder_spi, remote)}};
}

NatFindings detect_nat(std::span<const Payload> payloads, std::uint64_t initiator_spi, std::uint64_t responder_spi, const NbmaEndpoint& local, const NbmaEndpoint& remote) {
    const Bytes expected_source = nat_detection_hash(initiator_spi, responder_spi, remote);
    const Bytes expected_destination = nat_detection_hash(initiator_spi, responder_spi, local);
    bool has_source = false, has_destination = false, source_matches = false, destination_matches = false;
    for (const Payload& payload : payloads) {
        const auto* notify = std::get_if<Notify>(&payload);
        if (!notify) continue;
        if (notify->type == NotifyType::nat_detection_source_ip) {  // several if the sender does not know which address it uses
            has_source = true;
            source_matches |= notify->data == expected_source;
        } else if (notify->type == NotifyType::nat_detection_destination_ip) {
            has_destination = true;
            destination_matches |= notify->data == expected_destination;
        }
    }
    if (!has_source || !has_destination) return {};
    return {true, !destination_matches, !source_matches};
}

}  // namespace nave::ike
