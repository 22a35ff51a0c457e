// All trials of a run: for each frame size a rehearsal, the search, and a trial for the latency.
#pragma once

#include "tests/rig/throughput/figures.hpp"
#include "tests/rig/throughput/options.hpp"
#include "tests/rig/throughput/trial.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace nave::rig::throughput {

class Campaign {
public:
    /// `line_rate` in bits/s; nothing when neither the ports nor the operator told it.
    Campaign(const Options& options, Ends ends, std::optional<double> line_rate) : options_{options}, ends_{ends}, line_rate_{line_rate} {}

    /// Finds the gateways and measures all frame sizes; where it is stopped, what it has until then. The error is one that
    /// stands in the way of everything.
    std::expected<std::vector<SizeFigures>, std::string> run();

    /// Packets/s of the first trial.
    static double rate_max(const Options& options, std::size_t frame_size, std::optional<double> line_rate);

private:
    SizeFigures measure(std::size_t frame_size);
    /// Sends a little until every stream has come through once: caches are warm and neighbours known before it counts.
    std::string rehearse(std::size_t frame_size);
    void search(SizeFigures& figures);
    TrialResult trial(std::size_t frame_size, double rate, double seconds);
    std::string silence(const TrialResult& result, std::size_t frame_size) const;
    void tell(const std::string& line) const;

    const Options& options_;
    Ends ends_;
    std::optional<double> line_rate_;
    std::uint16_t trials_ = 0;
};

}  // namespace nave::rig::throughput
