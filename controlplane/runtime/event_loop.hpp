// One epoll set: descriptors and what to do when they are readable.
#pragma once

#include "common/time.hpp"

#include <functional>
#include <map>
#include <optional>

namespace nave::runtime {

/// The machine's monotonic time.
TimePoint now();

/// One thread only. The functions may watch and forget descriptors.
class EventLoop {
public:
    /// Throws std::runtime_error when the system has no descriptor left.
    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    /// Level-triggered. The descriptor stays the caller's, who forgets it before closing it.
    void watch(int descriptor, std::function<void()> on_readable);
    void forget(int descriptor);
    /// Sleeps until a descriptor is readable, `longest` at most (nothing: for ever), and calls the functions of those that are.
    void turn(std::optional<Duration> longest);

private:
    int epoll_;
    std::map<int, std::function<void()>> watched_;
};

/// Signals as a descriptor. The signals must be blocked in every thread, so made before any other thread is started.
class Signals {
public:
    /// Blocks SIGINT, SIGTERM and SIGHUP; ignores SIGPIPE.
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    int descriptor() const { return descriptor_; }
    /// The next signal that came; nothing when none did.
    std::optional<int> take();

private:
    int descriptor_;
};

}  // namespace nave::runtime
