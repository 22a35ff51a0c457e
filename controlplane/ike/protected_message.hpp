// Messages whose payloads are encrypted and authenticated in an SK payload (RFC 7296 §3.14, RFC 5282).
#pragma once

#include "common/bytes.hpp"
#include "common/random.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/message.hpp"

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

namespace nave::ike {

/// A whole message with these payloads inside SK. `keys` are the sender's; the IV comes from `random`.
Bytes seal(const Header& header, std::span<const Payload> inner, const ProtectionKeys& keys, Random& random);
/// The same for an inner chain that is bytes already, genuine or not; fuzzing and tests of bad peers need it.
Bytes seal_chain(const Header& header, PayloadType first, ByteView chain, const ProtectionKeys& keys, Random& random);

struct OpenError {
    enum class Kind : std::uint8_t {
        malformed,        // outside of SK: anybody may have sent it
        not_protected,    // well-formed, without an SK payload (or with an SKF payload)
        bad_integrity,    // not from the peer, or damaged
        malformed_inside, // the peer itself sent this: it may be answered, `decode` says with what
    };
    Kind kind{};
    DecodeError decode{};
};
std::string_view name(OpenError::Kind kind);

/// The payloads inside SK. Integrity is verified before a byte of the inside is looked at. Payloads in front of SK are ignored.
std::expected<std::vector<Payload>, OpenError> open(ByteView message, const ProtectionKeys& keys);

}  // namespace nave::ike
