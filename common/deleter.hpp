// Objects of C libraries that free themselves.
#pragma once

namespace nave {

/// For std::unique_ptr: calls the library's own function.
template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};

}  // namespace nave
