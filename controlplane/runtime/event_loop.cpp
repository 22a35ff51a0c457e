// epoll, signalfd and the clock.
#include "controlplane/runtime/event_loop.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

namespace nave::runtime {

namespace {

[[noreturn]] void fail(const char* what) { throw std::runtime_error{std::string{"cannot make "} + what + ": " + std::strerror(errno)}; }

}  // namespace

TimePoint now() { return TimePoint{std::chrono::steady_clock::now().time_since_epoch()}; }

EventLoop::EventLoop() : epoll_{epoll_create1(EPOLL_CLOEXEC)} {
    if (epoll_ < 0) fail("an epoll set");
}

EventLoop::~EventLoop() { close(epoll_); }

void EventLoop::watch(int descriptor, std::function<void()> on_readable) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) < 0) fail("a watch on a descriptor");
    watched_.insert_or_assign(descriptor, std::move(on_readable));
}

void EventLoop::forget(int descriptor) {
    if (watched_.erase(descriptor) > 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

void EventLoop::turn(std::optional<Duration> longest) {
    std::array<epoll_event, 32> events;
    timespec timeout{};
    if (longest) {
        const auto rest = std::max(*longest, Duration::zero());
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rest);
        timeout.tv_sec = seconds.count();
        timeout.tv_nsec = (rest - seconds).count();
    }
    const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), longest ? &timeout : nullptr, nullptr);
    for (int i = 0; i < count; ++i) {
        const auto entry = watched_.find(events[static_cast<std::size_t>(i)].data.fd);
        if (entry == watched_.end()) continue;
        const auto call = entry->second;  // it may forget itself
        call();
    }
}

Signals::Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    descriptor_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0) fail("a descriptor for signals");
}

Signals::~Signals() { close(descriptor_); }

std::optional<int> Signals::take() {
    signalfd_siginfo info;
    if (read(descriptor_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}

}  // namespace nave::runtime
