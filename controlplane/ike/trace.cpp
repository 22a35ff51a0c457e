// Only where the settings ask for it.
#include "controlplane/ike/trace.hpp"

namespace nave::ike {
namespace {

constexpr std::size_t kFirstPayloadOffset = 16, kLengthOffset = 24;  // in the header (RFC 7296 §3.1)

bool is_protected(ByteView message) {
    const PayloadType first{message[kFirstPayloadOffset]};
    return first == PayloadType::encrypted || first == PayloadType::encrypted_fragment;
}

}  // namespace

void trace_sealed(Context& context, const NbmaEndpoint& local, const NbmaEndpoint& remote, const Header& header, std::span<const Payload> inner) {
    if (context.settings.key_log) context.out.push_back(Trace{local, remote, encode_message(header, inner)});
}

void trace_opened(Context& context, const Arrival& arrival, const Inside& inside) {
    if (!context.settings.key_log || !context.computed.empty()) return;  // told when it was handled first
    ByteWriter out;
    encode_header(arrival.header, inside.first, out);
    out.bytes(inside.chain);
    out.patch_u32(kLengthOffset, static_cast<std::uint32_t>(out.size()));
    context.out.push_back(Trace{arrival.remote, arrival.local, out.take()});
}

void trace_plain(Context& context, const NbmaEndpoint& source, const NbmaEndpoint& destination, ByteView message) {
    if (context.settings.key_log && !is_protected(message)) context.out.push_back(Trace{source, destination, Bytes{message.begin(), message.end()}});
}

}  // namespace nave::ike
