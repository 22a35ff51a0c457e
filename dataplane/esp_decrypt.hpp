// ESP of a burst of received packets: check, decrypt, settle (RFC 4303 §3.4).
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Packets start with their ESP header and belong to SAs of this worker. What remains is genuine, fresh, trimmed to the GRE
/// header, and knows its peer, tunnel and table.
void esp_decrypt(Burst& burst, WorkerState& worker);

}  // namespace nave::dataplane
