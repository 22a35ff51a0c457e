// Messages whose payloads are encrypted and authenticated in an SK payload (RFC 7296 §3.14, RFC 5282), or a part of them in SKF (RFC 7383).
#pragma once

#include "common/bytes.hpp"
#include "common/random.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/message.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nave::ike {

/// A whole message with these payloads inside SK. `keys` are the sender's; the IV comes from `random`.
Bytes seal(const Header& header, std::span<const Payload> inner, const ProtectionKeys& keys, Random& random);
/// The same for an inner chain that is bytes already, genuine or not; fuzzing and tests of bad peers need it.
Bytes seal_chain(const Header& header, PayloadType first, ByteView chain, const ProtectionKeys& keys, Random& random);

/// Which part of a message an SKF payload holds: 1 to `total`.
struct FragmentNumber {
    std::uint16_t number = 0, total = 0;
    bool operator==(const FragmentNumber&) const = default;
};
/// A message with this part of an inner chain inside SKF (RFC 7383 §2.5); `first` counts in fragment 1, others have none.
Bytes seal_fragment(const Header& header, FragmentNumber fragment, PayloadType first, ByteView part, const ProtectionKeys& keys, Random& random);

enum class IsFragment : bool { no, yes };
/// How many bytes of an inner chain fit into a message of `size_max` bytes.
std::size_t content_max(const ProtectionKeys& keys, std::size_t size_max, IsFragment is_fragment);

struct OpenError {
    enum class Kind : std::uint8_t {
        malformed,        // outside of SK: anybody may have sent it
        not_protected,    // well-formed, without an SK or SKF payload
        invalid_fragment, // number or total of an SKF payload is zero, or the number above the total
        bad_integrity,    // not from the peer, or damaged
        malformed_inside, // the peer itself sent this: it may be answered, `decode` says with what
    };
    Kind kind{};
    DecodeError decode{};
};
std::string_view name(OpenError::Kind kind);

/// The authentic inside of SK or SKF as bytes: a chain of payloads, or a part of one.
struct Inside {
    PayloadType first{};
    Bytes chain{};
    std::optional<FragmentNumber> fragment{};
    Bytes head{};  // the message up to the end of SK's generic header; of a fragment, as it would be in one piece (RFC 9242 §3.3.2)
};
/// Integrity is verified before a byte of the inside is looked at. Payloads in front of SK or SKF are ignored.
std::expected<Inside, OpenError> unseal(ByteView message, const ProtectionKeys& keys);
/// The payloads of a whole chain; the error is malformed_inside.
std::expected<std::vector<Payload>, OpenError> parse(const Inside& inside);
/// unseal() and parse(); a fragment is not_protected.
std::expected<std::vector<Payload>, OpenError> open(ByteView message, const ProtectionKeys& keys);

}  // namespace nave::ike
