// Who still has to acknowledge a removal in the dataplane: every worker, and the route writer.
#pragma once

#include "common/ids.hpp"

#include <bitset>
#include <cstdint>

namespace nave::overlay {

class Acknowledgements {
public:
    explicit Acknowledgements(std::uint8_t workers) {
        for (std::size_t worker = 0; worker < workers; ++worker) due_.set(worker);
        due_.set(kRouteWriter.value);
    }
    /// True when nobody is left. Who answers twice, because it was asked again, counts once.
    [[nodiscard]] bool mark(WorkerId by) {
        if (by.value < due_.size()) due_.reset(by.value);
        return due_.none();
    }

private:
    std::bitset<kRouteWriter.value + 1> due_;
};

}  // namespace nave::overlay
