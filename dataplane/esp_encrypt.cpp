// The three phases of encryption. Zero copy: headers are prepended and the trailer appended once, the cipher works in place; a
// payload that several packets share is read where it lies by AEADs, and only its ciphertext is written to each packet's own buffer.
#include "dataplane/encap.hpp"

namespace nave::dataplane {

namespace {

constexpr std::size_t kTrailer = 2;
constexpr std::array<std::uint8_t, 16> kPadding{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/// What makes payload, padding, pad length and next header whole units of the cipher (RFC 4303 §2.4).
std::size_t pad_length(std::size_t payload, std::size_t alignment) { return (0 - (payload + kTrailer)) & (alignment - 1); }

/// Always writes as many bytes as the longest padding has: where they are too many, the rest of the trailer and the ICV follow.
void write_trailer(std::uint8_t* to, std::size_t padding, std::uint8_t next_header) {
    std::memcpy(to, kPadding.data(), kPadding.size());
    to[padding] = static_cast<std::uint8_t>(padding);
    to[padding + 1] = next_header;
}

/// Tunnel mode: the text begins with an IP header of either version.
std::uint8_t protocol_of_middle(const std::uint8_t* text) { return text[0] >> 4 == 6 ? kProtocolIpv6 : kProtocolIpip; }

/// ESP header, and in front of the text the IV of AEADs. It is the sequence number: unique under the key, which is all that GCM, GMAC and
/// ChaCha20 ask for (RFC 4106 §3.1, RFC 4543 §3.1). CBC's ends in the same place, and the cipher writes it; where a suite has none, the
/// header comes to stand there.
void write_header(std::uint8_t* text, const OutboundSa& sa, std::uint64_t sequence) {
    const EspHeader esp{be32(sa.spi.value), be32(static_cast<std::uint32_t>(sequence))};
    const be64 iv{sequence};
    std::memcpy(text - sizeof iv, &iv, sizeof iv);
    std::memcpy(text - front_of(sa.sizes), &esp, sizeof esp);
}

/// A first segment with room for headers and for everything behind it; nullptr when there is no buffer.
/// Chains keep their shared payload, unless the suite cannot gather or the first segment is too small for the ciphertext.
Packet* with_room(Packet& packet, const EspSizes& sizes, std::size_t behind, WorkerState& worker) {
    const std::size_t front = front_of(sizes) + OuterHeader::kRoom;
    const bool fits = sizes.is_aead() && packet.nb_segs <= 1 + EspJob::kGatherMax && rte_pktmbuf_headroom(&packet) >= front &&
                      std::size_t{packet.buf_len} - packet.data_off - packet.data_len >= packet.length() - packet.data_len + behind;
    if (packet.nb_segs > 1 && fits) return &packet;
    return worker.pools.contiguous(packet, front, behind);
}

/// The segments behind the first become the cipher's sources, and the first takes the room of their ciphertext.
void gather(EspJob& job, std::array<ByteView, EspJob::kGatherMax>& pieces, const Packet& packet) {
    job.head_length = packet.data_len;
    job.gather = pieces.data();
    for (const rte_mbuf* segment = packet.next; segment; segment = segment->next)
        pieces[job.gather_count++] = {rte_pktmbuf_mtod(segment, const std::uint8_t*), segment->data_len};
}

/// `packet` is an element of the burst, because a packet without room is replaced by a copy that has it.
Verdict prepare(Packet*& packet, WorkerState& worker) {
    const Peer* peer = worker.tables.peer(packet->meta().to_peer);
    OutboundSa* sa = peer && peer->has_sa ? worker.tables.outbound(peer->sa_slot) : nullptr;
    if (!sa) return Drop::peer_no_sa;
    if (sa->usage.exhausted()) return Drop::esp_hard_limit;
    const EspSizes& sizes = sa->sizes;
    const std::size_t payload = packet->length(), padding = pad_length(payload, sizes.alignment), behind = padding + kTrailer + sizes.icv;
    Packet* roomy = with_room(*packet, sizes, behind, worker);
    if (!roomy) return Drop::no_buffer;
    packet = roomy;
    const auto sequence = sa->sequence.next(sa->esn);
    if (!sequence) return Drop::esp_sequence_exhausted;
    packet->meta().sequence = *sequence;
    if (sa->usage.add(payload) && sa->usage.judge(sa->limits)) sa->usage.told(worker.emit(SaNearLimit{Direction::outbound, peer->sa_slot, sa->peer, sa->spi}), sa->limits);

    auto& batch = worker.sealing;
    EspJob& job = batch.jobs[batch.size];
    job.gather_count = 0;
    if (packet->nb_segs > 1) [[unlikely]] gather(job, batch.gathered[batch.size], *packet);
    ++batch.size;
    std::uint8_t* text = packet->data();
    write_trailer(text + payload, padding, sa->mode == EspMode::transport ? kProtocolGre : protocol_of_middle(text));
    job.text = text;
    job.length = static_cast<std::uint32_t>(payload + padding + kTrailer);
    write_header(text, *sa, *sequence);
    job.describe(sa->key, sizes, text - front_of(sizes), sa->esn, *sequence);
    return Verdict::pass();
}

Verdict settle(Packet& packet, const EspJob& job, WorkerState& worker) {
    if (!job.ok) return Drop::crypto_failed;
    const Peer* peer = worker.tables.peer(packet.meta().to_peer);
    if (!peer) return Drop::peer_unknown;
    if (packet.nb_segs > 1) {
        rte_pktmbuf_free(std::exchange(packet.next, nullptr));
        packet.nb_segs = 1;
    }
    packet.data_off = static_cast<std::uint16_t>(packet.data_off - job.front);
    packet.data_len = static_cast<std::uint16_t>(job.front + job.length + job.icv_size);
    packet.pkt_len = packet.data_len;
    SaCounters& counters = worker.all_counters.outbound[peer->sa_slot.value];
    counters.packets.add(1);
    counters.bytes.add(packet.meta().inner_length);
    return Verdict::pass();
}

}  // namespace

void esp_encrypt(Burst& burst, WorkerState& worker) {
    auto& batch = worker.sealing;
    batch.size = 0;
    // 1. Sequence numbers, room, trailer, header, jobs.
    run_stage(burst, worker.drops, [&](Packet*& packet) { return prepare(packet, worker); });
    // 2. All ciphers of the burst at once.
    worker.crypto.seal({batch.jobs.data(), batch.size});
    // 3. Settle each packet: sealed, or dropped with a reason.
    std::size_t next = 0;
    run_stage(burst, worker.drops, [&](Packet& packet) {
        const std::size_t i = next++;
        return settle(packet, batch.jobs[i], worker);
    });
}

}  // namespace nave::dataplane
