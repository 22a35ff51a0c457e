// The three phases of encryption. Zero copy: headers are prepended and the trailer appended once, the cipher works in place; a
// payload that several packets share is read where it lies, and only its ciphertext is written to each packet's own buffer.
#include "dataplane/encap.hpp"

namespace nave::dataplane {

namespace {

constexpr std::size_t kFrontSize = sizeof(EspHeader) + kEspIvSize, kTrailer = 2;

/// What the trailer adds: padding to four bytes with pad length and next header (RFC 4303 §2.4).
constexpr std::size_t pad_length(std::size_t payload) { return (4 - (payload + kTrailer) % 4) % 4; }

void write_trailer(std::uint8_t* to, std::size_t padding, EspMode mode) {
    for (std::size_t i = 0; i < padding; ++i) to[i] = static_cast<std::uint8_t>(i + 1);
    to[padding] = static_cast<std::uint8_t>(padding);
    to[padding + 1] = mode == EspMode::transport ? kProtocolGre : kProtocolIpip;
}

/// ESP header and IV. The IV is the sequence number: unique under the key, which is all that GCM and ChaCha20 ask for (RFC 4106 §3.1).
void write_header(std::uint8_t* to, const OutboundSa& sa, std::uint64_t sequence) {
    const EspHeader esp{be32(sa.spi.value), be32(static_cast<std::uint32_t>(sequence))};
    const be64 iv{sequence};
    std::memcpy(to, &esp, sizeof esp);
    std::memcpy(to + sizeof esp, &iv, sizeof iv);
}

void describe(AeadJob& job, const std::uint8_t* esp, const OutboundSa& sa, std::uint64_t sequence) {
    job.key = &sa.key;
    std::copy_n(sa.key.salt.begin(), 4, job.nonce.begin());
    std::copy_n(esp + sizeof(EspHeader), kEspIvSize, job.nonce.begin() + 4);
    std::copy_n(esp, 4, job.associated.begin());
    const be64 whole{sequence};
    const be32 low{static_cast<std::uint32_t>(sequence)};
    if (sa.esn) std::memcpy(job.associated.data() + 4, &whole, sizeof whole);
    else std::memcpy(job.associated.data() + 4, &low, sizeof low);
    job.associated_length = sa.esn ? 12 : 8;
}

/// A first segment with room for headers and for everything behind it; nullptr when there is no buffer.
/// Chains keep their shared payload, unless the first segment is too small for the ciphertext.
Packet* with_room(Packet& packet, std::size_t behind, WorkerState& worker) {
    const bool fits = packet.nb_segs <= 1 + AeadJob::kGatherMax && rte_pktmbuf_headroom(&packet) >= kFrontSize + OuterHeader::kRoom &&
                      std::size_t{packet.buf_len} - packet.data_off - packet.data_len >= packet.length() - packet.data_len + behind;
    if (packet.nb_segs > 1 && fits) return &packet;
    return worker.pools.contiguous(packet, kFrontSize + OuterHeader::kRoom, behind);
}

/// The segments behind the first become the cipher's sources, and the first takes the room of their ciphertext.
void gather(AeadJob& job, Packet& packet) {
    job.gather_count = 0;
    job.head_length = packet.data_len;
    for (const rte_mbuf* segment = packet.next; segment; segment = segment->next)
        job.gather[job.gather_count++] = {rte_pktmbuf_mtod(segment, const std::uint8_t*), segment->data_len};
}

/// `packet` is an element of the burst, because a packet without room is replaced by a copy that has it.
Verdict prepare(Packet*& packet, WorkerState& worker) {
    const Peer* peer = worker.tables.peer(packet->meta().to_peer);
    OutboundSa* sa = peer && peer->has_sa ? worker.tables.outbound(peer->sa_slot) : nullptr;
    if (!sa) return Drop::peer_no_sa;
    if (sa->usage.exhausted()) return Drop::esp_hard_limit;
    const std::size_t payload = packet->length(), padding = pad_length(payload), behind = padding + kTrailer + kIcvSize;
    Packet* roomy = with_room(*packet, behind, worker);
    if (!roomy) return Drop::no_buffer;
    packet = roomy;
    const auto sequence = sa->sequence.next();
    if (!sequence) return Drop::esp_sequence_exhausted;
    packet->meta().sequence = *sequence;
    if (sa->usage.add(payload) && sa->usage.judge(sa->limits)) sa->usage.told(worker.emit(SaNearLimit{Direction::outbound, peer->sa_slot, sa->peer, sa->spi}), sa->limits);

    auto& batch = worker.sealing;
    AeadJob& job = batch.jobs[batch.size];
    ++batch.size;
    gather(job, *packet);
    std::uint8_t* text = packet->data();
    write_trailer(text + payload, padding, sa->mode);
    job.text = text;
    job.length = static_cast<std::uint32_t>(payload + padding + kTrailer);
    job.icv = text + job.length;
    write_header(text - kFrontSize, *sa, *sequence);
    describe(job, text - kFrontSize, *sa, *sequence);
    return Verdict::pass();
}

Verdict settle(Packet& packet, const AeadJob& job, WorkerState& worker) {
    if (!job.ok) return Drop::crypto_failed;
    const Peer* peer = worker.tables.peer(packet.meta().to_peer);
    if (!peer) return Drop::peer_unknown;
    if (packet.next) {
        rte_pktmbuf_free(std::exchange(packet.next, nullptr));
        packet.nb_segs = 1;
    }
    const std::size_t esp_length = kFrontSize + job.length + kIcvSize;
    packet.data_len = static_cast<std::uint16_t>(job.length + kIcvSize);
    packet.pkt_len = packet.data_len;
    SaCounters& counters = worker.all_counters.outbound[peer->sa_slot.value];
    counters.packets.add(1);
    counters.bytes.add(packet.meta().inner_length);
    packet.prepend(kFrontSize + peer->outer.size());
    peer->outer.write(packet.data() + peer->outer.size(), {.payload_length = static_cast<std::uint16_t>(esp_length),
                                                                     .identification = static_cast<std::uint16_t>(packet.meta().sequence),
                                                                     .type_of_service = packet.meta().outer_type_of_service});
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
    // 3. Settle each packet: sealed and addressed, or dropped with a reason.
    std::size_t next = 0;
    run_stage(burst, worker.drops, [&](Packet& packet) {
        const std::size_t i = next++;
        return settle(packet, batch.jobs[i], worker);
    });
}

}  // namespace nave::dataplane
