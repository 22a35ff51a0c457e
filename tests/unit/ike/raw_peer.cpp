// The hand-driven initiator.
#include "tests/unit/ike/raw_peer.hpp"

#include "controlplane/ike/negotiation.hpp"

#include <catch2/catch.hpp>

namespace nave::ike::play {

RawPeer::RawPeer(Lab& lab, Gateway& target, std::string_view address, std::uint64_t seed)
    : self{at(address)}, lab_{lab}, target_{target}, random_{seed}, key_{DhKeyPair::generate(Group::x25519, random_)} {}

Bytes RawPeer::init_request(std::vector<Payload> extra) {
    if (extra.empty()) {
        header = {.initiator_spi = random_.u64(), .exchange = ExchangeType::ike_sa_init, .from_initiator = true};
        nonce_.resize(32);
        random_.fill(nonce_);
    }
    if (has_any(suite.additional)) extra.emplace_back(Notify{.type = NotifyType::intermediate_exchange_supported});
    if (takes_fragments) extra.emplace_back(Notify{.type = NotifyType::ikev2_fragmentation_supported});
    first_message_ = encode_message(header, extra + std::vector<Payload>{offer_ike(std::vector{suite}, 0), KeyExchange{key_.group(), key_.public_value()}, NoncePayload{nonce_}});
    return first_message_;
}

Bytes RawPeer::ask(const Bytes& message) {
    lab_.inject({nullptr, self, {target_.address, self.port}, message});
    if (lab_.in_flight() == 0) return {};
    return lab_.lose(target_);
}

void RawPeer::init() {
    const Bytes answer = ask(init_request());
    const Message message = decode_message(answer).value();
    header.responder_spi = message.header.responder_spi;
    peer_nonce_ = find<NoncePayload>(message.payloads)->data;
    const Secret shared = key_.shared_secret(find<KeyExchange>(message.payloads)->data).value();
    REQUIRE(accept_ike(*find<SaPayload>(message.payloads), std::vector{suite}, false));
    const SessionSeed seed{suite, nonce_, peer_nonce_, header.initiator_spi, header.responder_spi};
    keys = derive_session_keys(seed, initial_skeyseed(seed, shared));
    next_id = 1;
}

void RawPeer::add_key_exchange(Group group) {
    const auto key = DhKeyPair::generate(group, random_);
    const Bytes sent = request(ExchangeType::ike_intermediate, {KeyExchange{group, key.public_value()}}), answered = ask(sent);
    const Secret shared = key.shared_secret(find<KeyExchange>(read(answered))->data).value();
    for (const auto& [role, message] : {std::pair{Role::initiator, sent}, std::pair{Role::responder, answered}}) {
        const auto inside = unseal(message, keys.sent_by(role)).value();
        intermediate_.add(role, keys, inside.head, inside.chain);
    }
    keys = further_session_keys(keys, {suite, nonce_, peer_nonce_, header.initiator_spi, header.responder_spi}, shared);
}

std::vector<Payload> RawPeer::authentication() const {
    const IdentificationPayload id{.role = Role::initiator, .identity = identity("raw.example")};
    const Bytes intermediate = intermediate_.octets(next_id);
    return {id, AuthPayload{AuthMethod::shared_key, shared_key_auth(keys, Role::initiator, secret("secret"), {first_message_, peer_nonce_, &id, intermediate})}};
}

std::vector<Payload> RawPeer::child(std::vector<TrafficSelector> initiator, std::vector<TrafficSelector> responder, bool transport, std::uint32_t spi) const {
    std::vector<Payload> payloads{offer_esp(default_esp_proposals(), Spi{spi}, ChildExchange::ike_auth), TrafficSelectors{Role::initiator, std::move(initiator)},
                                  TrafficSelectors{Role::responder, std::move(responder)}};
    if (transport) payloads.emplace_back(Notify{.type = NotifyType::use_transport_mode});
    return payloads;
}

std::vector<Payload> RawPeer::gre_child(std::uint32_t spi) const {
    return child({TrafficSelector::host(self.address.value, 47)}, {TrafficSelector::host(target_.address.value, 47)}, true, spi);
}

void RawPeer::establish() {
    init();
    const auto answer = exchange(ExchangeType::ike_auth, authentication() + gre_child());
    REQUIRE_FALSE(error_in(answer));
}

std::vector<Payload> RawPeer::exchange(ExchangeType type, const std::vector<Payload>& payloads) {
    const Bytes answer = ask(request(type, payloads));
    REQUIRE_FALSE(answer.empty());
    return read(answer);
}

Bytes RawPeer::request(ExchangeType type, const std::vector<Payload>& payloads) {
    header.exchange = type;
    header.message_id = next_id++;
    return seal(header, payloads, keys.from_initiator, random_);
}

Bytes RawPeer::request_with(ExchangeType type, PayloadType first, ByteView chain) {
    header.exchange = type;
    header.message_id = next_id++;
    return seal_chain(header, first, chain, keys.from_initiator, random_);
}

Bytes RawPeer::fragment(FragmentNumber number, PayloadType first, ByteView part) { return seal_fragment(header, number, first, part, keys.from_initiator, random_); }

std::vector<Bytes> RawPeer::request_in_fragments(ExchangeType type, const std::vector<Payload>& payloads, std::size_t size) {
    header.exchange = type;
    header.message_id = next_id++;
    return seal_to_fit(header, payloads, keys.from_initiator, random_, size);
}

std::vector<Payload> RawPeer::read(const Bytes& message) const { return ike::open(message, keys.from_responder).value(); }

Bytes RawPeer::answer(const Bytes& request, const std::vector<Payload>& payloads) {
    Header reply = decode_header(request).value();
    reply.response = true;
    reply.from_initiator = true;
    return seal(reply, payloads, keys.from_initiator, random_);
}

std::vector<Payload> RawPeer::agree_to(const Bytes& request, std::uint32_t spi, Bytes nonce) const {
    const auto asked = read(request);
    auto without_pfs = default_esp_proposals();
    std::erase_if(without_pfs, [](const EspProposal& suite) { return suite.group.has_value(); });
    const auto choice = choose_esp(*find<SaPayload>(asked), without_pfs, std::nullopt, ChildExchange::create_child_sa).value();
    return {answer_esp(choice, Spi{spi}), NoncePayload{std::move(nonce)}, *find<TrafficSelectors>(asked, Role::initiator), *find<TrafficSelectors>(asked, Role::responder),
            Notify{.type = NotifyType::use_transport_mode}};
}

std::optional<NotifyType> error_in(const std::vector<Payload>& payloads) {
    const Notify* error = find_error(payloads);
    return error ? std::optional{error->type} : std::nullopt;
}

std::vector<Payload> operator+(std::vector<Payload> a, const std::vector<Payload>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace nave::ike::play
