// REDIRECT as the initiator meets it, and as the responder sends it.
#include "controlplane/ike/redirect.hpp"

#include "common/headers.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>

namespace nave::ike {
namespace {

constexpr int kRedirectsMax = 5;  // RFC 5685 §3: MAX_REDIRECTS, of one attempt

enum class GatewayType : std::uint8_t { ipv4 = 1, ipv6 = 2, fqdn = 3 };

struct Redirection {
    std::optional<IpAddress> gateway;  // nothing for a name, which nobody here can look up
    Bytes nonce;
};

/// RFC 5685 §9.2: type and length of the gateway's identity, the identity, the nonce of our request.
std::optional<Redirection> decode_redirection(const Notify& notify) {
    ByteReader in{notify.data};
    const auto type = GatewayType{in.u8()};
    const ByteView gateway = in.take(in.u8());
    const ByteView nonce = in.take_rest();
    if (in.failed()) return std::nullopt;
    const bool is_address = type == GatewayType::ipv4 || type == GatewayType::ipv6;
    const auto address = is_address ? IpAddress::from_bytes(gateway) : std::nullopt;
    if (is_address && (!address || address->is_v4() != (type == GatewayType::ipv4))) return std::nullopt;
    return Redirection{address, Bytes{nonce.begin(), nonce.end()}};
}

Bytes encode_gateway(const IpAddress& address) {
    const auto bytes = address.bytes();
    Bytes data{static_cast<std::uint8_t>(address.is_v4() ? GatewayType::ipv4 : GatewayType::ipv6), static_cast<std::uint8_t>(bytes.size())};
    data.insert(data.end(), bytes.begin(), bytes.end());
    return data;
}

/// The same attempt, as if for the first time, at another gateway.
void begin_elsewhere(Context& context, Association& association, const NbmaEndpoint& gateway, int redirects, std::optional<NbmaAddress> from, std::string_view reason) {
    const Group group = association.in<AwaitingInitResponse>()->key.group();
    context.table.end_attempt(association);
    context.table.forget_spi(association.ike->initiator_spi);
    association.ike = std::make_unique<IkeSa>();
    association.remote = gateway;
    begin_init(context, association,
               {.key = DhKeyPair::generate(group, context.random), .nonce = fresh_nonce(context.random), .redirects = redirects, .redirected_from = from}, reason);
}

void follow_redirect(Context& context, Association& association, const IpAddress& gateway) {
    const NbmaAddress from = association.remote.address;
    context.count("redirects-followed");
    begin_elsewhere(context, association, {NbmaAddress{gateway}, kUdpPortIke}, association.in<AwaitingInitResponse>()->redirects + 1, from,
                    fmt::format("redirected from {}", from.value.to_string()));
}

}  // namespace

void append_redirect_notifies(std::vector<Payload>& payloads, const Association& association) {
    const auto& awaiting = *association.in<AwaitingInitResponse>();
    const auto& from = awaiting.redirected_from;
    const bool is_back = awaiting.redirects > 0 && !from;  // who sent us away takes us if it hears that we cannot be sent
    if (association.requests.front().redirects.empty() || is_back) return;
    if (from) payloads.emplace_back(Notify{.type = NotifyType::redirected_from, .data = encode_gateway(from->value)});
    else payloads.emplace_back(Notify{.type = NotifyType::redirect_supported});
}

void on_redirect(Context& context, Association& association, const Notify& notify) {
    const auto& awaiting = *association.in<AwaitingInitResponse>();
    const auto redirection = decode_redirection(notify);
    if (!redirection || redirection->nonce != awaiting.nonce) return context.count("bad-redirects");  // §5: only who saw our request knows the nonce
    const auto& allowed = association.requests.front().redirects;
    const bool is_itself = redirection->gateway == association.remote.address.value;
    const bool is_allowed = redirection->gateway && !is_itself &&
                            std::ranges::any_of(allowed, [&](const Prefix& prefix) { return prefix.contains(*redirection->gateway); });
    if (is_allowed && awaiting.redirects < kRedirectsMax) return follow_redirect(context, association, *redirection->gateway);
    context.count("redirects-refused");
    note_refusal(context, association, DownReason::refused_by_peer,
                 fmt::format("the peer redirects us to {}, {}", redirection->gateway ? redirection->gateway->to_string() : "a name",
                             is_itself    ? "which is itself: look at its ike.redirect_to"
                             : is_allowed ? "and we have been redirected too often"
                                          : "which the configuration does not allow"));
}

bool return_from_redirect(Context& context, Association& association) {
    const auto& awaiting = *association.in<AwaitingInitResponse>();
    if (!awaiting.redirected_from) return false;
    const NbmaEndpoint first = association.requests.front().remote;
    context.count("redirects-in-vain");
    context.log(Severity::notice, fmt::format("ike {}: does not answer, so we go back to {}, which redirected us", describe(association), first.address.value.to_string()));
    begin_elsewhere(context, association, first, kRedirectsMax, std::nullopt, "back from a redirect in vain");
    return true;
}

bool shares_load(const Context& context) {
    return !context.settings.redirect_to.empty() && context.table.established().total() >= context.settings.redirect_from_established;
}

bool send_elsewhere(Context& context, const Arrival& arrival, ByteView nonce, std::span<const Payload> request) {
    if (!shares_load(context)) return false;
    const Notify* from = find_notify(request, NotifyType::redirected_from);
    if (!from && !find_notify(request, NotifyType::redirect_supported)) return false;
    std::vector<Bytes> gateways;
    for (const NbmaAddress& each : context.settings.redirect_to)
        if (Bytes gateway = encode_gateway(each.value);
            each.value.family() == arrival.remote.address.value.family() && each != arrival.local.address && !(from && from->data == gateway))
            gateways.push_back(std::move(gateway));
    if (gateways.empty()) return false;
    Bytes data = std::move(gateways[context.random.below(static_cast<std::uint32_t>(gateways.size()))]);
    data.insert(data.end(), nonce.begin(), nonce.end());
    context.count("redirects-sent");
    context.log_stranger(Severity::info, fmt::format("ike {}: sent to another hub, as {} IKE SAs are up", arrival.remote.to_string(), context.table.established().total()));
    send_stateless(context, arrival, {.type = NotifyType::redirect, .data = std::move(data)});
    return true;
}

}  // namespace nave::ike
