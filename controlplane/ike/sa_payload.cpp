// Decoding and encoding of the SA payload's nested substructures (RFC 7296 §3.3.1 to §3.3.5).
#include "controlplane/ike/sa_payload.hpp"

#include <cassert>

namespace nave::ike {

namespace {

constexpr std::uint8_t kLast = 0, kMoreProposals = 2, kMoreTransforms = 3;
constexpr std::size_t kProposalHeader = 8, kTransformHeader = 8;
constexpr std::uint16_t kAttributeShort = 0x8000, kAttributeKeyLength = 14;

/// Reads attributes to the end; only the key length is known (RFC 7296 §3.3.5).
bool decode_attributes(ByteReader& in, Transform& transform) {
    while (!in.at_end()) {
        const std::uint16_t type = in.u16();
        const std::uint16_t value = in.u16();
        if (type == (kAttributeShort | kAttributeKeyLength) && !transform.key_length) {
            transform.key_length = value;
        } else {
            transform.unknown_attribute = true;
            if (!(type & kAttributeShort)) in.skip(value);
        }
    }
    return !in.failed();
}

std::expected<Transform, Malformed> decode_transform(ByteReader& in, bool must_be_last) {
    const std::uint8_t more = in.u8();
    in.skip(1);
    const std::uint16_t length = in.u16();
    if (in.failed() || length < kTransformHeader) return std::unexpected{Malformed::substructure_length};
    ByteReader body{in.take(length - 4u)};
    if (in.failed()) return std::unexpected{Malformed::substructure_length};
    if (more != (must_be_last ? kLast : kMoreTransforms)) return std::unexpected{Malformed::substructure_chain};

    Transform transform;
    transform.type = TransformType{body.u8()};
    body.skip(1);
    transform.id = body.u16();
    if (!decode_attributes(body, transform)) return std::unexpected{Malformed::substructure_length};
    return transform;
}

std::expected<Proposal, Malformed> decode_proposal(ByteReader& in) {
    const std::uint8_t more = in.u8();
    in.skip(1);
    const std::uint16_t length = in.u16();
    if (in.failed() || length < kProposalHeader) return std::unexpected{Malformed::substructure_length};
    ByteReader body{in.take(length - 4u)};
    if (in.failed()) return std::unexpected{Malformed::substructure_length};
    if (more != (in.at_end() ? kLast : kMoreProposals)) return std::unexpected{Malformed::substructure_chain};

    Proposal proposal;
    proposal.number = body.u8();
    proposal.protocol = Protocol{body.u8()};
    const std::uint8_t spi_size = body.u8();
    const std::size_t transforms = body.u8();
    const ByteView spi = body.take(spi_size);
    if (body.failed()) return std::unexpected{Malformed::spi_size};
    if (transforms > SaPayload::kTransformsMax) return std::unexpected{Malformed::too_many_transforms};
    proposal.spi.assign(spi.begin(), spi.end());
    for (std::size_t i = 1; i <= transforms; ++i) {
        auto transform = decode_transform(body, i == transforms);
        if (!transform) return std::unexpected{transform.error()};
        proposal.transforms.push_back(*transform);
    }
    if (!body.at_end()) return std::unexpected{Malformed::substructure_chain};
    return proposal;
}

}  // namespace

std::expected<SaPayload, Malformed> decode_sa(ByteView body) {
    SaPayload sa;
    ByteReader in{body};
    do {
        if (sa.proposals.size() == SaPayload::kProposalsMax) return std::unexpected{Malformed::too_many_proposals};
        auto proposal = decode_proposal(in);
        if (!proposal) return std::unexpected{proposal.error()};
        sa.proposals.push_back(std::move(*proposal));
    } while (!in.at_end());
    return sa;
}

namespace {

void encode_transform(const Transform& transform, bool last, ByteWriter& out) {
    out.u8(last ? kLast : kMoreTransforms);
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(kTransformHeader + (transform.key_length ? 4 : 0)));
    out.u8(static_cast<std::uint8_t>(transform.type));
    out.u8(0);
    out.u16(transform.id);
    if (transform.key_length) {
        out.u16(kAttributeShort | kAttributeKeyLength);
        out.u16(*transform.key_length);
    }
}

void encode_proposal(const Proposal& proposal, bool last, ByteWriter& out) {
    assert(proposal.spi.size() < 256 && proposal.transforms.size() <= SaPayload::kTransformsMax);
    const std::size_t start = out.size();
    out.u8(last ? kLast : kMoreProposals);
    out.u8(0);
    out.u16(0);  // length, patched below
    out.u8(proposal.number);
    out.u8(static_cast<std::uint8_t>(proposal.protocol));
    out.u8(static_cast<std::uint8_t>(proposal.spi.size()));
    out.u8(static_cast<std::uint8_t>(proposal.transforms.size()));
    out.bytes(proposal.spi);
    for (const Transform& transform : proposal.transforms) encode_transform(transform, &transform == &proposal.transforms.back(), out);
    out.patch_u16(start + 2, static_cast<std::uint16_t>(out.size() - start));
}

}  // namespace

void encode_sa(const SaPayload& sa, ByteWriter& out) {
    for (const Proposal& proposal : sa.proposals) encode_proposal(proposal, &proposal == &sa.proposals.back(), out);
}

}  // namespace nave::ike
