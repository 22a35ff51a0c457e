// What AUTH covers of the IKE_INTERMEDIATE exchanges, which nobody has signed when they are made (RFC 9242 §3.3.2).
#pragma once

#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/message.hpp"

#include <cstdint>

namespace nave::ike {

/// The header and SK's generic header of a message, as far as IntAuth_A takes them; the lengths are filled in by IntermediateAuth.
Bytes protected_head(const Header& header, PayloadType first);

/// A chain of digests for each end. A value: whoever tries another answer to IKE_SA_INIT begins a new one.
class IntermediateAuth {
public:
    /// The next message of that end, as if it was in one piece: IntAuth_n = prf(SK_p(n), IntAuth_n-1 | A | P). `head` is everything in front
    /// of the IV, `chain` the inner payloads; `keys` are those that protect the message.
    void add(Role sender, const SessionKeys& keys, ByteView head, ByteView chain);
    /// IntAuth = IntAuth_iN | IntAuth_rN | IKE_AUTH_MID; empty when nothing was added.
    Bytes octets(std::uint32_t auth_message_id) const;

private:
    Bytes initiator_{}, responder_{};
};

}  // namespace nave::ike
