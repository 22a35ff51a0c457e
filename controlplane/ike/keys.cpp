// Key derivation and shared-key authentication on top of the PRF.
#include "controlplane/ike/keys.hpp"

#include "controlplane/ike/crypto.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <initializer_list>

namespace nave::ike {

namespace {

Bytes joined(std::initializer_list<ByteView> parts) {
    Bytes bytes;
    for (const ByteView part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
    return bytes;
}

Bytes spi_bytes(std::uint64_t initiator_spi, std::uint64_t responder_spi) {
    ByteWriter out;
    out.u64(initiator_spi);
    out.u64(responder_spi);
    return out.take();
}

}  // namespace

Secret prf_plus(Prf algorithm, ByteView key, ByteView seed, std::size_t length) {
    const std::size_t block = prf_size(algorithm);
    assert(length <= 255 * block);  // RFC 7296 §2.13: the counter is one byte
    Secret output{length};
    Secret previous;
    std::uint8_t counter = 0;
    for (std::size_t done = 0; done < length; done += block) {
        ++counter;
        previous = prf(algorithm, key, {previous.view(), seed, ByteView{&counter, 1}});
        const ByteView taken = previous.view().first(std::min(block, length - done));
        std::memcpy(output.writable().data() + done, taken.data(), taken.size());
    }
    return output;
}

Secret initial_skeyseed(const SessionSeed& seed, const Secret& shared_secret) {
    const Bytes nonces = joined({seed.initiator_nonce, seed.responder_nonce});
    return prf(seed.suite.prf, nonces, {shared_secret.view()});
}

Secret rekey_skeyseed(const SessionKeys& old, const SessionSeed& seed, const Secret& shared_secret, const Secret& additional) {
    return prf(old.prf, old.derivation.view(), {shared_secret.view(), seed.initiator_nonce, seed.responder_nonce, additional.view()});
}

Secret resumption_skeyseed(const Secret& derivation, const SessionSeed& seed) {
    return prf(seed.suite.prf, derivation.view(), {as_bytes("Resumption"), seed.initiator_nonce, seed.responder_nonce});
}

SessionKeys derive_session_keys(const SessionSeed& seed, const Secret& skeyseed) {
    const IkeProposal& suite = seed.suite;
    const std::size_t prf_key = prf_size(suite.prf), integrity_key = integrity_key_size(suite.integrity), encryption_key = encryption_key_size(suite.encryption);
    const Bytes prf_seed = joined({seed.initiator_nonce, seed.responder_nonce, spi_bytes(seed.initiator_spi, seed.responder_spi)});
    const Secret stream = prf_plus(suite.prf, skeyseed.view(), prf_seed, 3 * prf_key + 2 * integrity_key + 2 * encryption_key);

    ByteReader in{stream.view()};
    SessionKeys keys;
    keys.prf = suite.prf;
    keys.derivation = Secret{in.take(prf_key)};
    for (ProtectionKeys* side : {&keys.from_initiator, &keys.from_responder}) {
        side->encryption = suite.encryption;
        side->integrity = suite.integrity;
        side->integrity_key = Secret{in.take(integrity_key)};
    }
    for (ProtectionKeys* side : {&keys.from_initiator, &keys.from_responder}) side->encryption_key = Secret{in.take(encryption_key)};
    keys.auth_initiator = Secret{in.take(prf_key)};
    keys.auth_responder = Secret{in.take(prf_key)};
    return keys;
}

SessionKeys further_session_keys(const SessionKeys& before, const SessionSeed& seed, const Secret& shared_secret) {
    return derive_session_keys(seed, rekey_skeyseed(before, seed, shared_secret));
}

SessionKeys with_ppk(const SessionKeys& keys, const Secret& ppk) {
    SessionKeys mixed = keys;
    for (Secret* key : {&mixed.derivation, &mixed.auth_initiator, &mixed.auth_responder}) *key = prf_plus(keys.prf, ppk.view(), key->view(), key->size());
    return mixed;
}

ChildKeys derive_child_keys(const SessionKeys& session, EspAlgorithm algorithm, const Secret& shared_secret, ByteView initiator_nonce, ByteView responder_nonce,
                            const Secret& additional) {
    const std::size_t size = sizes_of(algorithm).keymat();
    Bytes joined_seed = joined({shared_secret.view(), initiator_nonce, responder_nonce, additional.view()});
    const Secret seed{joined_seed};
    wipe(joined_seed);
    const Secret stream = prf_plus(session.prf, session.derivation.view(), seed.view(), 2 * size);
    return {EspKeymat{stream.view().first(size)}, EspKeymat{stream.view().subspan(size)}};
}

Bytes signed_octets(const SessionKeys& keys, Role role, const AuthInput& input) {
    const Secret id_digest = prf(keys.prf, keys.auth_of(role).view(), {input.id->signed_body()});
    return joined({input.first_message, input.peer_nonce, id_digest.view(), input.intermediate});
}

Bytes shared_key_auth(const SessionKeys& keys, Role role, const Secret& key, const AuthInput& input) {
    const Secret padded = prf(keys.prf, key.view(), {as_bytes("Key Pad for IKEv2")});
    const Secret auth = prf(keys.prf, padded.view(), {signed_octets(keys, role, input)});
    return {auth.view().begin(), auth.view().end()};
}

Bytes resumption_auth(const SessionKeys& keys, Role role, const AuthInput& input) {
    const Secret auth = prf(keys.prf, keys.auth_of(role).view(), {signed_octets(keys, role, input)});
    return {auth.view().begin(), auth.view().end()};
}

bool verify_shared_key_auth(const SessionKeys& keys, Role role, const Secret& key, const AuthInput& input, ByteView received) {
    return equal_in_constant_time(shared_key_auth(keys, role, key, input), received);
}

}  // namespace nave::ike
