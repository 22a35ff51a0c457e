// Tells a waiting person on stderr how far long work is.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace nave::rig {

/// One line that is rewritten on a terminal; elsewhere a line every ten seconds.
class Progress {
public:
    /// `steps`: what `done` of show() grows to.
    explicit Progress(std::size_t steps);
    /// Ends the line.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(std::size_t done, const std::string& what);

private:
    std::size_t steps_;
    bool terminal_;
    std::chrono::steady_clock::time_point begin_, shown_at_;
};

}  // namespace nave::rig
