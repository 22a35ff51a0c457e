// The rare case of the header checks: IPv4 options.
#include "dataplane/inner_checks.hpp"

namespace nave::dataplane {

bool options_are_harmless(ByteView options) {
    ByteReader in{options};
    while (!in.at_end()) {
        const std::uint8_t kind = in.u8();
        if (kind == 0) return true;
        if (kind == 1) continue;
        if (kind == 131 || kind == 137) return false;
        const std::uint8_t length = in.u8();
        if (length < 2) return false;
        in.skip(length - 2u);
        if (in.failed()) return false;
    }
    return true;
}

}  // namespace nave::dataplane
