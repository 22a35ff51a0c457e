// Looks up the addresses of hubs' names without holding up the loop; the home of getaddrinfo.
#pragma once

#include "common/addresses.hpp"
#include "controlplane/runtime/mailbox.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace nave::runtime {

/// Called from the control thread. Each question has a thread of its own while it lasts, which is as long as the system's resolver is patient;
/// the overlay asks for one name once at a time, so there are as many at most as hubs with names.
class Resolver {
public:
    Resolver();

    struct Result {
        std::string name;
        /// All A and AAAA records, those of /etc/hosts included, the system's preference first (RFC 6724); or in words why there are none.
        std::expected<std::vector<NbmaAddress>, std::string> addresses;
    };
    /// Every name has a result. The questions go where the kernel's main table leads, never into a tunnel.
    void resolve(std::string name);
    /// Readable when there are results.
    int descriptor() const { return results_->descriptor(); }
    std::vector<Result> take() { return results_->take(); }

private:
    std::shared_ptr<Mailbox<Result>> results_;  // whose last owner may be a question that nobody waits for
};

}  // namespace nave::runtime
