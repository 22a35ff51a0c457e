// Fuzz target: a peer that knows the keys drives the endpoint's exchanges at will: any order, any payloads, and well-formed ones with which it gets further.
#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/ike/intermediate_auth.hpp"
#include "controlplane/ike/negotiation.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "tests/fuzz/promise.hpp"

#include <set>

using namespace nave;
using namespace nave::ike;

namespace {

/// Every SPI is given back once.
struct Spis final : SpiSource {
    std::set<Spi> taken;
    std::uint32_t last = 0x1000;
    std::optional<Spi> allocate() override { return *taken.insert(Spi{++last}).first; }
    std::optional<Spi> allocate_for(ResourceId) override { return allocate(); }
    void release(Spi spi) override { must(taken.erase(spi) == 1); }
};

const NbmaEndpoint kOurs{NbmaAddress{IpAddress::v4(0xc0000201)}, 500}, kPeers{NbmaAddress{IpAddress::v4(0xc0000202)}, 500};
const IkeProposal kSuite = parse_ike_proposal("aes-gcm-256/prf-sha256/x25519/ke1-p256").value();
const EspProposal kChild = parse_esp_proposal("aes-gcm-256/x25519/ke1-p256").value();

/// The peer's key pair of a group, the same in every run.
const DhKeyPair& key_of(Group group) {
    static CountingRandom random{1};
    static const DhKeyPair x25519 = DhKeyPair::generate(Group::x25519, random), p256 = DhKeyPair::generate(Group::p256, random);
    return group == Group::p256 ? p256 : x25519;
}
KeyExchange part_of(Group group) { return {group, key_of(group).public_value()}; }

Settings settings() {
    Settings settings;
    settings.profiles.push_back({.name = "fuzz", .local = Identity::parse("nave.example").value(), .ike_proposals = {kSuite}, .esp_proposals = {kChild}, .child_limits = {}});
    settings.profiles[0].keys.push_back({IdentityPattern::parse("*").value(), Secret{as_bytes("secret")}});
    return settings;
}

class Peer {
public:
    Peer() {
        nonce_.assign(32, 3);
        const std::vector<Payload> init{offer_ike(std::vector{kSuite}, 0), part_of(Group::x25519), NoncePayload{nonce_},
                                        Notify{.type = NotifyType::intermediate_exchange_supported}, Notify{.type = NotifyType::ikev2_fragmentation_supported}};
        header_ = {.initiator_spi = 7, .exchange = ExchangeType::ike_sa_init, .from_initiator = true};
        first_message_ = encode_message(header_, init);
        const Message answer = decode_message(give(first_message_)).value();
        header_.responder_spi = answer.header.responder_spi;
        peer_nonce_ = find<NoncePayload>(answer.payloads)->data;
        keys_ = derive_session_keys(seed(), initial_skeyseed(seed(), key_of(Group::x25519).shared_secret(find<KeyExchange>(answer.payloads)->data).value()));
    }

    /// IKE_INTERMEDIATE and IKE_AUTH as they should be.
    void authenticate() {
        exchange(ExchangeType::ike_intermediate, {part_of(Group::p256)});
        const IdentificationPayload id{.role = Role::initiator, .identity = Identity::parse("peer.example").value()};
        const Bytes intermediate = covered_.octets(next_id_);
        const AuthInput input{first_message_, peer_nonce_, &id, intermediate};
        std::vector<Payload> payloads{id, AuthPayload{AuthMethod::shared_key, shared_key_auth(keys_, Role::initiator, Secret{as_bytes("secret")}, input)}};
        append_selectors(payloads, ChildExchange::ike_auth);
        exchange(ExchangeType::ike_auth, payloads);
        must(!inbound_.empty());
    }

    /// What comes next is told by a few bytes.
    void act(ByteReader& in) {
        const std::uint8_t kind = in.u8();
        switch (kind % 8) {
        case 0: return exchange(ExchangeType::ike_followup_ke, {part_of(Group::p256), link()});
        case 1: return exchange(ExchangeType::ike_intermediate, {part_of(Group::p256)});
        case 2: return create_child(false);
        case 3: return create_child(true);
        case 4: return exchange(ExchangeType::create_child_sa, {offer_ike(std::vector{kSuite}, 9), NoncePayload{Bytes(32, kind)}, part_of(Group::x25519)});
        case 5: return wait(std::chrono::seconds{in.u8() % 32});
        default: return raw(in);
        }
    }

    /// Whatever was done, nothing is left behind.
    void finish() {
        for (const SaView& view : endpoint_.snapshot()) endpoint_.close(view.sa, DownReason::closed_by_us, true, now_, out_);
        carry_out();
        wait(std::chrono::minutes{5});
        must(spis_.taken.empty() && endpoint_.snapshot().empty());
    }

private:
    SessionSeed seed() const { return {kSuite, nonce_, peer_nonce_, header_.initiator_spi, header_.responder_spi}; }
    Notify link() const { return {.type = NotifyType::additional_key_exchange, .data = link_}; }

    void append_selectors(std::vector<Payload>& payloads, ChildExchange kind) {
        payloads.emplace_back(offer_esp(std::vector{kChild}, Spi{++spi_}, kind));
        payloads.emplace_back(TrafficSelectors{Role::initiator, {TrafficSelector::host(kPeers.address.value, 47)}});
        payloads.emplace_back(TrafficSelectors{Role::responder, {TrafficSelector::host(kOurs.address.value, 47)}});
        payloads.emplace_back(Notify{.type = NotifyType::use_transport_mode});
    }

    void create_child(bool replaces) {
        std::vector<Payload> payloads{NoncePayload{Bytes(32, static_cast<std::uint8_t>(spi_))}, part_of(Group::x25519)};
        ByteWriter old;
        old.u32(spi_);
        if (replaces) payloads.emplace_back(Notify{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = old.take()});
        append_selectors(payloads, ChildExchange::create_child_sa);
        exchange(ExchangeType::create_child_sa, payloads);
    }

    /// An exchange type, the type of the first payload, a size, and a chain that need not be one.
    void raw(ByteReader& in) {
        header_.exchange = ExchangeType{in.u8()};
        header_.message_id = in.u8() % 4 == 0 ? next_id_ + 1 : next_id_;
        const auto first = PayloadType{in.u8()};
        const ByteView chain = in.take(std::min<std::size_t>(in.u8(), in.remaining()));
        answered(seal_chain(header_, first, chain, keys_.from_initiator, random_));
    }

    void exchange(ExchangeType type, const std::vector<Payload>& payloads) {
        header_.exchange = type;
        header_.message_id = next_id_;
        answered(seal(header_, payloads, keys_.from_initiator, random_));
    }

    /// A repeated request gets the identical answer.
    void answered(const Bytes& request) {
        const Bytes answer = give(request);
        if (answer.empty()) return;
        must(give(request) == answer);
        const auto inside = unseal(answer, keys_.from_responder);
        must(inside.has_value());
        ++next_id_;
        const auto payloads = parse(*inside);
        must(payloads.has_value());
        if (const Notify* next = find_notify(*payloads, NotifyType::additional_key_exchange)) link_ = next->data;
        const auto* part = find<KeyExchange>(*payloads);
        if (header_.exchange != ExchangeType::ike_intermediate || !part) return;
        const auto asked = unseal(request, keys_.from_initiator).value();
        covered_.add(Role::initiator, keys_, asked.head, asked.chain);
        covered_.add(Role::responder, keys_, inside->head, inside->chain);
        keys_ = further_session_keys(keys_, seed(), key_of(Group::p256).shared_secret(part->data).value());
    }

    /// The answer to a request in one piece; requests of the endpoint's own stay unanswered.
    Bytes give(const Bytes& message) {
        endpoint_.on_datagram(kOurs, kPeers, message, now_, out_);
        return carry_out();
    }

    void wait(Duration duration) {
        const TimePoint end = now_ + duration;
        for (auto next = endpoint_.next_deadline(); next && *next <= end; next = endpoint_.next_deadline()) {
            now_ = std::max(now_, *next);
            endpoint_.on_deadline(now_, out_);
            carry_out();
        }
        now_ = end;
    }

    Bytes carry_out() {
        Bytes answer;
        for (const Action& action : std::exchange(out_, {})) {
            if (const auto* send = std::get_if<SendDatagram>(&action))
                if (const auto header = decode_header(send->payload); header && header->response) answer = send->payload;
            if (const auto* install = std::get_if<InstallInbound>(&action)) must(spis_.taken.contains(install->spi) && inbound_.insert(install->spi).second);
            if (const auto* remove = std::get_if<RemoveInbound>(&action)) must(inbound_.erase(remove->spi) == 1), spis_.release(remove->spi);
        }
        return answer;
    }

    CountingRandom random_{1};
    Spis spis_;
    Endpoint endpoint_{settings(), random_, spis_};
    Outbox out_;
    TimePoint now_{std::chrono::hours{1}};
    Header header_;
    SessionKeys keys_;
    IntermediateAuth covered_;
    Bytes nonce_, peer_nonce_, first_message_, link_;
    std::uint32_t next_id_ = 1, spi_ = 0x10000;
    std::set<Spi> inbound_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in{ByteView{data, size}};
    Peer peer;
    if (in.u8() % 4 != 0) peer.authenticate();
    for (int count = 0; count < 24 && !in.at_end() && !in.failed(); ++count) peer.act(in);
    peer.finish();
    return 0;
}
