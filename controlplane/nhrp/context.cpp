// Making, authenticating and sending packets for all parts of a node.
#include "controlplane/nhrp/context.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::nhrp {
namespace {

constexpr std::uint8_t kHopCount = 64;
constexpr std::uint8_t kErrorHopCount = 255;  // as Cisco sends them
constexpr std::size_t kErrorQuoteMax = 576;
constexpr std::size_t kNamedMax = 100;  // characters of prefixes in a log line
constexpr std::size_t kErrorPadding = 16;  // IOS reports spurious errors about an indication that ends with the quoted packet

/// About errors there are no errors; a traffic indication is a hint that nobody waits for, and of no request that an error could end.
bool is_about_indication(ByteView bytes) {
    constexpr std::size_t type_offset = 17;
    return bytes.size() > type_offset && bytes[type_offset] >= static_cast<std::uint8_t>(PacketType::error_indication);
}

}  // namespace

Context::Context(Settings settings_, TunnelAddress own_, std::uint8_t subnet_length_, Random& random, const Directory& directory_)
    : settings{std::move(settings_)}, own{own_}, subnet_length{subnet_length_}, directory{directory_}, random_{random} {}

Packet Context::originate(PacketType type, PeerId peer, const IpAddress& destination) const {
    const NbmaAddress nbma = directory.local_nbma(peer);
    Packet packet;
    packet.families = {nbma.value.family(), own.value.family()};
    packet.hop_count = kHopCount;
    packet.type = type;
    packet.source_nbma = nbma;
    packet.source_protocol = own.value;
    packet.destination_protocol = destination;
    return packet;
}

ClientInfo Context::own_client(PeerId peer, Family nbma) const {
    ClientInfo info;
    info.holding_time = settings.holding_time;
    if (const NbmaAddress local = directory.local_nbma(peer); local.value.family() == nbma) info.nbma = local;
    info.protocol = own.value;
    return info;
}

void Context::add_request_extensions(Packet& packet) const {
    for (const std::uint16_t type : {extension_type::forward_transit, extension_type::reverse_transit, extension_type::responder_address})
        packet.extensions.push_back({.type = type, .compulsory = true, .value = {}});
}

void Context::authenticate(Packet& packet) const {
    auto* extension = find(packet.extensions, extension_type::authentication);
    if (!settings.authentication || packet.type == PacketType::error_indication) {
        std::erase_if(packet.extensions, [](const Extension& e) { return e.type == extension_type::authentication; });
        return;
    }
    if (!extension) extension = &packet.extensions.emplace_back(Extension{.type = extension_type::authentication, .compulsory = true, .value = {}});
    extension->value = encode_authentication(*settings.authentication);
}

bool Context::is_authentic(const Packet& packet) const {
    if (!settings.authentication) return true;
    const auto* extension = find(packet.extensions, extension_type::authentication);
    return extension && decode_authentication(extension->value) == *settings.authentication;
}

void Context::send(PeerId peer, Packet packet, Outbox& out) {
    authenticate(packet);
    Bytes bytes = encode(packet);
    if (bytes.size() > kPacketBytesMax) {
        counters.add(Counter::too_large);
        return;
    }
    counters.add(Counter::sent);
    out.push_back(Send{peer, std::move(bytes)});
}

void Context::send_error(PeerId peer, ByteView original, ErrorCode code, std::uint16_t offset, TimePoint now, Outbox& out) {
    if (is_about_indication(original)) return;
    const auto about = outline(original);
    if (!about || about->families.protocol != own.value.family()) return;
    if (!may_send_error(now)) {
        counters.add(Counter::errors_suppressed);
        return;
    }
    counters.add(Counter::errors_sent);
    Packet packet = originate(PacketType::error_indication, peer, about->source_protocol);
    packet.hop_count = kErrorHopCount;
    packet.error_code = static_cast<std::uint16_t>(code);
    packet.error_offset = offset;
    const auto quote = original.first(std::min(original.size(), kErrorQuoteMax));
    packet.quoted.assign(quote.begin(), quote.end());
    packet.quoted.resize(packet.quoted.size() + packet.quoted.size() % 2 + kErrorPadding);
    send(peer, std::move(packet), out);
}

bool Context::may_send_error(TimePoint now) {
    if (now - error_second_ >= std::chrono::seconds{1}) {
        error_second_ = now;
        errors_in_second_ = 0;
    }
    return errors_in_second_++ < settings.limits.errors_per_second;
}

void log(Outbox& out, Severity severity, std::string key, std::string text) {
    out.push_back(Log{severity, std::move(key), std::move(text)});
}

void refuse_to_believe(Context& context, const Received& received, Outbox& out) {
    const Packet& packet = received.packet;
    context.counters.add(Counter::not_permitted);
    std::string named;
    for (const auto& client : packet.clients) {
        const Prefix prefix = packet.type == PacketType::resolution_reply ? client.answers_for(packet.destination_protocol) : client.prefix(packet.source_protocol);
        named += (named.empty() ? "" : ", ") + prefix.to_string();
        if (named.size() > kNamedMax) break;
    }
    log(out, Severity::warning, fmt::format("not-permitted-{}", received.from.value),
        fmt::format("{} about {} from {} dropped: its sender may not speak for {}", name(packet.type), packet.destination_protocol.to_string(),
                    context.directory.observed_nbma(received.from).value.to_string(), named));
}

std::optional<NbmaAddress> nat_address(const Packet& packet, const IpAddress& protocol) {
    const auto clients = client_list(packet, extension_type::nat_address);
    if (!clients) return std::nullopt;
    for (const auto& client : *clients)
        if (client.nbma && client.protocol == protocol) return client.nbma;
    return std::nullopt;
}

std::optional<std::vector<ClientInfo>> client_list(const Packet& packet, std::uint16_t type) {
    const auto* extension = find(packet.extensions, type);
    if (!extension) return std::nullopt;
    return decode_client_list(extension->value, packet.families);
}

bool is_first_hop(const Packet& packet) {
    const auto type = is_reply(packet.type) ? extension_type::reverse_transit : extension_type::forward_transit;
    const auto* extension = find(packet.extensions, type);
    return extension && extension->value.empty();
}

}  // namespace nave::nhrp
