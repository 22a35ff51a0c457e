// The extensions part on the wire (RFC 2332 §5.3).
#include "controlplane/nhrp/extensions.hpp"

#include <algorithm>

namespace nave::nhrp {
namespace {

constexpr std::uint16_t kCompulsory = 0x8000;
constexpr std::uint16_t kTypeMask = 0x3fff;
constexpr std::uint32_t kClearText = 1;

}  // namespace

std::optional<Extensions> decode_extensions(ByteReader& in, std::size_t offset) {
    Extensions extensions;
    const std::size_t length = in.remaining();
    for (;;) {
        const auto position = static_cast<std::uint16_t>(offset + length - in.remaining());
        const std::uint16_t word = in.u16();
        const ByteView value = in.take(in.u16());
        if (in.failed()) return std::nullopt;
        const auto type = static_cast<std::uint16_t>(word & kTypeMask);
        if (type == extension_type::end) return extensions;
        if (extensions.size() == kExtensionsMax) return std::nullopt;
        extensions.push_back({type, (word & kCompulsory) != 0, Bytes{value.begin(), value.end()}, position});
    }
}

void encode_extensions(const Extensions& extensions, ByteWriter& out) {
    for (const auto& extension : extensions) {
        out.u16(static_cast<std::uint16_t>(extension.type | (extension.compulsory ? kCompulsory : 0)));
        out.u16(static_cast<std::uint16_t>(extension.value.size()));
        out.bytes(extension.value);
    }
    out.u16(kCompulsory | extension_type::end);
    out.u16(0);
}

Extension* find(Extensions& extensions, std::uint16_t type) {
    const auto found = std::ranges::find(extensions, type, &Extension::type);
    return found == extensions.end() ? nullptr : &*found;
}

const Extension* find(const Extensions& extensions, std::uint16_t type) {
    const auto found = std::ranges::find(extensions, type, &Extension::type);
    return found == extensions.end() ? nullptr : &*found;
}

bool is_private(const Extension& extension, ByteView label) {
    return extension.type == extension_type::vendor_private && extension.value.size() >= label.size() && std::ranges::equal(label, ByteView{extension.value}.first(label.size()));
}

bool is_understood(std::uint16_t type) {
    switch (type) {
    case extension_type::responder_address:
    case extension_type::forward_transit:
    case extension_type::reverse_transit:
    case extension_type::authentication:
    case extension_type::nat_address: return true;
    default: return false;
    }
}

std::optional<std::string_view> decode_authentication(ByteView value) {
    ByteReader in{value};
    if (in.u32() != kClearText) return std::nullopt;
    const ByteView word = in.take_rest();
    return std::string_view{reinterpret_cast<const char*>(word.data()), word.size()};
}

Bytes encode_authentication(std::string_view word) {
    ByteWriter out;
    out.u32(kClearText);
    out.bytes(as_bytes(word));
    return out.take();
}

}  // namespace nave::nhrp
