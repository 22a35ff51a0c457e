// The pcap format: raw IP, written by the byte.
#include "tests/unit/nhrp/capture.hpp"

#include "common/checksum.hpp"

#include <cstdlib>
#include <fstream>

namespace nave::nhrp {
namespace {

constexpr std::uint8_t kGre = 47;

Bytes pcap_header() {
    ByteWriter out;
    for (const std::uint32_t word : {0xa1b2c3d4u, 0x00020004u, 0u, 0u, 65535u, 101u}) out.u32(word);  // version 2.4, raw IP
    return out.take();
}

Bytes outer(const NbmaAddress& from, const NbmaAddress& to, std::size_t payload) {
    ByteWriter out;
    const auto length = static_cast<std::uint16_t>(payload);
    if (from.value.is_v4()) {
        out.u16(0x4500), out.u16(static_cast<std::uint16_t>(20 + length)), out.u32(0), out.u8(64), out.u8(kGre), out.u16(0);
    } else {
        out.u32(0x60000000), out.u16(length), out.u8(kGre), out.u8(64);
    }
    out.bytes(from.value.bytes()), out.bytes(to.value.bytes());
    if (from.value.is_v4()) out.patch_u16(10, internet_checksum(out.view()));
    return out.take();
}

}  // namespace

void append_to_capture(const std::vector<Flight>& flights) {
    const char* path = std::getenv("NAVE_NHRP_CAPTURE");
    if (!path) return;
    std::ofstream file{path, std::ios::binary | std::ios::app};
    const auto write = [&](ByteView bytes) { file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())); };
    if (file.tellp() == 0) write(pcap_header());
    for (const Flight& flight : flights) {
        ByteWriter out;
        out.u32(0x20002001), out.u32(42);  // GRE with a key
        out.bytes(flight.bytes);
        // A station with both underlays has one address here; the header around NHRP only has to be one.
        const NbmaAddress& from = flight.from->nbma;
        const bool one_family = from.value.family() == flight.to->nbma.value.family();
        const Bytes header = outer(from, one_family ? flight.to->nbma : from, out.size());
        ByteWriter record;
        const auto size = static_cast<std::uint32_t>(header.size() + out.size());
        for (const std::uint32_t word : {0u, 0u, size, size}) record.u32(word);
        write(record.view()), write(header), write(out.view());
    }
}

}  // namespace nave::nhrp
