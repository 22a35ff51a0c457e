// The egress's side of resolution: answers requests for what is local to us (RFC 2332 §5.2.1).
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/purger.hpp"
#include "controlplane/nhrp/registrar.hpp"

namespace nave::nhrp {

class Responder {
public:
    Responder(Context& context, Purger& purger, const Registrar& registrar) : context_{context}, purger_{purger}, registrar_{registrar} {}

    /// Answers a Resolution Request that needs to go no further, by yes or by a code; the reply goes back the way it came. True: by yes, and
    /// the requester is who it says.
    bool on_request(const Received& received, TimePoint now, Outbox& out);

private:
    struct Verdict {
        CieCode code;
        Prefix prefix;
    };
    Verdict verdict(const Received& received) const;
    /// Where a hub saw the requester, if we are behind a NAT too.
    std::optional<NbmaEndpoint> rendezvous_of(const Received& received) const;
    void announce_requester(const Received& received, const Prefix& prefix, const std::optional<NbmaEndpoint>& rendezvous, Outbox& out) const;

    Context& context_;
    Purger& purger_;
    const Registrar& registrar_;
};

}  // namespace nave::nhrp
