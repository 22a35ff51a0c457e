// Fuzz target: what comes out of ESP, that is trailer, GRE and inner IP, through the very checks of the packet path.
#include "dataplane/icmp_error.hpp"
#include "dataplane/inner_checks.hpp"
#include "dataplane/mss_clamp.hpp"
#include "tests/fuzz/promise.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

using namespace nave;

namespace {

/// What forwarding does with an IP packet whose header was checked.
void forwarded(ByteView packet) {
    const bool is_ipv6 = packet[0] >> 4 == 6;
    if (is_ipv6) {
        const auto upper = dataplane::find_upper_layer(packet);
        must(!upper || (upper->offset >= sizeof(Ipv6Header) && upper->offset <= packet.size()));
    }
    const auto error = dataplane::IcmpError::fragmentation_needed(kIpv6MtuMin);
    if (dataplane::may_answer_with_error(error, packet)) {
        std::array<std::uint8_t, dataplane::kIcmpv6ErrorMax> out;
        const IpAddress source = is_ipv6 ? IpAddress::v6({0x20, 1}) : IpAddress::v4(0x0a000001);
        const std::size_t length = dataplane::write_icmp_error(error, source, packet, out);
        must(length <= (is_ipv6 ? dataplane::kIcmpv6ErrorMax : dataplane::kIcmpErrorMax));
        // No error is ever answered with another.
        must(!dataplane::may_answer_with_error(error, ByteView{out}.first(length)));
    }
    Bytes copy{packet.begin(), packet.end()};
    dataplane::clamp_mss(copy, kIpv6MtuMin);
    must(std::equal(packet.begin(), packet.begin() + 20, copy.begin()));
}

void inner(ByteView bytes, std::optional<std::uint32_t> key) {
    const auto extent = dataplane::check_inner(bytes, key);
    if (!extent) {
        must(extent.error() != Drop::none && extent.error() != Drop::count);
        return;
    }
    must(extent->gre.header_length <= bytes.size());
    if (extent->gre.protocol == kEtherTypeNhrp) return;
    must(extent->ip_length >= sizeof(Ipv4Header));
    must(extent->gre.header_length + extent->ip_length <= bytes.size());
    forwarded(bytes.subspan(extent->gre.header_length, extent->ip_length));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes{data, size};
    inner(bytes, std::nullopt);
    inner(bytes, 42);
    if (const auto payload = dataplane::check_esp_trailer(bytes)) {
        must(payload->length <= size);
        if (payload->next_header == kProtocolGre) inner(bytes.first(payload->length), 42);
    }
    if (const auto outer = dataplane::check_ipv4(bytes)) must(outer->total_length <= size);
    if (const auto outer = dataplane::check_ipv6(bytes)) must(*outer <= size);
    return 0;
}
