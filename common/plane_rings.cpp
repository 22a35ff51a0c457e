// Doorbells on eventfd.
#include "common/plane_rings.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>

namespace nave {

Doorbell::Doorbell() : descriptor_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
    if (descriptor_ < 0) throw std::runtime_error{std::string{"cannot make an eventfd: "} + std::strerror(errno)};
}

Doorbell::~Doorbell() { close(descriptor_); }

void Doorbell::awake() {
    asleep_.store(false, std::memory_order_relaxed);
    eventfd_t ignored;
    eventfd_read(descriptor_, &ignored);
}

void Doorbell::ring() {
    // Orders the push before the look at the flag; pairs with announce_sleep() before the look at the rings.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // A look first: who is awake keeps the line.
    if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false, std::memory_order_seq_cst)) eventfd_write(descriptor_, 1);
}

}  // namespace nave
