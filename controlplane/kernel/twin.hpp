// A twin: a kernel TAP or TUN interface whose other side is held by this process, and which goes when the process does.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/kernel/objects.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>

namespace nave::kernel {

/// Control thread only. The kernel hands out packets with whole checksums and of at most MTU size: no offload is ever asked for.
class Twin {
public:
    enum class Kind : std::uint8_t {
        tap,  // Ethernet frames
        tun,  // IP packets
    };

    /// Makes the interface, down, in the network namespace of the calling thread. The error says in words what is wrong and what to do.
    /// A name that a dying predecessor still holds is waited for a moment.
    static std::expected<Twin, std::string> open(Kind kind, const std::string& name);
    Twin(Twin&& other) noexcept;
    Twin& operator=(Twin&&) = delete;
    ~Twin();

    Kind kind() const { return kind_; }
    const std::string& name() const { return name_; }
    InterfaceIndex index() const { return index_; }
    /// Readable when the kernel sends something.
    int descriptor() const { return descriptor_; }

    /// The next packet that the kernel sends, as how many bytes of `room` it filled; nothing when there is none now.
    std::optional<std::size_t> read(std::span<std::uint8_t> room);
    /// Lets the kernel receive a packet; false when it does not take it, mostly because the interface is down.
    bool write(ByteView packet);

private:
    Twin(Kind kind, std::string name, int descriptor, InterfaceIndex index)
        : kind_{kind}, name_{std::move(name)}, descriptor_{descriptor}, index_{index} {}
    Kind kind_;
    std::string name_;
    int descriptor_;
    InterfaceIndex index_;
};

/// Makes an interface fit to be a twin, before it comes up: no IPv6 but what it is told to have, router advertisements unheard, no source check that knows only half of the routes,
/// and forwarding for packets that it brings if `forwards`. Settings that this kernel lacks are passed over.
void quiet_interface(const std::string& name, bool forwards);
/// Before a TAP twin gets an IPv6 address: where the machine's default is to have no IPv6, this interface has.
void let_ipv6(const std::string& name);
/// Neighbour advertisements of this twin say that it is a router (RFC 4861 §4.4), which hosts behind an inside port want to hear.
void announce_router(const std::string& name);
/// fe80::/64 with the interface identifier made of a MAC (RFC 4291 appendix A). Solicitations carry it as their source (RFC 4861 §4.3).
IpAddress link_local_address(const MacAddress& mac);

/// While it lives, ICMP errors of this network namespace carry the address of the interface that their cause came in by. Without that an error
/// for a packet out of the tunnel has no address yet when its way is looked up, and would leave in clear by the underlay's default route.
class IcmpErrorsByInboundAddress {
public:
    IcmpErrorsByInboundAddress();
    IcmpErrorsByInboundAddress(IcmpErrorsByInboundAddress&& other) noexcept;
    IcmpErrorsByInboundAddress& operator=(IcmpErrorsByInboundAddress&&) = delete;
    /// Puts the old setting back.
    ~IcmpErrorsByInboundAddress();

private:
    std::string old_;
};

/// The machine-wide reverse path filter (net.ipv4.conf.all.rp_filter): 0 off, 1 strict, 2 loose. It overrules a twin's weaker one.
int machine_reverse_path_filter();

}  // namespace nave::kernel
