// Arming the wakers, sleeping in ppoll, and disarming them.
#include "dataplane/pause.hpp"

#include "dataplane/gateway.hpp"

#include <algorithm>
#include <rte_ethdev.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace nave::dataplane {

PausePlan::Step PausePlan::after_turn(bool busy) {
    if (mode_ == RunMode::poll) return {};
    if (busy) {
        empty_turns_ = 0;
        armed_ = false;
        pause_ = kFirstPause;
        return {};
    }
    if (empty_turns_ + 1 < kSpinTurns) {
        ++empty_turns_;
        return {};
    }
    if (!armed_) {
        armed_ = true;
        return {Step::Kind::arm, {}};
    }
    armed_ = false;
    if (every_queue_wakes_) return {Step::Kind::rest, kWokenPause};
    const Duration pause = pause_;
    pause_ = std::min(2 * pause_, kLastPause);
    return {Step::Kind::rest, pause};
}

Pause::Pause(RunMode mode, Doorbell& bell, std::vector<QueueWake> wakes, bool every_queue_wakes)
    : plan_{mode, every_queue_wakes}, bell_{&bell}, wakes_{std::move(wakes)}, watched_{{.fd = bell.descriptor(), .events = POLLIN, .revents = 0}} {
    for (const auto& wake : wakes_) watched_.push_back({.fd = wake.descriptor, .events = POLLIN, .revents = 0});
}

Duration Pause::after_turn(bool busy) {
    const auto step = plan_.after_turn(busy);
    if (step.kind == PausePlan::Step::Kind::arm) arm();
    if (step.kind == PausePlan::Step::Kind::go_on && armed_) disarm();
    return step.longest;
}

void Pause::arm() {
    bell_->announce_sleep();
    for (const auto& wake : wakes_)
        if (wake.needs_arming) rte_eth_dev_rx_intr_enable(wake.device, wake.queue);
    armed_ = true;
}

void Pause::disarm() {
    for (const auto& wake : wakes_)
        if (wake.needs_arming) rte_eth_dev_rx_intr_disable(wake.device, wake.queue);
    bell_->awake();
    armed_ = false;
}

void Pause::rest(Duration longest) {
    if (!precise_timer_) {
        // The kernel may otherwise add 50 microseconds to each pause, more than the short ones last.
        constexpr unsigned long kSlackNanoseconds = 1000;
        prctl(PR_SET_TIMERSLACK, kSlackNanoseconds, 0, 0, 0);
        precise_timer_ = true;
    }
    const auto seconds = std::chrono::floor<std::chrono::seconds>(longest);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (longest - seconds).count()};
    const int ready = ppoll(watched_.data(), watched_.size(), &timeout, nullptr);
    for (std::size_t i = 0; ready > 0 && i < wakes_.size(); ++i) settle(watched_[i + 1], wakes_[i]);
    disarm();
}

void Pause::settle(pollfd& watched, const QueueWake& wake) {
    if (watched.revents & POLLIN && wake.is_counter) {
        std::uint64_t count;
        if (read(wake.descriptor, &count, sizeof count) < 0) return;  // somebody else emptied it: nothing left to do
    }
    if (watched.revents & POLLERR) {
        // An interface that went down: the error stays, and would wake us at once for ever, until it is read.
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(wake.descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (watched.revents & (POLLHUP | POLLNVAL)) {
        // The device is gone. From now on the timer looks after its queue.
        watched.fd = -1;
        plan_.lose_a_wake();
    }
}

}  // namespace nave::dataplane
