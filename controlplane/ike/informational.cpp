// Deletions that come, go and cross.
#include "controlplane/ike/informational.hpp"

#include "controlplane/ike/children.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/follow_up.hpp"
#include "controlplane/ike/ike_rekey.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/resumption.hpp"

#include <algorithm>

namespace nave::ike {
namespace {

bool deletes_ike(const std::vector<Payload>& payloads) {
    return std::ranges::any_of(payloads, [](const Payload& payload) {
        const auto* deletion = std::get_if<DeletePayload>(&payload);
        return deletion && deletion->protocol == Protocol::ike;
    });
}

void end_by_peer(Context& context, Association& association, bool rejected) {
    if (rejected)
        return end(context, association, DownReason::authentication_failed, "the peer rejects our authentication: compare identity and pre-shared key on both ends",
                   Ending::answered);
    if (association.in<Established>()->duplicate)
        return end(context, association, DownReason::replaced_duplicate, "another association with the same peer survives", Ending::answered);
    end(context, association, DownReason::deleted_by_peer, "the peer sent DELETE", Ending::answered);
}

/// The DELETE is answered. What it ends depends on which of the association's IKE SAs it came on.
void on_ike_deleted(Context& context, Association& association, const IkeSa& ike, bool rejected) {
    auto& established = *association.in<Established>();
    Sibling* successor = successor_of(established);
    if (&ike == association.ike.get()) {
        if (!successor || rejected) return end_by_peer(context, association, rejected);
        // The peer completed its rekey: it holds the successor.
        promote_successor(context, association);
    } else if (successor && successor->ike.get() == &ike && !association.ike->doing<RekeyingIke>()) {
        promote_successor(context, association);
        return end_by_peer(context, association, rejected);
    }
    for (Sibling& sibling : established.siblings) {
        if (sibling.ike.get() != &ike) continue;
        sibling.standing = Sibling::Standing::retired;
        sibling.ike->outstanding.reset();
        discard(context, sibling.ike->purpose);
        drop_pending(context, *sibling.ike);
        sibling.give_up_at = context.now + kLinger;
    }
}

/// The child SAs that a request deletes. Gives our own SPIs of them for the answer, without those whose deletion crosses ours (§1.4.1).
std::vector<Spi> spis_to_answer(Association& association, const std::vector<Payload>& payloads, std::vector<ChildId>& deleted) {
    auto& established = *association.in<Established>();
    const auto* ours = association.ike->doing<DeletingChild>();
    std::vector<Spi> answered;
    for (const Payload& payload : payloads) {
        const auto* deletion = std::get_if<DeletePayload>(&payload);
        if (!deletion || deletion->protocol != Protocol::esp) continue;
        for (const Spi spi : deletion->spis) {
            const ChildSa* child = child_by_outbound(established, spi);
            if (!child || std::ranges::find(deleted, child->id) != deleted.end()) continue;  // a peer may name one twice
            deleted.push_back(child->id);
            if (!ours || ours->child != child->id) answered.push_back(child->inbound);
        }
    }
    return answered;
}

}  // namespace

void on_informational_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads) {
    const bool rejected = find_notify(payloads, NotifyType::authentication_failed) != nullptr;
    if (rejected || deletes_ike(payloads)) {
        send_response(context, ike, arrival, {});
        return on_ike_deleted(context, association, ike, rejected);
    }
    note_use(context, association, ike);
    std::vector<ChildId> deleted;
    const std::vector<Spi> answered = spis_to_answer(association, payloads, deleted);
    std::vector<Payload> answer;
    if (!answered.empty()) answer.emplace_back(DeletePayload{Protocol::esp, answered});
    if (find_notify(payloads, NotifyType::ticket_request))
        if (auto ticket = ticket_for(context, association, ike)) answer.emplace_back(std::move(*ticket));
    take_ticket(context, association, ike, payloads);
    send_response(context, ike, arrival, answer);
    for (const ChildId child : deleted) remove_child(context, association, child);
    if (!deleted.empty()) end_if_childless(context, association);
}

void on_informational_while_closing(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads) {
    send_response(context, ike, arrival, {});
    if (!deletes_ike(payloads)) return;
    ike.outstanding.reset();
    move_to(context, association, Lingering{context.now + kLinger}, "both ends sent DELETE");
}

void start_liveness_check(Context& context, Association& association) {
    association.in<Established>()->probe_wanted = false;
    context.count("liveness-checks");
    send_request(context, association, *association.ike, ExchangeType::informational, {}, Liveness{}, context.settings.liveness_tries);
}

void start_child_delete(Context& context, Association& association, const ChildSa& child) {
    send_request(context, association, *association.ike, ExchangeType::informational, {DeletePayload{Protocol::esp, {child.inbound}}}, DeletingChild{child.id},
                 context.settings.liveness_tries);
}

void on_child_delete_response(Context& context, Association& association, ChildId child) {
    remove_child(context, association, child);
    end_if_childless(context, association);
}

void start_farewell(Context& context, Association& association) {
    std::vector<Payload> payloads;
    if (const auto complaint = association.in<Closing>()->complaint) payloads.emplace_back(Notify{.type = *complaint});
    payloads.emplace_back(DeletePayload{.protocol = Protocol::ike});
    send_request(context, association, *association.ike, ExchangeType::informational, payloads, DeletingIke{}, context.settings.retransmit_tries);
}

}  // namespace nave::ike
