// Threads, a queue to them, and an event back.
#include "controlplane/runtime/crypto_pool.hpp"

#include <algorithm>
#include <sched.h>
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

CryptoPool::CryptoPool() {
    for (int i = threads_wanted(); i > 0; --i) threads_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
}

void CryptoPool::submit(ike::Compute job) {
    const std::lock_guard lock{mutex_};
    (job.urgent ? urgent_ : others_).push_back(std::move(job));
    wanted_.notify_one();
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
        done_.put(std::move(job));
        lock.lock();
    }
}

}  // namespace nave::runtime
