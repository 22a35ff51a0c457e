// One message that is repeated with identical bytes until it is answered or given up (RFC 7296 §2.1, §2.4).
#pragma once

#include "common/bytes.hpp"
#include "common/time.hpp"

#include <vector>

namespace nave::ike {

/// A request on its way. A value; whoever owns it sends `messages` when step() says so.
struct Transmission {
    std::vector<Bytes> messages;  // one, or the fragments of one; without non-ESP marker
    int tries_max = 1;      // transmissions altogether
    Duration interval{};    // until the next one; doubles
    TimePoint next_at{};
    TimePoint begun_at{};
    int sent = 1;
    int renewals = 0;
    bool steady = false;    // the interval stays as it is

    enum class Step { wait, repeat, give_up };
    /// What is to be done at `now`. `repeat` counts the transmission that the caller makes.
    Step step(TimePoint now);
    /// Begins the schedule anew, with a transmission that the caller makes.
    void renew(Duration first, TimePoint now);
};

/// For a message that was sent once, at `now`.
Transmission transmission_of(std::vector<Bytes> messages, Duration first, int tries_max, TimePoint now);
/// From the first transmission until it is given up.
Duration patience(Duration first, int tries_max);

}  // namespace nave::ike
