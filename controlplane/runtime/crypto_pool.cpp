// Threads, a queue to them, and an event back.
#include "controlplane/runtime/crypto_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace nave::runtime {
namespace {

constexpr int kThreadsMax = 4, kNiceness = 5;

int threads_wanted() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    const int cpus = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return std::clamp(cpus - 1, 1, kThreadsMax);
}

}  // namespace

CryptoPool::CryptoPool() : done_event_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (done_event_ < 0) throw std::runtime_error{std::string{"cannot make an event for the crypto pool: "} + std::strerror(errno)};
    for (int i = threads_wanted(); i > 0; --i) threads_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
}

CryptoPool::~CryptoPool() {
    threads_.clear();
    close(done_event_);
}

void CryptoPool::submit(ike::Compute job) {
    const std::lock_guard lock{mutex_};
    (job.urgent ? urgent_ : others_).push_back(std::move(job));
    wanted_.notify_one();
}

std::vector<ike::Compute> CryptoPool::take_done() {
    const std::lock_guard lock{mutex_};
    eventfd_t count;
    eventfd_read(done_event_, &count);
    return std::exchange(done_, {});
}

void CryptoPool::work(std::stop_token stop) {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
    std::unique_lock lock{mutex_};
    while (wanted_.wait(lock, stop, [this] { return !urgent_.empty() || !others_.empty(); }) && !stop.stop_requested()) {
        auto& jobs = urgent_.empty() ? others_ : urgent_;
        ike::Compute job = std::move(jobs.front());
        jobs.pop_front();
        lock.unlock();
        ike::compute(job.work);
        lock.lock();
        done_.push_back(std::move(job));
        eventfd_write(done_event_, 1);
    }
}

}  // namespace nave::runtime
