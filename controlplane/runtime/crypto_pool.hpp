// The crypto pool: threads that do IKE's costly operations, so that a storm of handshakes delays nothing else of the control thread.
#pragma once

#include "controlplane/ike/endpoint.hpp"
#include "controlplane/runtime/mailbox.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace nave::runtime {

/// All members are the control thread's. Jobs of peers that are up go before others, and among their likes in the order in which they came; several
/// threads may finish them in another one.
class CryptoPool {
public:
    /// One thread for each CPU that the caller may use besides its own, 1 to 4; the system prefers the caller to them. Throws std::runtime_error
    /// when the system has no descriptor left.
    CryptoPool();
    CryptoPool(const CryptoPool&) = delete;
    CryptoPool& operator=(const CryptoPool&) = delete;

    void submit(ike::Compute job);
    /// Those that are done; `descriptor` is readable while there are any.
    std::vector<ike::Compute> take_done() { return done_.take(); }
    int descriptor() const { return done_.descriptor(); }

private:
    void work(std::stop_token stop);

    Mailbox<ike::Compute> done_{"the crypto pool"};
    std::mutex mutex_;  // of the jobs that wait
    std::condition_variable_any wanted_;
    std::deque<ike::Compute> urgent_, others_;
    std::vector<std::jthread> threads_;  // last: they end before anything that they use
};

}  // namespace nave::runtime
