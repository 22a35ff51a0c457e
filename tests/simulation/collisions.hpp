// Two ends that both initiate, rekey and delete at random times, often at the same time, in bad weather.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nave::simulation {

struct CollisionsResult {
    std::uint64_t actions = 0;
    std::uint64_t collisions = 0;       // of rekeys, as the endpoints counted them
    std::uint64_t duplicates = 0;       // second associations with the same peer, likewise
    std::uint64_t additional_key_exchanges = 0;
    std::uint64_t esp_opened = 0, esp_lost = 0;
    std::vector<std::string> failures;
};

/// Once both ends are up, at every moment each holds an SA to send on that the other can open, except from a deliberate close on until
/// they are up again. After some quiet there is one IKE SA, one child SA pair for all and one for each resource (0 to 2, by the seed), the
/// same at both ends. The same seed gives the same course.
CollisionsResult collide(std::uint64_t seed, bool verbose);

}  // namespace nave::simulation
