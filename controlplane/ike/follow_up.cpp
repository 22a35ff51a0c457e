// Key exchanges one by one, and what is kept between them.
#include "controlplane/ike/follow_up.hpp"

#include "controlplane/ike/child_exchange.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/ike_rekey.hpp"
#include "controlplane/ike/lifecycle.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr Duration kPauseMax = std::chrono::seconds{20};  // between two exchanges: the RFC's upper end, for lossy ways
constexpr std::size_t kLinkSize = 8, kLinkSizeMax = 64;
constexpr int kForgottenMax = 3;

Bytes fresh_link(Random& random) {
    Bytes link(kLinkSize);
    random.fill(link);
    return link;
}

Notify link_notify(const KeyExchangeSeries& series) { return {.type = NotifyType::additional_key_exchange, .data = series.link}; }

/// Makes what the peer's request was for, and answers its last exchange.
struct Finish {
    Context& context;
    Association& association;
    IkeSa& ike;
    const Arrival& arrival;
    const KeyExchangeSeries& series;
    const std::vector<Payload>& answer;

    void operator()(const PendingChild& child) const { make_answered_child(context, association, ike, child, series, arrival, answer); }
    void operator()(const PendingIke& next) const {
        make_answered_ike(context, association, ike, next, series);
        send_response(context, ike, arrival, answer);
    }
};

}  // namespace

std::expected<KeyExchangeSeries, std::string> linked(KeyExchangeSeries series, const std::vector<Payload>& answer) {
    if (series.left.empty()) return series;
    const Notify* link = find_notify(answer, NotifyType::additional_key_exchange);
    if (!link || link->data.empty() || link->data.size() > kLinkSizeMax) return std::unexpected{std::string{"ADDITIONAL_KEY_EXCHANGE is missing, empty or too long"}};
    series.link = link->data;
    return series;
}

std::vector<Payload> follow_up_request(const KeyExchangeSeries& series, const DhKeyPair& key) { return {KeyExchange{key.group(), key.public_value()}, link_notify(series)}; }

std::expected<KeyExchangeSeries, std::string> advanced(const Context& context, KeyExchangeSeries series, const DhKeyPair& key, const std::vector<Payload>& answer) {
    const auto* theirs = find<KeyExchange>(answer);
    if (!theirs || theirs->group != key.group()) return std::unexpected{fmt::format("the key exchange with {} is missing", name(key.group()))};
    const auto secret = context.ask(KeyAgreement{key, theirs->data});
    if (!secret) return std::unexpected{fmt::format("the key exchange with {} is wrong: {}", name(key.group()), name(secret.error()))};
    series.add(*secret);
    return linked(std::move(series), answer);
}

bool is_forgotten_too_often(Context& context, Association& association, const Notify& error) {
    if (error.type != NotifyType::state_not_found || ++association.in<Established>()->forgotten < kForgottenMax) return false;
    end(context, association, DownReason::refused_by_peer, "the peer forgets again and again which key exchanges are under way", Ending::farewell);
    return true;
}

Notify await_follow_up(Context& context, IkeSa& ike, KeyExchangeSeries series, std::variant<PendingChild, PendingIke> made) {
    drop_pending(context, ike);
    series.link = fresh_link(context.random);
    Notify link = link_notify(series);
    ike.pending = Pending{std::move(series), std::move(made), context.now + kPauseMax};
    return link;
}

void on_follow_up_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads) {
    const Notify* link = find_notify(payloads, NotifyType::additional_key_exchange);
    if (!ike.pending || !link || link->data != ike.pending->series.link) {
        context.count("answered-STATE_NOT_FOUND");
        return send_refusal(context, ike, arrival, NotifyType::state_not_found);
    }
    KeyExchangeSeries& series = ike.pending->series;
    const Group group = series.left.front();
    const auto* asked = find<KeyExchange>(payloads);
    const auto answer = asked && asked->group == group ? context.ask(KeyResponse{group, DhKeyPair::draw(group, context.random), asked->data})
                                                       : std::unexpected{KeyExchangeError::wrong_length};
    if (!answer) {
        context.count("bad-key-exchange");
        drop_pending(context, ike);
        return send_refusal(context, ike, arrival, NotifyType::invalid_syntax);
    }
    context.count("follow-up-exchanges");
    series.add(answer->shared_secret);
    std::vector<Payload> response{KeyExchange{group, answer->public_value}};
    if (!series.left.empty()) {
        series.link = fresh_link(context.random);
        ike.pending->give_up_at = context.now + kPauseMax;
        response.emplace_back(link_notify(series));
        return send_response(context, ike, arrival, response);
    }
    const Pending done = std::move(*ike.pending);
    ike.pending.reset();
    std::visit(Finish{context, association, ike, arrival, done.series, response}, done.made);
}

void drop_pending(Context& context, IkeSa& ike) {
    if (!ike.pending) return;
    if (const auto* child = std::get_if<PendingChild>(&ike.pending->made)) context.spis.release(child->inbound);
    if (const auto* next = std::get_if<PendingIke>(&ike.pending->made)) context.table.forget_spi(next->spi);
    ike.pending.reset();
}

}  // namespace nave::ike
