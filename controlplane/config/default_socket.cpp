// Where the management socket is when nobody says; apart, so that navectl gets it without the parser.
#include "controlplane/config/config.hpp"

#include <fmt/format.h>

namespace nave::config {

std::string default_socket(std::string_view name) { return fmt::format("/run/nave/{}.sock", name); }

}  // namespace nave::config
