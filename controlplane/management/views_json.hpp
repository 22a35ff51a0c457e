// Views as JSON text: field names are those of the structs, units stand at the end of the name.
#pragma once

#include "controlplane/management/operable.hpp"

#include <string>
#include <utility>
#include <vector>

namespace nave::management {

// Each gives an array with one object a row. Bytes that are not UTF-8 are replaced.
std::string to_json(const std::vector<overlay::PeerView>& peers);
std::string to_json(const std::vector<overlay::NhrpView>& entries);
std::string to_json(const std::vector<overlay::IkeView>& associations);
std::string to_json(const std::vector<overlay::SaView>& sas);
std::string to_json(const std::vector<overlay::RouteView>& routes);
std::string to_json(const std::vector<PortView>& ports);
std::string to_json(const std::vector<config::Setting>& settings);

/// Every reason to drop, with the sum over all workers, whether or not it happened: {"reason", "packets"}.
std::string drops_json(const Counters& counters);
/// Every stage of every worker: {"worker", "stage", "calls", "packets", "cycles"}.
std::string stages_json(const Counters& counters);
/// What the workers count besides ("dataplane-..."), then the control plane's: {"name", "value"}.
std::string counters_json(const Counters& dataplane, const std::vector<std::pair<std::string, std::uint64_t>>& control);

}  // namespace nave::management
