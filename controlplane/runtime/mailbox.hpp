// What other threads hand to the control thread.
#pragma once

#include <cerrno>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace nave::runtime {

/// Any thread puts, the control thread takes.
template <class T>
class Mailbox {
public:
    /// Throws std::runtime_error, about `whose` results, when the system has no descriptor left.
    explicit Mailbox(const char* whose) {
        if (event_ < 0) throw std::runtime_error{std::string{"cannot make a descriptor for the results of "} + whose + ": " + std::strerror(errno)};
    }
    ~Mailbox() { close(event_); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    void put(T result) {
        const std::scoped_lock lock{mutex_};
        results_.push_back(std::move(result));
        eventfd_write(event_, 1);  // fails when the counter is full: then it is readable anyway
    }
    /// All that there is, the oldest first.
    std::vector<T> take() {
        const std::scoped_lock lock{mutex_};
        eventfd_t count;
        eventfd_read(event_, &count);  // fails when nothing came
        return std::exchange(results_, {});
    }
    /// Readable while there is something.
    int descriptor() const { return event_; }

private:
    int event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex mutex_;  // of the results
    std::vector<T> results_;
};

}  // namespace nave::runtime
