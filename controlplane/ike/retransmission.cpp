// The exponential schedule of repeated requests.
#include "controlplane/ike/retransmission.hpp"

#include <utility>

namespace nave::ike {

Transmission transmission_of(std::vector<Bytes> messages, Duration first, int tries_max, TimePoint now) {
    return {.messages = std::move(messages), .tries_max = tries_max, .interval = first, .next_at = now + first, .begun_at = now};
}

Transmission::Step Transmission::step(TimePoint now) {
    if (now < next_at) return Step::wait;
    if (sent >= tries_max) return Step::give_up;
    ++sent;
    if (!steady) interval *= 2;
    next_at = now + interval;
    return Step::repeat;
}

void Transmission::renew(Duration first, TimePoint now) {
    ++renewals;
    sent = 1;
    interval = first;
    next_at = now + first;
    begun_at = now;
}

Duration patience(Duration first, int tries_max) {
    Duration sum{};
    for (int i = 0; i < tries_max; ++i, first *= 2) sum += first;
    return sum;
}

}  // namespace nave::ike
