// Names of states and lookups within one association.
#include "controlplane/ike/association.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

struct Name {
    std::string_view operator()(const AwaitingInitResponse&) const { return "init-sent"; }
    std::string_view operator()(const AwaitingAuthResponse& awaiting) const { return awaiting.exchanges_left > 0 ? "intermediate-sent" : "auth-sent"; }
    std::string_view operator()(const AwaitingResumeResponse&) const { return "resume-sent"; }
    std::string_view operator()(const AwaitingResumedAuth&) const { return "auth-sent"; }
    std::string_view operator()(const AwaitingAuthRequest&) const { return "half-open"; }
    std::string_view operator()(const Established&) const { return "established"; }
    std::string_view operator()(const Closing&) const { return "closing"; }
    std::string_view operator()(const Lingering&) const { return "over"; }
    std::string_view operator()(const Gone&) const { return "none"; }
};

template <class Predicate>
ChildSa* find_child(Established& established, Predicate predicate) {
    const auto found = std::ranges::find_if(established.children, predicate);
    return found == established.children.end() ? nullptr : &*found;
}

}  // namespace

std::string_view name(const State& state) { return std::visit(Name{}, state); }

Sibling* successor_of(Established& established) {
    const auto found = std::ranges::find(established.siblings, Sibling::Standing::successor, &Sibling::standing);
    return found == established.siblings.end() ? nullptr : &*found;
}

ChildSa* child_by_id(Established& established, ChildId id) {
    return find_child(established, [&](const ChildSa& child) { return child.id == id; });
}

ChildSa* child_by_inbound(Established& established, Spi spi) {
    return find_child(established, [&](const ChildSa& child) { return child.inbound == spi; });
}

ChildSa* child_by_outbound(Established& established, Spi spi) {
    return find_child(established, [&](const ChildSa& child) { return child.outbound == spi; });
}

std::string describe(const Association& association) {
    const auto* established = association.in<Established>();
    const std::string place = association.remote.to_string();
    return established ? fmt::format("{} at {}", established->peer.to_string(), place) : place;
}

}  // namespace nave::ike
