// Replies and their extensions (RFC 2332 §5.3; order and contents as FRR and Cisco send them).
#include "controlplane/nhrp/replies.hpp"

#include <fmt/format.h>

namespace nave::nhrp {
namespace {

constexpr std::uint8_t kReplyHopCount = 64;

/// Whether an extension that we understand holds what its type promises.
bool is_well_formed(const Extension& extension, Families families) {
    if (extension.type == extension_type::authentication) return decode_authentication(extension.value).has_value();
    return decode_client_list(extension.value, families).has_value();
}

}  // namespace

bool extensions_are_acceptable(Context& context, const Received& received, TimePoint now, Outbox& out) {
    for (const auto& extension : received.packet.extensions) {
        const bool understood = is_understood(extension.type);
        if (understood ? is_well_formed(extension, received.packet.families) : !extension.compulsory) continue;
        context.counters.add(understood ? Counter::malformed : Counter::unknown_extension);
        log(out, Severity::notice, fmt::format("extension-{}", received.from.value),
            fmt::format("{} from {}: extension {} is {}", name(received.packet.type), received.packet.source_protocol.to_string(), extension.type,
                        understood ? "malformed" : "compulsory and unknown"));
        context.send_error(received.from, received.bytes, understood ? ErrorCode::invalid_extension : ErrorCode::unrecognized_extension,
                           extension.offset, now, out);
        return false;
    }
    return true;
}

Packet make_reply(const Context& context, const Received& request, PacketType type, const IpAddress& destination) {
    Packet reply;
    reply.families = request.packet.families;
    reply.hop_count = kReplyHopCount;
    reply.type = type;
    reply.source_nbma = request.packet.source_nbma;
    reply.source_protocol = request.packet.source_protocol;
    reply.destination_protocol = destination;
    reply.request_id = request.packet.request_id;
    for (Extension extension : request.packet.extensions) {
        if (extension.type == extension_type::responder_address) extension.value = encode_client_list({context.own_client(request.from, reply.families.nbma)});
        reply.extensions.push_back(std::move(extension));
    }
    return reply;
}

void add_nat_entry(Packet& packet, NbmaAddress nbma, const IpAddress& protocol, std::uint8_t prefix_length) {
    auto* extension = find(packet.extensions, extension_type::nat_address);
    if (!extension || nbma.value.family() != packet.families.nbma) return;
    ClientInfo info;
    info.prefix_length = prefix_length;
    info.nbma = nbma;
    info.protocol = protocol;
    const Bytes entry = encode_client_list({info});
    extension->value.insert(extension->value.end(), entry.begin(), entry.end());
}

}  // namespace nave::nhrp
