// Messages in fragments (RFC 7383): cutting what is too long for one packet, and putting together what came in parts.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/protected_message.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

namespace nave::ike {

/// The message as seal() gives it if it has at most `size_max` bytes; else as many SKF messages of at most that size as it takes, each with
/// an IV of its own (RFC 7383 §2.5). `size_max` leaves room for some content behind header, IV and checksum.
std::vector<Bytes> seal_to_fit(const Header& header, std::span<const Payload> inner, const ProtectionKeys& keys, Random& random, std::size_t size_max);

/// The fragments of one message (RFC 7383 §2.6). Takes authentic ones only; what a peer can make us hold is bounded.
class Reassembly {
public:
    static constexpr std::size_t kFragmentsMax = 128;
    static constexpr std::size_t kBytesMax = 65'536;

    enum class Outcome : std::uint8_t {
        kept,
        complete,       // whole() gives the message
        repeated,       // held already
        superseded,     // belongs to a division into fewer fragments than one that came
        beyond_limits,
    };
    /// A fragment of the message with this ID; one of another message, or of a division into more fragments, drops all that was held.
    Outcome add(std::uint32_t message_id, Inside fragment);
    /// The whole inner chain, once complete. Held until forget(), so that the message can be handled again.
    Inside whole() const;
    void forget() { *this = {}; }
    std::size_t bytes_held() const { return bytes_; }

private:
    std::uint32_t message_id_ = 0;
    std::uint16_t total_ = 0;  // 0: nothing is held
    PayloadType first_{};
    Bytes head_{};  // of the first fragment
    std::size_t bytes_ = 0;
    std::map<std::uint16_t, Bytes> parts_{};
};
/// For counters, such as "fragments-repeated".
std::string_view name(Reassembly::Outcome outcome);

}  // namespace nave::ike
