// The last steps from a draft to a configuration: names become identifiers, defaults are set, and what does not fit together is refused.
#pragma once

#include "controlplane/config/draft.hpp"
#include "controlplane/config/reader.hpp"

#include <cstdint>
#include <string_view>

namespace nave::config {

/// Numbers ports and tunnels, resolves the names by which they refer to each other, and sets every default that depends on
/// another setting. Names that lead nowhere are problems.
void resolve(Reader& reader, Draft& draft, const Value& root);

/// Names of twins and devices, each of which may be used once.
void check_gateway(Reader& reader, const Draft& draft);
void check_ports(Reader& reader, const Draft& draft);
void check_devices(Reader& reader, const Draft& draft, const DeviceJudge& judge_device);
void check_tunnels(Reader& reader, const Draft& draft);
/// Our certificate, its key and dates, the authorities and revocation lists of each tunnel, by the system's date.
void check_certificates(Reader& reader, const Draft& draft);
/// Pre-shared keys, hubs and access rules of each tunnel; limits of the gateway, whose sections stand in `root`.
void check_trust(Reader& reader, const Draft& draft, const Value& root);

/// The place to complain at: the member of that key, or the table when it has none.
const Value& at(const Value& table, std::string_view key);

}  // namespace nave::config
