// A large array that costs memory only where it is used: address space is reserved at once, pages come with the first write.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <sys/mman.h>

namespace nave::dataplane {

/// A fixed number of elements, in huge pages where the kernel has them (transparent huge pages on `madvise` or `always`), so
/// that an element costs a cache miss and not a page walk as well. All-zero bytes must be an empty T. Elements are never
/// destroyed: the memory goes back to the kernel, which wipes it; until then it is kept out of core dumps.
template <class T>
class LazyArray {
public:
    /// Throws std::runtime_error when the address space cannot be had. Any thread.
    explicit LazyArray(std::size_t size) : size_{size} {
        if (size == 0) return;
        void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error{"no address space for the dataplane's tables: raise the limit on virtual memory (ulimit -v)"};
        // Both are wishes: without them the array works as well.
        madvise(memory, bytes(), MADV_HUGEPAGE);
        madvise(memory, bytes(), MADV_DONTDUMP);
        elements_ = static_cast<T*>(memory);
    }
    ~LazyArray() {
        if (elements_) munmap(elements_, bytes());
    }
    LazyArray(const LazyArray&) = delete;
    LazyArray& operator=(const LazyArray&) = delete;

    std::size_t size() const { return size_; }
    /// Callers checked the index.
    T& operator[](std::size_t index) { return elements_[index]; }
    const T& operator[](std::size_t index) const { return elements_[index]; }

private:
    std::size_t bytes() const { return size_ * sizeof(T); }
    std::size_t size_;
    T* elements_ = nullptr;
};

}  // namespace nave::dataplane
