// ipsec-mb, a copy of the library for each worker.
#pragma once

#include <intel-ipsec-mb.h>
#include <memory>

namespace nave::dataplane {

/// A manager of ipsec-mb in a copy of the library that no other IpsecMb uses while this one lives. Every call of ipsec-mb writes a
/// variable of the library (imb_errno); workers that shared it would pass its cache line around once for each packet, and together
/// carry no more than one or two of them can. Made from any thread; then for one thread.
class IpsecMb {
public:
    /// Throws std::runtime_error when the library is not installed or cannot run on this processor.
    IpsecMb();
    ~IpsecMb();
    IpsecMb(const IpsecMb&) = delete;
    IpsecMb& operator=(const IpsecMb&) = delete;

    IMB_MGR& manager() const { return *manager_; }

private:
    struct Library;
    Library* library_;
    IMB_MGR* manager_;
};

}  // namespace nave::dataplane
