// Fuzz target: what the underlay sends around ESP and IKE, through the checks of the packet path and the control plane's parsers.
#include "controlplane/kernel/datagram.hpp"
#include "controlplane/kernel/packet_too_big.hpp"
#include "dataplane/ipv6_checks.hpp"
#include "dataplane/outer_ipv6.hpp"
#include "tests/fuzz/promise.hpp"

#include <cstdint>

using namespace nave;

namespace {

void packet_path(ByteView bytes) {
    const auto length = dataplane::check_ipv6(bytes);
    if (!length) return must(length.error() != Drop::none);
    must(*length >= sizeof(Ipv6Header) && *length <= bytes.size());
    if (reinterpret_cast<const Ipv6Header*>(bytes.data())->next_header != kProtocolFragment) return;
    constexpr std::size_t kLargest = 9728;
    const auto fragment = dataplane::check_ipv6_fragment(bytes.first(*length), kLargest);
    if (!fragment) return must(fragment.error() != Drop::none);
    const std::size_t payload = *length - sizeof(Ipv6Header) - sizeof(Ipv6FragmentHeader);
    must(payload > 0 && fragment->offset % 8 == 0 && fragment->offset + payload <= kLargest);
    must(!fragment->more || payload % 8 == 0);
}

void control_plane(ByteView bytes) {
    if (const auto datagram = kernel::parse_datagram(bytes)) {
        must(datagram->local.address.value.family() == datagram->remote.address.value.family());
        must(datagram->payload.data() >= bytes.data() && datagram->payload.data() + datagram->payload.size() <= bytes.data() + bytes.size());
    }
    if (const auto message = kernel::parse_packet_too_big(bytes)) must(!message->local.value.is_v4() && !message->remote.value.is_v4());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    packet_path({data, size});
    control_plane({data, size});
    return 0;
}
