// An initiator that is driven by hand, message by message: for peers that behave in ways our own endpoint never does.
#pragma once

#include "controlplane/ike/fragmentation.hpp"
#include "controlplane/ike/intermediate_auth.hpp"
#include "controlplane/ike/key_exchange.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "tests/unit/ike/lab.hpp"

#include <vector>

namespace nave::ike::play {

class RawPeer {
public:
    RawPeer(Lab& lab, Gateway& target, std::string_view address, std::uint64_t seed = 99);

    /// The bytes of an IKE_SA_INIT request with a fresh SPI and nonce; `extra` goes in front.
    Bytes init_request(std::vector<Payload> extra = {});
    /// Sends bytes to the target; gives its answer, empty if it is silent.
    Bytes ask(const Bytes& message);
    /// IKE_SA_INIT there and back, and the keys of it.
    void init();

    /// IKE_INTERMEDIATE there and back with a key exchange of this group, and the keys of it.
    void add_key_exchange(Group group);
    /// From here on AUTH says nothing of it.
    void forget_intermediate() { intermediate_ = {}; }

    /// IDi and AUTH with the key "secret".
    std::vector<Payload> authentication() const;
    /// SA, TSi, TSr for GRE between us and the target, USE_TRANSPORT_MODE.
    std::vector<Payload> child(std::vector<TrafficSelector> initiator, std::vector<TrafficSelector> responder, bool transport = true, std::uint32_t spi = 0x12345678) const;
    std::vector<Payload> gre_child(std::uint32_t spi = 0x12345678) const;
    /// init() and a plain IKE_AUTH; the target is up.
    void establish();

    /// A request under the keys, and what is in the answer. Requires that there is one.
    std::vector<Payload> exchange(ExchangeType type, const std::vector<Payload>& payloads);
    /// Seals our next request without sending it.
    Bytes request(ExchangeType type, const std::vector<Payload>& payloads);
    /// The same with any bytes inside.
    Bytes request_with(ExchangeType type, PayloadType first, ByteView chain);
    /// Any part of a chain as one fragment of the request that request() sealed last.
    Bytes fragment(FragmentNumber number, PayloadType first, ByteView part);
    /// A request in fragments of at most `size` bytes.
    std::vector<Bytes> request_in_fragments(ExchangeType type, const std::vector<Payload>& payloads, std::size_t size);
    std::vector<Payload> read(const Bytes& message) const;
    /// Our response to a request of the target.
    Bytes answer(const Bytes& request, const std::vector<Payload>& payloads);
    /// What a willing responder puts into its answer to the target's request to rekey a child SA.
    std::vector<Payload> agree_to(const Bytes& request, std::uint32_t spi, Bytes nonce) const;

    NbmaEndpoint self;
    Header header{};
    SessionKeys keys{};
    std::uint32_t next_id = 1;
    bool takes_fragments = false;  // says so in IKE_SA_INIT
    IkeProposal suite = parse_ike_proposal("aes-gcm-256/prf-sha384/x25519").value();  // the only one that it offers

private:
    Lab& lab_;
    Gateway& target_;
    SeededRandom random_;
    DhKeyPair key_;
    Bytes nonce_, peer_nonce_, first_message_;
    IntermediateAuth intermediate_;
};

/// The type of the first error among the payloads; nothing if there is none.
std::optional<NotifyType> error_in(const std::vector<Payload>& payloads);
std::vector<Payload> operator+(std::vector<Payload> a, const std::vector<Payload>& b);

}  // namespace nave::ike::play
