// Names of what can be wrong with a message.
#include "controlplane/ike/wire_types.hpp"

namespace nave::ike {

std::string_view name(Malformed reason) {
    switch (reason) {
    case Malformed::truncated:            return "truncated";
    case Malformed::wrong_message_length: return "wrong-message-length";
    case Malformed::major_version:        return "major-version";
    case Malformed::payload_length:       return "payload-length";
    case Malformed::trailing_bytes:       return "trailing-bytes";
    case Malformed::too_many_payloads:    return "too-many-payloads";
    case Malformed::too_many_proposals:   return "too-many-proposals";
    case Malformed::too_many_transforms:  return "too-many-transforms";
    case Malformed::too_many_selectors:   return "too-many-selectors";
    case Malformed::too_many_spis:        return "too-many-spis";
    case Malformed::substructure_length:  return "substructure-length";
    case Malformed::substructure_chain:   return "substructure-chain";
    case Malformed::spi_size:             return "spi-size";
    case Malformed::nonce_size:           return "nonce-size";
    case Malformed::selector_range:       return "selector-range";
    case Malformed::encrypted_not_last:   return "encrypted-not-last";
    case Malformed::nested_encryption:    return "nested-encryption";
    case Malformed::unsupported_critical: return "unsupported-critical";
    }
    return "unknown";
}

}  // namespace nave::ike
