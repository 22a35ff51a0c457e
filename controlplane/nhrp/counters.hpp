// What a node counts, each with the one name that operators see.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nave::nhrp {

enum class Counter : std::uint8_t {
    received, sent, forwarded,
    // packets dropped
    malformed, bad_checksum, authentication_failed, loop_detected, hop_count_exceeded, too_large, no_route, not_a_server, unknown_extension,
    spoofed_source, not_permitted, unexpected_reply, duplicate_reply, unexpected_error, unusable_indication,
    // what else can go wrong
    errors_received, errors_sent, errors_suppressed, registrations_refused, registrations_unanswered, resolutions_unanswered, resolutions_refused,
    negative_hits, purges_unanswered, purges_received,
    // tables that were full, and peers that wanted too much at once
    bindings_full, bindings_policed, resolutions_policed, shortcuts_full, pending_full, negative_full, answers_full, purges_full, confirmations_full, vouchers_full,
    count
};

std::string_view name(Counter counter);

class Counters {
public:
    void add(Counter counter) { ++values_[static_cast<std::size_t>(counter)]; }
    std::uint64_t value(Counter counter) const { return values_[static_cast<std::size_t>(counter)]; }

private:
    std::array<std::uint64_t, static_cast<std::size_t>(Counter::count)> values_{};
};

}  // namespace nave::nhrp
