// Fuzz target: what comes out of ESP, that is trailer, GRE and inner IPv4, through the very checks of the packet path.
#include "dataplane/inner_checks.hpp"
#include "tests/fuzz/promise.hpp"

#include <cstdint>

using namespace nave;

namespace {

void inner(ByteView bytes, std::optional<std::uint32_t> key) {
    const auto extent = dataplane::check_inner(bytes, key);
    if (!extent) {
        must(extent.error() != Drop::none && extent.error() != Drop::count);
        return;
    }
    must(extent->gre.header_length <= bytes.size());
    if (extent->gre.protocol == kEtherTypeNhrp) return;
    must(extent->ipv4.header_length >= sizeof(Ipv4Header));
    must(extent->ipv4.header_length <= extent->ipv4.total_length);
    must(extent->gre.header_length + extent->ipv4.total_length <= bytes.size());
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
    return 0;
}
