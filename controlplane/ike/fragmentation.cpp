// Cutting and joining of inner chains.
#include "controlplane/ike/fragmentation.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace nave::ike {

std::vector<Bytes> seal_to_fit(const Header& header, std::span<const Payload> inner, const ProtectionKeys& keys, Random& random, std::size_t size_max) {
    ByteWriter writer;
    encode_payload_chain(inner, writer);
    const ByteView chain = writer.view();
    const PayloadType first = inner.empty() ? PayloadType::none : type_of(inner.front());
    if (chain.size() <= content_max(keys, size_max, IsFragment::no)) return {seal_chain(header, first, chain, keys, random)};

    const std::size_t step = content_max(keys, size_max, IsFragment::yes);
    assert(step > 0);
    const std::size_t total = (chain.size() + step - 1) / step;
    assert(total <= 0xffff);
    std::vector<Bytes> messages;
    for (std::size_t i = 0; i < total; ++i) {
        const ByteView part = chain.subspan(i * step, std::min(step, chain.size() - i * step));
        const FragmentNumber number{static_cast<std::uint16_t>(i + 1), static_cast<std::uint16_t>(total)};
        messages.push_back(seal_fragment(header, number, i == 0 ? first : PayloadType::none, part, keys, random));
    }
    return messages;
}

Reassembly::Outcome Reassembly::add(std::uint32_t message_id, Inside fragment) {
    const auto [number, total] = fragment.fragment.value();
    if (total_ != 0 && message_id != message_id_) forget();
    if (total < total_) return Outcome::superseded;
    if (total > kFragmentsMax) return Outcome::beyond_limits;
    if (total > total_) {
        forget();
        message_id_ = message_id;
        total_ = total;
    }
    if (parts_.contains(number)) return parts_.size() == total_ ? Outcome::complete : Outcome::repeated;
    if (bytes_ + fragment.chain.size() > kBytesMax) return Outcome::beyond_limits;
    bytes_ += fragment.chain.size();
    if (number == 1) first_ = fragment.first, head_ = std::move(fragment.head);
    parts_.emplace(number, std::move(fragment.chain));
    return parts_.size() == total_ ? Outcome::complete : Outcome::kept;
}

Inside Reassembly::whole() const {
    assert(total_ != 0 && parts_.size() == total_);
    Inside whole{.first = first_, .chain = {}, .fragment = {}, .head = head_};
    whole.chain.reserve(bytes_);
    for (const auto& [number, part] : parts_) whole.chain.insert(whole.chain.end(), part.begin(), part.end());
    return whole;
}

std::string_view name(Reassembly::Outcome outcome) {
    switch (outcome) {
    case Reassembly::Outcome::kept:          return "fragments-kept";
    case Reassembly::Outcome::complete:      return "fragments-complete";
    case Reassembly::Outcome::repeated:      return "fragments-repeated";
    case Reassembly::Outcome::superseded:    return "fragments-superseded";
    case Reassembly::Outcome::beyond_limits: return "fragments-beyond-limits";
    }
    return "unknown";
}

}  // namespace nave::ike
