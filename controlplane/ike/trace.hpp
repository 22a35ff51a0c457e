// Messages as they are before encryption and after decryption, for an operator who turned the key log on.
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/protected_message.hpp"

#include <span>

namespace nave::ike {

/// A protected message of ours, with its inner payloads in place of SK.
void trace_sealed(Context& context, const NbmaEndpoint& local, const NbmaEndpoint& remote, const Header& header, std::span<const Payload> inner);
/// A protected message of the peer, once authentic and whole, with the bytes that were inside of SK.
void trace_opened(Context& context, const Arrival& arrival, const Inside& inside);
/// A message that goes out or came in as it is; nothing if what is inside is encrypted.
void trace_plain(Context& context, const NbmaEndpoint& source, const NbmaEndpoint& destination, ByteView message);

}  // namespace nave::ike
