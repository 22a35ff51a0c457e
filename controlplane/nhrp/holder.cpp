// The holder extension: written, found among the vendors' extensions, read.
#include "controlplane/nhrp/holder.hpp"

#include <algorithm>
#include <array>

namespace nave::nhrp {
namespace {

constexpr std::array<std::uint8_t, 4> kLabel{0x02, 0x4e, 0x56, 2};  // OUI and kind

}  // namespace

Extension encode_holder(std::string_view identity) {
    ByteWriter out;
    out.bytes(kLabel);
    out.u16(static_cast<std::uint16_t>(identity.size()));
    out.bytes(as_bytes(identity));
    if (identity.size() % 2 != 0) out.u8(0);
    return {.type = extension_type::vendor_private, .compulsory = false, .value = out.take()};
}

std::string holder_of(const Packet& packet) {
    const auto found = std::ranges::find_if(packet.extensions, [](const Extension& extension) { return is_private(extension, kLabel); });
    if (found == packet.extensions.end()) return {};
    ByteReader in{found->value};
    in.skip(kLabel.size());
    const std::uint16_t size = in.u16();
    const ByteView identity = in.take(size);
    if (in.failed() || in.remaining() != size % 2u || size > kHolderMax) return {};
    return {identity.begin(), identity.end()};
}

}  // namespace nave::nhrp
