// Making and keeping one child SA pair for each resource of ours.
#include "controlplane/ike/resources.hpp"

#include "controlplane/ike/child_exchange.hpp"
#include "controlplane/ike/children.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Until then it is known whether a crossing attempt made a duplicate of the association.
constexpr Duration kInitiatorFirst = milliseconds{500}, kInitiatorLast = seconds{1};
/// The other end looks whether the initiator's were enough for its own resources.
constexpr Duration kResponderFirst = seconds{5}, kResponderLast = seconds{8};

}  // namespace

Notify resource_notify() { return {.type = NotifyType::sa_resource_info}; }

void note_resources(Context& context, Association& association, std::span<const Payload> auth) {
    auto* established = association.in<Established>();
    if (!established || context.settings.resources == 0 || !find_notify(auth, NotifyType::sa_resource_info)) return;
    const Duration pause = association.initiator ? context.between(kInitiatorFirst, kInitiatorLast) : context.between(kResponderFirst, kResponderLast);
    established->resources_at = context.now + pause;
}

void start_missing_resource(Context& context, Association& association, Established& established) {
    if (!established.resources_at || *established.resources_at > context.now || established.duplicate) return;
    const auto resource = free_resource(established, std::min(context.settings.resources, kResourcesMax));
    if (resource) return start_resource_child(context, association, *resource);
    established.resources_at = context.now + context.between(kResponderFirst, kResponderLast);
}

void on_resource_refused(Context& context, Association& association, const Notify& error) {
    auto& established = *association.in<Established>();
    if (error.type == NotifyType::temporary_failure || error.type == NotifyType::state_not_found) {
        established.resources_at = context.now + retry_pause(context, error.type);
        return;
    }
    established.resources_at.reset();
    context.log(Severity::info, fmt::format("child {}: the peer wants no further child SA for a single worker ({}): its traffic shares what there is", describe(association),
                                            to_string(error.type)));
}

std::optional<ResourceId> free_resource(const Established& established, std::size_t limit) {
    for (std::uint8_t i = 0; i < limit; ++i) {
        const auto is_its = [&](const ChildSa& child) { return child.resource == ResourceId{i} && child.is_live(); };
        if (std::ranges::none_of(established.children, is_its)) return ResourceId{i};
    }
    return std::nullopt;
}

void confirm_resources(Context& context, Association& association) {
    auto* established = association.in<Established>();
    if (!established) return;
    for (ChildSa& child : established->children) {
        const auto replaces = [&](const ChildSa& other) {
            const auto* replaced = std::get_if<Replaced>(&other.state);
            return replaced && replaced->by == child.id;
        };
        if (child.resource && child.is<Fresh>() && std::ranges::none_of(established->children, replaces)) use_outbound(context, association, child);
    }
}

}  // namespace nave::ike
