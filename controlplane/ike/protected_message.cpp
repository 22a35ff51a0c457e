// Sealing and opening of SK payloads: AES-GCM (RFC 5282), and AES-CBC with HMAC-SHA2 (RFC 7296 §3.14).
#include "controlplane/ike/protected_message.hpp"

#include "controlplane/ike/crypto.hpp"

#include <cassert>
#include <optional>

namespace nave::ike {

namespace {

constexpr std::size_t kGenericSize = 4, kGcmIvSize = 8, kGcmSaltSize = 4;
constexpr std::size_t kMessageLengthOffset = 24;

std::size_t iv_size(const ProtectionKeys& keys) { return is_aead(keys.encryption) ? kGcmIvSize : kAesBlockSize; }
std::size_t checksum_size(const ProtectionKeys& keys) { return is_aead(keys.encryption) ? kGcmTagSize : integrity_size(keys.integrity); }

ByteView aes_key(const ProtectionKeys& keys) {
    const ByteView key = keys.encryption_key.view();
    return is_aead(keys.encryption) ? key.first(key.size() - kGcmSaltSize) : key;
}

/// RFC 5282 §4: the salt, then the IV of the message.
std::array<std::uint8_t, kGcmNonceSize> gcm_nonce(const ProtectionKeys& keys, ByteView iv) {
    std::array<std::uint8_t, kGcmNonceSize> nonce{};
    std::memcpy(nonce.data(), keys.encryption_key.view().last(kGcmSaltSize).data(), kGcmSaltSize);
    std::memcpy(nonce.data() + kGcmSaltSize, iv.data(), kGcmIvSize);
    return nonce;
}

/// The chain, padding and its length byte; CBC needs whole blocks, GCM nothing.
Secret padded(ByteView chain, bool to_blocks) {
    const std::size_t used = chain.size() + 1;
    const std::size_t padding = to_blocks ? (kAesBlockSize - used % kAesBlockSize) % kAesBlockSize : 0;
    Secret plaintext{used + padding};
    if (!chain.empty()) std::memcpy(plaintext.writable().data(), chain.data(), chain.size());
    plaintext.writable().back() = static_cast<std::uint8_t>(padding);
    return plaintext;
}

}  // namespace

Bytes seal(const Header& header, std::span<const Payload> inner, const ProtectionKeys& keys, Random& random) {
    ByteWriter chain;
    encode_payload_chain(inner, chain);
    return seal_chain(header, inner.empty() ? PayloadType::none : type_of(inner.front()), chain.view(), keys, random);
}

Bytes seal_chain(const Header& header, PayloadType first, ByteView chain, const ProtectionKeys& keys, Random& random) {
    const Secret plaintext = padded(chain, !is_aead(keys.encryption));
    const std::size_t payload_size = kGenericSize + iv_size(keys) + plaintext.size() + checksum_size(keys);
    assert(payload_size <= 0xffff);
    Bytes iv(iv_size(keys));
    random.fill(iv);

    ByteWriter out;
    encode_header(header, PayloadType::encrypted, out);
    out.u8(static_cast<std::uint8_t>(first));
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(payload_size));
    out.patch_u32(kMessageLengthOffset, static_cast<std::uint32_t>(Header::kSize + payload_size));  // before it is authenticated
    if (is_aead(keys.encryption)) {
        const Bytes sealed = aes_gcm_seal(aes_key(keys), gcm_nonce(keys, iv), out.view(), plaintext.view());
        out.bytes(iv);
        out.bytes(sealed);
    } else {
        out.bytes(iv);
        out.bytes(aes_cbc_encrypt(aes_key(keys), iv, plaintext.view()));
        out.bytes(integrity_checksum(keys.integrity, keys.integrity_key.view(), {out.view()}));
    }
    return out.take();
}

std::string_view name(OpenError::Kind kind) {
    switch (kind) {
    case OpenError::Kind::malformed:        return "malformed";
    case OpenError::Kind::not_protected:    return "not-protected";
    case OpenError::Kind::bad_integrity:    return "bad-integrity";
    case OpenError::Kind::malformed_inside: return "malformed-inside";
    }
    return "unknown";
}

namespace {

struct EncryptedPart {
    PayloadType first{};
    std::size_t body_offset = 0;  // in the message; the body goes on to its end
};

std::unexpected<OpenError> malformed(Malformed reason, PayloadType payload) { return std::unexpected{OpenError{OpenError::Kind::malformed, {reason, payload}}}; }

/// Walks the outer chain without looking into a payload: nothing in front of SK is authenticated yet.
std::expected<EncryptedPart, OpenError> find_encrypted(ByteView message) {
    const auto header = decode_header(message);
    if (!header) return std::unexpected{OpenError{OpenError::Kind::malformed, header.error()}};
    if (header->major_version != 2) return malformed(Malformed::major_version, PayloadType::none);
    ByteReader in{message.subspan(Header::kSize)};
    PayloadType type = header->first;
    for (std::size_t count = 0; count < kPayloadsMax; ++count) {
        if (type == PayloadType::none || type == PayloadType::encrypted_fragment) return std::unexpected{OpenError{OpenError::Kind::not_protected}};
        const auto next = PayloadType{in.u8()};
        in.skip(1);
        const std::size_t length = in.u16();
        if (in.failed() || length < kGenericSize || length - kGenericSize > in.remaining()) return malformed(Malformed::payload_length, type);
        const EncryptedPart part{next, message.size() - in.remaining()};
        in.skip(length - kGenericSize);
        if (type == PayloadType::encrypted) {
            if (!in.at_end()) return malformed(Malformed::encrypted_not_last, type);
            return part;
        }
        type = next;
    }
    return malformed(Malformed::too_many_payloads, type);
}

/// Nothing if the checksum is not genuine. `outside` is authenticated too: all of the message before `body`.
std::optional<Bytes> decrypt(ByteView outside, ByteView body, const ProtectionKeys& keys) {
    const ByteView iv = body.first(iv_size(keys)), rest = body.subspan(iv.size());
    if (is_aead(keys.encryption)) return aes_gcm_open(aes_key(keys), gcm_nonce(keys, iv), outside, rest);
    const ByteView ciphertext = rest.first(rest.size() - checksum_size(keys)), checksum = rest.last(checksum_size(keys));
    if (!equal_in_constant_time(integrity_checksum(keys.integrity, keys.integrity_key.view(), {outside, iv, ciphertext}), checksum)) return std::nullopt;
    return aes_cbc_decrypt(aes_key(keys), iv, ciphertext);
}

}  // namespace

std::expected<std::vector<Payload>, OpenError> open(ByteView message, const ProtectionKeys& keys) {
    const auto part = find_encrypted(message);
    if (!part) return std::unexpected{part.error()};
    const ByteView outside = message.first(part->body_offset), body = message.subspan(part->body_offset);
    const std::size_t around = iv_size(keys) + checksum_size(keys);
    const bool whole_blocks = is_aead(keys.encryption) || (body.size() >= around && (body.size() - around) % kAesBlockSize == 0);
    if (body.size() <= around || !whole_blocks) return malformed(Malformed::truncated, PayloadType::encrypted);

    const auto plaintext = decrypt(outside, body, keys);
    if (!plaintext) return std::unexpected{OpenError{OpenError::Kind::bad_integrity}};
    const std::size_t padding = plaintext->back();
    if (padding + 1 > plaintext->size()) return std::unexpected{OpenError{OpenError::Kind::malformed_inside, {Malformed::truncated, PayloadType::encrypted}}};
    auto payloads = decode_payload_chain(part->first, ByteView{*plaintext}.first(plaintext->size() - padding - 1));
    if (!payloads) return std::unexpected{OpenError{OpenError::Kind::malformed_inside, payloads.error()}};
    return std::move(*payloads);
}

}  // namespace nave::ike
