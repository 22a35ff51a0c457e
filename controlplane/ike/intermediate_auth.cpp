// The digests of IKE_INTERMEDIATE messages.
#include "controlplane/ike/intermediate_auth.hpp"

#include "controlplane/ike/crypto.hpp"

namespace nave::ike {
namespace {

constexpr std::size_t kMessageLengthOffset = 24, kGenericSize = 4;

}  // namespace

Bytes protected_head(const Header& header, PayloadType first) {
    ByteWriter out;
    encode_header(header, PayloadType::encrypted, out);
    out.u8(static_cast<std::uint8_t>(first));
    out.u8(0);
    out.u16(0);
    return out.take();
}

void IntermediateAuth::add(Role sender, const SessionKeys& keys, ByteView head, ByteView chain) {
    ByteWriter adjusted;  // neither length counts the IV, the padding and the checksum
    adjusted.bytes(head);
    adjusted.patch_u32(kMessageLengthOffset, static_cast<std::uint32_t>(head.size() + chain.size()));
    adjusted.patch_u16(head.size() - 2, static_cast<std::uint16_t>(kGenericSize + chain.size()));
    Bytes& digest = sender == Role::initiator ? initiator_ : responder_;
    const Secret next = prf(keys.prf, keys.auth_of(sender).view(), {digest, adjusted.view(), chain});
    digest.assign(next.view().begin(), next.view().end());
}

Bytes IntermediateAuth::octets(std::uint32_t auth_message_id) const {
    if (initiator_.empty()) return {};
    ByteWriter out;
    out.bytes(initiator_);
    out.bytes(responder_);
    out.u32(auth_message_id);
    return out.take();
}

}  // namespace nave::ike
