// What comes in: decoded, authenticated, and handed to the part that it is for, or forwarded.
#pragma once

#include "controlplane/nhrp/bindings.hpp"
#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/introductions.hpp"
#include "controlplane/nhrp/purger.hpp"
#include "controlplane/nhrp/registrar.hpp"
#include "controlplane/nhrp/resolver.hpp"
#include "controlplane/nhrp/responder.hpp"
#include "controlplane/nhrp/transit.hpp"
#include "controlplane/nhrp/vouchers.hpp"

namespace nave::nhrp {

class Receiver {
public:
    struct Parts {
        Context& context;
        Purger& purger;
        Bindings& bindings;
        HubBindings& of_hubs;
        Registrar& registrar;
        Resolver& resolver;
        Responder& responder;
        Transit& transit;
        Vouchers& vouchers;
        Introductions& introductions;
    };
    explicit Receiver(const Parts& parts) : parts_{parts} {}

    void on_packet(PeerId from, ByteView bytes, TimePoint now, Outbox& out);

private:
    std::optional<Packet> admit(PeerId from, ByteView bytes, TimePoint now, Outbox& out);
    bool is_for_us(const Packet& packet, const Route& route) const;
    void on_local(const Received& received, TimePoint now, Outbox& out);
    void on_resolution_request(const Received& received, TimePoint now, Outbox& out);
    void on_registration_request(const Received& received, TimePoint now, Outbox& out);
    void on_resolution_reply(const Received& received, TimePoint now, Outbox& out);
    void on_purge_request(const Received& received, TimePoint now, Outbox& out);
    void on_error_indication(const Received& received, TimePoint now, Outbox& out);
    void on_traffic_indication(const Received& received, TimePoint now, Outbox& out);
    void on_nowhere(const Received& received, TimePoint now, Outbox& out);

    Parts parts_;
};

}  // namespace nave::nhrp
