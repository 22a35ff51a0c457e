// Sealing and opening of SK and SKF payloads: AES-GCM (RFC 5282), ChaCha20-Poly1305 (RFC 7634), and AES-CBC with HMAC-SHA2 (RFC 7296 §3.14).
#include "controlplane/ike/protected_message.hpp"

#include "controlplane/ike/crypto.hpp"

#include <cassert>
#include <optional>

namespace nave::ike {

namespace {

constexpr std::size_t kGenericSize = 4, kFragmentNumberSize = 4, kAeadIvSize = 8, kAeadSaltSize = 4;
constexpr std::size_t kFirstPayloadOffset = 16, kMessageLengthOffset = 24;  // in the header

std::size_t iv_size(const ProtectionKeys& keys) { return is_aead(keys.encryption) ? kAeadIvSize : kAesBlockSize; }
std::size_t checksum_size(const ProtectionKeys& keys) { return is_aead(keys.encryption) ? kAeadTagSize : integrity_size(keys.integrity); }

ByteView cipher_key(const ProtectionKeys& keys) {
    const ByteView key = keys.encryption_key.view();
    return is_aead(keys.encryption) ? key.first(key.size() - kAeadSaltSize) : key;
}

/// RFC 5282 §4, RFC 7634 §2: the salt, then the IV of the message.
std::array<std::uint8_t, kAeadNonceSize> aead_nonce(const ProtectionKeys& keys, ByteView iv) {
    std::array<std::uint8_t, kAeadNonceSize> nonce{};
    std::memcpy(nonce.data(), keys.encryption_key.view().last(kAeadSaltSize).data(), kAeadSaltSize);
    std::memcpy(nonce.data() + kAeadSaltSize, iv.data(), kAeadIvSize);
    return nonce;
}

/// The chain, padding and its length byte; CBC needs whole blocks, an AEAD nothing.
Secret padded(ByteView chain, bool to_blocks) {
    const std::size_t used = chain.size() + 1;
    const std::size_t padding = to_blocks ? (kAesBlockSize - used % kAesBlockSize) % kAesBlockSize : 0;
    Secret plaintext{used + padding};
    if (!chain.empty()) std::memcpy(plaintext.writable().data(), chain.data(), chain.size());
    plaintext.writable().back() = static_cast<std::uint8_t>(padding);
    return plaintext;
}

Bytes seal_part(const Header& header, std::optional<FragmentNumber> fragment, PayloadType first, ByteView part, const ProtectionKeys& keys, Random& random) {
    const Secret plaintext = padded(part, !is_aead(keys.encryption));
    const std::size_t payload_size = kGenericSize + (fragment ? kFragmentNumberSize : 0) + iv_size(keys) + plaintext.size() + checksum_size(keys);
    assert(payload_size <= 0xffff);
    Bytes iv(iv_size(keys));
    random.fill(iv);

    ByteWriter out;
    encode_header(header, fragment ? PayloadType::encrypted_fragment : PayloadType::encrypted, out);
    out.u8(static_cast<std::uint8_t>(first));
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(payload_size));
    if (fragment) out.u16(fragment->number), out.u16(fragment->total);
    out.patch_u32(kMessageLengthOffset, static_cast<std::uint32_t>(Header::kSize + payload_size));  // before it is authenticated
    if (is_aead(keys.encryption)) {
        const Bytes sealed = aead_seal(keys.encryption, cipher_key(keys), aead_nonce(keys, iv), out.view(), plaintext.view());
        out.bytes(iv);
        out.bytes(sealed);
    } else {
        out.bytes(iv);
        out.bytes(aes_cbc_encrypt(cipher_key(keys), iv, plaintext.view()));
        out.bytes(integrity_checksum(keys.integrity, keys.integrity_key.view(), {out.view()}));
    }
    return out.take();
}

}  // namespace

Bytes seal(const Header& header, std::span<const Payload> inner, const ProtectionKeys& keys, Random& random) {
    ByteWriter chain;
    encode_payload_chain(inner, chain);
    return seal_chain(header, inner.empty() ? PayloadType::none : type_of(inner.front()), chain.view(), keys, random);
}

Bytes seal_chain(const Header& header, PayloadType first, ByteView chain, const ProtectionKeys& keys, Random& random) {
    return seal_part(header, std::nullopt, first, chain, keys, random);
}

Bytes seal_fragment(const Header& header, FragmentNumber fragment, PayloadType first, ByteView part, const ProtectionKeys& keys, Random& random) {
    return seal_part(header, fragment, first, part, keys, random);
}

std::size_t content_max(const ProtectionKeys& keys, std::size_t size_max, IsFragment is_fragment) {
    const std::size_t numbers = is_fragment == IsFragment::yes ? kFragmentNumberSize : 0;
    const std::size_t around = Header::kSize + kGenericSize + numbers + iv_size(keys) + checksum_size(keys);
    if (size_max <= around) return 0;
    const std::size_t room = is_aead(keys.encryption) ? size_max - around : (size_max - around) / kAesBlockSize * kAesBlockSize;
    return room == 0 ? 0 : room - 1;  // without the byte that tells how much is padding
}

std::string_view name(OpenError::Kind kind) {
    switch (kind) {
    case OpenError::Kind::malformed:        return "malformed";
    case OpenError::Kind::not_protected:    return "not-protected";
    case OpenError::Kind::invalid_fragment: return "invalid-fragment";
    case OpenError::Kind::bad_integrity:    return "bad-integrity";
    case OpenError::Kind::malformed_inside: return "malformed-inside";
    }
    return "unknown";
}

namespace {

struct EncryptedPart {
    PayloadType first{};
    std::size_t body_offset = 0;  // in the message, behind the numbers of a fragment; the body goes on to its end
    Bytes head{};                 // the message before, without those numbers, and of type SK
    std::optional<FragmentNumber> fragment{};
};

std::unexpected<OpenError> malformed(Malformed reason, PayloadType payload) { return std::unexpected{OpenError{OpenError::Kind::malformed, {reason, payload}}}; }

/// At `body`, the numbers of an SKF payload. They decide nothing before its integrity is verified, except that it is dropped.
std::expected<EncryptedPart, OpenError> fragment_at(EncryptedPart part, ByteReader body) {
    const FragmentNumber fragment{body.u16(), body.u16()};
    if (body.failed()) return malformed(Malformed::truncated, PayloadType::encrypted_fragment);
    if (fragment.number == 0 || fragment.number > fragment.total) return std::unexpected{OpenError{OpenError::Kind::invalid_fragment}};
    part.body_offset += kFragmentNumberSize;
    part.fragment = fragment;
    return part;
}

/// Walks the outer chain without looking into a payload: nothing is authenticated yet.
std::expected<EncryptedPart, OpenError> find_encrypted(ByteView message) {
    const auto header = decode_header(message);
    if (!header) return std::unexpected{OpenError{OpenError::Kind::malformed, header.error()}};
    if (header->major_version != 2) return malformed(Malformed::major_version, PayloadType::none);
    ByteReader in{message.subspan(Header::kSize)};
    PayloadType type = header->first;
    std::size_t type_offset = kFirstPayloadOffset;
    for (std::size_t count = 0; count < kPayloadsMax; ++count) {
        if (type == PayloadType::none) return std::unexpected{OpenError{OpenError::Kind::not_protected}};
        const std::size_t payload_offset = message.size() - in.remaining();
        const auto next = PayloadType{in.u8()};
        in.skip(1);
        const std::size_t length = in.u16();
        if (in.failed() || length < kGenericSize || length - kGenericSize > in.remaining()) return malformed(Malformed::payload_length, type);
        EncryptedPart part{next, message.size() - in.remaining()};
        const ByteView body = in.take(length - kGenericSize);
        if (type == PayloadType::encrypted || type == PayloadType::encrypted_fragment) {
            if (!in.at_end()) return malformed(Malformed::encrypted_not_last, type);
            part.head = Bytes{message.begin(), message.begin() + static_cast<std::ptrdiff_t>(part.body_offset)};
            part.head[type_offset] = static_cast<std::uint8_t>(PayloadType::encrypted);
            if (type == PayloadType::encrypted_fragment) return fragment_at(part, ByteReader{body});
            return part;
        }
        type = next;
        type_offset = payload_offset;
    }
    return malformed(Malformed::too_many_payloads, type);
}

/// Nothing if the checksum is not genuine. `outside` is authenticated too: all of the message before `body`.
std::optional<Bytes> decrypt(ByteView outside, ByteView body, const ProtectionKeys& keys) {
    const ByteView iv = body.first(iv_size(keys)), rest = body.subspan(iv.size());
    if (is_aead(keys.encryption)) return aead_open(keys.encryption, cipher_key(keys), aead_nonce(keys, iv), outside, rest);
    const ByteView ciphertext = rest.first(rest.size() - checksum_size(keys)), checksum = rest.last(checksum_size(keys));
    if (!equal_in_constant_time(integrity_checksum(keys.integrity, keys.integrity_key.view(), {outside, iv, ciphertext}), checksum)) return std::nullopt;
    return aes_cbc_decrypt(cipher_key(keys), iv, ciphertext);
}

}  // namespace

std::expected<Inside, OpenError> unseal(ByteView message, const ProtectionKeys& keys) {
    const auto part = find_encrypted(message);
    if (!part) return std::unexpected{part.error()};
    const ByteView outside = message.first(part->body_offset), body = message.subspan(part->body_offset);
    const std::size_t around = iv_size(keys) + checksum_size(keys);
    const bool whole_blocks = is_aead(keys.encryption) || (body.size() >= around && (body.size() - around) % kAesBlockSize == 0);
    if (body.size() <= around || !whole_blocks) return malformed(Malformed::truncated, PayloadType::encrypted);

    auto plaintext = decrypt(outside, body, keys);
    if (!plaintext) return std::unexpected{OpenError{OpenError::Kind::bad_integrity}};
    const std::size_t padding = plaintext->back();
    if (padding + 1 > plaintext->size()) return std::unexpected{OpenError{OpenError::Kind::malformed_inside, {Malformed::truncated, PayloadType::encrypted}}};
    plaintext->resize(plaintext->size() - padding - 1);
    return Inside{part->first, std::move(*plaintext), part->fragment, part->head};
}

std::expected<std::vector<Payload>, OpenError> parse(const Inside& inside) {
    auto payloads = decode_payload_chain(inside.first, inside.chain);
    if (!payloads) return std::unexpected{OpenError{OpenError::Kind::malformed_inside, payloads.error()}};
    const bool nested = find<Encrypted>(*payloads) || find<EncryptedFragment>(*payloads);
    if (nested) return std::unexpected{OpenError{OpenError::Kind::malformed_inside, {Malformed::nested_encryption, PayloadType::encrypted}}};
    return std::move(*payloads);
}

std::expected<std::vector<Payload>, OpenError> open(ByteView message, const ProtectionKeys& keys) {
    const auto inside = unseal(message, keys);
    if (!inside) return std::unexpected{inside.error()};
    if (inside->fragment) return std::unexpected{OpenError{OpenError::Kind::not_protected}};
    return parse(*inside);
}

}  // namespace nave::ike
