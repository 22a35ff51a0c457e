// Groups in vendor-private extensions: written, and found whatever stands around them.
#include "controlplane/nhrp/group.hpp"

#include <algorithm>
#include <array>

namespace nave::nhrp {
namespace {

constexpr std::array<std::uint8_t, 3> kCisco{0x00, 0x00, 0x0c};

bool is_letter(std::uint8_t byte) { return byte > 0x20 && byte < 0x7f; }

std::string_view longest_word(ByteView bytes) {
    std::string_view longest;
    for (auto at = bytes.begin(); (at = std::find_if(at, bytes.end(), is_letter)) != bytes.end();) {
        const auto end = std::find_if_not(at, bytes.end(), is_letter);
        const std::string_view word{reinterpret_cast<const char*>(&*at), static_cast<std::size_t>(end - at)};
        if (word.size() > longest.size()) longest = word;
        at = end;
    }
    // A length in front of a long word looks like a letter of it.
    if (longest.size() > kGroupMax && static_cast<std::size_t>(longest.front()) + 1 == longest.size()) longest.remove_prefix(1);
    return longest;
}

}  // namespace

Extension encode_group(std::string_view group) {
    Extension extension{.type = extension_type::vendor_private, .compulsory = false, .value = {kCisco.begin(), kCisco.end()}};
    extension.value.insert(extension.value.end(), group.begin(), group.end());
    extension.value.resize(extension.value.size() + extension.value.size() % 2);
    return extension;
}

std::string group_of(const Packet& packet) {
    for (const auto& extension : packet.extensions) {
        if (!is_private(extension, kCisco)) continue;
        const std::string_view word = longest_word(ByteView{extension.value}.subspan(kCisco.size()));
        if (word.size() >= kGroupMin && word.size() <= 2 * kGroupMax) return std::string{word};
    }
    return {};
}

}  // namespace nave::nhrp
