// A whole IKEv2 message: the header (RFC 7296 §3.1) and the payloads behind it.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/payloads.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

struct Header {
    static constexpr std::size_t kSize = 28;
    std::uint64_t initiator_spi = 0, responder_spi = 0;
    PayloadType first = PayloadType::none;  // set by decoding; encoding takes it from the payloads
    std::uint8_t major_version = 2, minor_version = 0;
    ExchangeType exchange{};
    bool from_initiator = false;  // I: sent by the original initiator of the IKE SA
    bool higher_version = false;  // V
    bool response = false;        // R
    std::uint32_t message_id = 0;
    bool operator==(const Header&) const = default;
};

struct Message {
    Header header{};
    std::vector<Payload> payloads{};
    bool operator==(const Message&) const = default;
};

/// The header alone; also of another major version, so that it can be answered. The message ends where the header's length says.
std::expected<Header, DecodeError> decode_header(ByteView message);
/// The header and every payload outside of SK. Takes the message without a non-ESP marker.
std::expected<Message, DecodeError> decode_message(ByteView message);
Bytes encode_message(const Header& header, std::span<const Payload> payloads);
/// Writes the 28 bytes; the message's length is patched in at offset 24 once it is known.
void encode_header(const Header& header, PayloadType first, ByteWriter& out);

/// For logs: "IKE_AUTH request 1 [ SK ]".
std::string describe(const Header& header, std::span<const Payload> payloads);

}  // namespace nave::ike
