// What stations of a lab sent, as a capture file for tshark (dissected.py).
#pragma once

#include "tests/unit/nhrp/lab.hpp"

#include <vector>

namespace nave::nhrp {

/// Appends the packets in GRE and IP to the pcap file that the environment's NAVE_NHRP_CAPTURE names; does nothing without.
void append_to_capture(const std::vector<Flight>& flights);

}  // namespace nave::nhrp
