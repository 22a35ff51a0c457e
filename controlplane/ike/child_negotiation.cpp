// Offers, choices and checks for child SAs.
#include "controlplane/ike/child_negotiation.hpp"

#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nave::ike {
namespace {

constexpr std::uint8_t kGre = 47;
constexpr std::uint32_t kLowestSpi = 256;  // RFC 4303 §2.1 reserves 1 to 255

std::unexpected<Refusal> refuse(NotifyType type, std::string reason, Bytes data = {}) {
    return std::unexpected{Refusal{type, std::move(reason), std::move(data)}};
}

/// Selectors as the other end wrote them, with the address that we see in place of one that a NAT hides.
std::vector<TrafficSelector> substituted(std::span<const TrafficSelector> selectors, bool behind_nat, const IpAddress& seen) {
    std::vector<TrafficSelector> result{selectors.begin(), selectors.end()};
    if (!behind_nat) return result;
    for (TrafficSelector& selector : result)
        if (selector.is_host()) selector = selector.moved_to(seen);
    return result;
}

std::string in_words(std::span<const TrafficSelector> selectors) {
    std::vector<std::string> texts;
    for (const TrafficSelector& selector : selectors) texts.push_back(selector.to_string());
    return fmt::format("{}", fmt::join(texts, " "));
}

EspMode mode_of(std::span<const Payload> payloads) {
    return find_notify(payloads, NotifyType::use_transport_mode) ? EspMode::transport : EspMode::tunnel;
}

struct Ends {
    TrafficSelector initiator, responder;  // GRE of the two underlay addresses, by the roles of the exchange
    bool initiator_hidden, responder_hidden;
};
/// `role`: ours in the exchange.
Ends ends_of(const Association& association, Role role) {
    const auto local = TrafficSelector::host(association.local.address.value, kGre);
    const auto remote = TrafficSelector::host(association.remote.address.value, kGre);
    if (role == Role::initiator) return {local, remote, association.local_behind_nat, association.remote_behind_nat};
    return {remote, local, association.remote_behind_nat, association.local_behind_nat};
}

}  // namespace

void append_child_offer(std::vector<Payload>& payloads, const Association& association, const Profile& profile, Spi inbound, ChildExchange exchange) {
    const Ends ends = ends_of(association, Role::initiator);
    payloads.emplace_back(offer_esp(profile.esp_proposals, inbound, exchange));
    payloads.emplace_back(TrafficSelectors{Role::initiator, {ends.initiator}});
    payloads.emplace_back(TrafficSelectors{Role::responder, {ends.responder}});
    payloads.emplace_back(Notify{.type = NotifyType::use_transport_mode});
    if (exchange == ChildExchange::ike_auth) payloads.emplace_back(resource_notify());
}

std::expected<ChildTerms, Refusal> choose_child(const Association& association, const Profile& profile, std::span<const Payload> offer, ChildExchange exchange) {
    const auto* sa = find<SaPayload>(offer);
    const auto* initiator = find<TrafficSelectors>(offer, Role::initiator);
    const auto* responder = find<TrafficSelectors>(offer, Role::responder);
    if (!sa || !initiator || !responder) return refuse(NotifyType::invalid_syntax, "the peer's request for a child SA lacks SA, TSi or TSr");

    const auto* key_exchange = find<KeyExchange>(offer);
    const auto sent_group = key_exchange ? std::optional{key_exchange->group} : std::nullopt;
    const auto choice = choose_esp(*sa, profile.esp_proposals, sent_group, exchange);
    if (!choice)
        return refuse(NotifyType::no_proposal_chosen, fmt::format("peer offered {}; we accept {}", describe_offer(*sa), describe_suites(profile.esp_proposals)));
    if (choice->spi.value < kLowestSpi) return refuse(NotifyType::no_proposal_chosen, fmt::format("the peer's SPI {} is a reserved number", choice->spi.value));
    if (choice->suite.group && choice->suite.group != sent_group)
        return refuse(NotifyType::invalid_ke_payload, "the peer's key exchange is not of the group that both know", group_data(*choice->suite.group));

    const EspMode mode = mode_of(offer);
    if (mode == EspMode::tunnel && !profile.accept_tunnel_mode)
        return refuse(NotifyType::no_proposal_chosen, "the peer asks for tunnel mode, and accept_tunnel_mode is off in this profile");

    const Ends ends = ends_of(association, Role::responder);
    const auto narrowed_initiator = narrow(substituted(initiator->selectors, ends.initiator_hidden, ends.initiator.first), ends.initiator);
    const auto narrowed_responder = narrow(substituted(responder->selectors, ends.responder_hidden, ends.responder.first), ends.responder);
    if (!narrowed_initiator || !narrowed_responder)
        return refuse(NotifyType::ts_unacceptable, fmt::format("peer wants to protect {} - {}; we protect GRE between {} and {}", in_words(initiator->selectors),
                                                               in_words(responder->selectors), ends.initiator.to_string(), ends.responder.to_string()));
    return ChildTerms{*choice, mode, *narrowed_initiator, *narrowed_responder};
}

void append_child_answer(std::vector<Payload>& payloads, const ChildTerms& terms, Spi inbound) {
    payloads.emplace_back(answer_esp(terms.choice, inbound));
    payloads.emplace_back(TrafficSelectors{Role::initiator, {terms.initiator}});
    payloads.emplace_back(TrafficSelectors{Role::responder, {terms.responder}});
    if (terms.mode == EspMode::transport) payloads.emplace_back(Notify{.type = NotifyType::use_transport_mode});
}

std::expected<ChildTerms, Refusal> accept_child(const Association& association, const Profile& profile, std::span<const Payload> answer, ChildExchange exchange) {
    const auto* sa = find<SaPayload>(answer);
    const auto* initiator = find<TrafficSelectors>(answer, Role::initiator);
    const auto* responder = find<TrafficSelectors>(answer, Role::responder);
    if (!sa || !initiator || !responder) return refuse(NotifyType::invalid_syntax, "the peer's answer lacks SA, TSi or TSr");
    const auto choice = accept_esp(*sa, profile.esp_proposals, exchange);
    if (!choice || choice->spi.value < kLowestSpi)
        return refuse(NotifyType::no_proposal_chosen, fmt::format("peer chose {}, which we did not offer", describe_offer(*sa)));

    const EspMode mode = mode_of(answer);
    if (mode == EspMode::tunnel && !profile.accept_tunnel_mode)
        return refuse(NotifyType::no_proposal_chosen, "peer insists on tunnel mode, and accept_tunnel_mode is off in this profile");

    const Ends ends = ends_of(association, Role::initiator);
    const bool hidden = ends.initiator_hidden || ends.responder_hidden;
    const auto theirs_initiator = substituted(initiator->selectors, hidden, ends.initiator.first);
    const auto theirs_responder = substituted(responder->selectors, hidden, ends.responder.first);
    const auto within = [](std::span<const TrafficSelector> selectors, const TrafficSelector& offered) {
        return selectors.size() == 1 && offered.contains(selectors.front());
    };
    if (!within(theirs_initiator, ends.initiator) || !within(theirs_responder, ends.responder))
        return refuse(NotifyType::ts_unacceptable, fmt::format("peer answered with {} - {}, which we did not offer", in_words(initiator->selectors),
                                                               in_words(responder->selectors)));
    return ChildTerms{*choice, mode, theirs_initiator.front(), theirs_responder.front()};
}

std::optional<Group> pfs_group(const Profile& profile) {
    const auto found = std::ranges::find_if(profile.esp_proposals, [](const EspProposal& suite) { return suite.group.has_value(); });
    return found == profile.esp_proposals.end() ? std::nullopt : found->group;
}

Bytes group_data(Group group) {
    ByteWriter out;
    out.u16(static_cast<std::uint16_t>(group));
    return out.take();
}

std::optional<Group> group_from(const Notify& invalid_ke) {
    ByteReader in{invalid_ke.data};
    const auto group = static_cast<Group>(in.u16());
    if (in.failed() || !is_supported(group)) return std::nullopt;
    return group;
}

}  // namespace nave::ike
