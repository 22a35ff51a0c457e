// What both ends have agreed on for a child SA.
#pragma once

#include "controlplane/ike/negotiation.hpp"
#include "controlplane/ike/traffic_selector.hpp"

namespace nave::ike {

struct ChildTerms {
    EspChoice choice;
    EspMode mode = EspMode::transport;
    TrafficSelector initiator, responder;  // TSi and TSr as agreed
};

}  // namespace nave::ike
