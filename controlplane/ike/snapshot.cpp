// The operator's view of all associations.
#include "controlplane/ike/endpoint_impl.hpp"

#include <algorithm>

namespace nave::ike {
namespace {

std::string state_in_words(const Association& association) {
    const auto* established = association.in<Established>();
    if (!established) return std::string{name(association.state)};
    const bool rekeying = association.ike->doing<RekeyingChild>() || association.ike->doing<RekeyingIke>() || association.ike->pending ||
                          std::ranges::find(established->siblings, Sibling::Standing::successor, &Sibling::standing) != established->siblings.end();
    return rekeying ? "rekeying" : "established";
}

SaView::Child view_of(const ChildSa& child) {
    return {child.id, child.inbound, child.outbound, to_string(child.suite), child.mode, child.suite.esn, child.established_at, child.rekey_at, child.resource};
}

SaView view_of(const Association& association) {
    const IkeSa& ike = *association.ike;
    SaView view{.sa = association.id,
                .profile = association.profile,
                .state = state_in_words(association),
                .remote_identity = {},
                .local = association.local,
                .remote = association.remote,
                .initiator_spi = ike.initiator_spi,
                .responder_spi = ike.responder_spi,
                .initiator = association.initiator,
                .local_behind_nat = association.local_behind_nat,
                .remote_behind_nat = association.remote_behind_nat,
                .ike_proposal = ike.responder_spi == 0 ? std::string{} : to_string(ike.suite),
                .established_at = {},
                .rekey_at = {},
                .children = {}};
    const auto* established = association.in<Established>();
    if (!established) return view;
    view.remote_identity = established->peer;
    view.established_at = established->established_at;
    view.rekey_at = established->rekey_at;
    for (const ChildSa& child : established->children) view.children.push_back(view_of(child));
    return view;
}

}  // namespace

std::vector<SaView> Endpoint::snapshot() const {
    std::vector<SaView> views;
    views.reserve(impl_->table.all().size());
    for (const auto& [id, association] : impl_->table.all()) views.push_back(view_of(*association));
    std::ranges::sort(views, {}, &SaView::sa);
    return views;
}

}  // namespace nave::ike
