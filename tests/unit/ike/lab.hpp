// A stage for plays between IKE endpoints: virtual time, seeded randomness, and a network that loses, doubles, damages and rewrites.
#pragma once

#include "controlplane/ike/endpoint.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nave::ike::play {

using namespace std::chrono_literals;

/// Bytes that follow from a seed (splitmix64).
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_{seed} {}
    void fill(std::span<std::uint8_t> bytes) override;

private:
    std::uint64_t state_;
};

/// A day that does not pass.
class StandingCalendar final : public Calendar {
public:
    std::chrono::sys_seconds now() const override { return today; }
    std::chrono::sys_seconds today{std::chrono::sys_days{std::chrono::year{2031} / 5 / 17} + 12h};
};

NbmaEndpoint at(std::string_view address, std::uint16_t port = 500);
Identity identity(std::string_view text);
IdentityPattern pattern(std::string_view text);
Secret secret(std::string_view text);

/// One actor: an endpoint and a dataplane that only remembers.
class Gateway final : public SpiSource {
public:
    Gateway(std::string name, std::string_view address, std::uint64_t seed);

    std::optional<Spi> allocate() override;
    std::optional<Spi> allocate_for(ResourceId) override { return allocate(); }
    void release(Spi spi) override;

    /// Starts the process anew, without memory.
    void start();
    void take(const Outbox& out, std::vector<SendDatagram>& sent);

    bool is_up() const;
    /// The only association that is up.
    SaId sa() const;
    SaView view() const;
    std::uint64_t count(std::string_view counter) const;
    bool logged(std::string_view words) const;
    Spi inbound_spi() const { return inbound.rbegin()->second.spi; }

    std::string name;
    NbmaAddress address;
    StandingCalendar calendar;
    Settings settings;
    std::size_t spis_max = 1000;
    SeededRandom random;
    std::unique_ptr<Endpoint> endpoint;

    std::vector<SaUp> ups;
    std::vector<SaDown> downs;
    std::vector<PeerEndpointChanged> moves;
    std::vector<std::string> logs;
    std::vector<KeyLog> key_log;
    std::vector<Trace> trace;
    std::map<ChildId, InstallInbound> inbound;  // as installed now
    std::vector<InstallOutbound> outbound;      // in order of installation: the last one is used
    std::set<Spi> spis;                         // taken
    std::size_t outbound_installs = 0;
    std::deque<Compute> jobs;                   // of the crypto pool, where the settings want one
    std::deque<FetchRevocation> fetches;        // that nobody has answered yet

private:
    std::uint32_t last_spi_ = 0;
};

struct Packet {
    Gateway* sender;
    NbmaEndpoint source, destination;
    Bytes payload;
};

class Lab {
public:
    explicit Lab(std::uint64_t seed = 1) : weather_random_{seed * 77 + 5}, seed_{seed} {}

    /// A gateway with identity `name`.example, one profile, and the key "secret" for everybody.
    Gateway& gateway(std::string name, std::string_view address);
    /// Puts a NAT with this public address in front; ports are mapped from 40000 up.
    void put_behind_nat(Gateway& gateway, std::string_view public_address);
    /// Same for one port given, so that the peer can begin (port forwarding).
    void forward(Gateway& gateway, std::uint16_t inside_port, std::uint16_t outside_port);
    /// The NAT forgets its mappings; the next packets get new ports.
    void rebind(Gateway& gateway);

    SaId connect(Gateway& from, Gateway& to, std::uint64_t token = 1, std::optional<IdentityPattern> expected = {});
    SaId connect_to(Gateway& from, const NbmaEndpoint& remote, std::uint64_t token = 1, std::optional<IdentityPattern> expected = {});
    /// connect and run; both up.
    void establish(Gateway& from, Gateway& to);

    // The network: oldest packet first; of one sender if given. False if there is none.
    bool deliver(Gateway* sender = nullptr);
    bool deliver(Gateway& sender) { return deliver(&sender); }
    /// Gives the lost packet's payload.
    Bytes lose(Gateway* sender = nullptr);
    Bytes lose(Gateway& sender) { return lose(&sender); }
    /// The oldest packet, taken off the wire.
    Packet intercept(Gateway* sender = nullptr);
    void inject(const Packet& packet);
    std::size_t in_flight() const { return wire.size(); }
    /// Delivers everything, also what comes of it, at the present time.
    void run();

    /// The crypto pool does the oldest job; nothing else is delivered. False if it has none.
    bool compute(Gateway& gateway);
    /// Both, until nothing is left of either.
    void run_with_pools();

    // Time
    void advance_to_next_deadline();
    /// Runs deadlines and the network for so long.
    void advance(Duration duration);
    /// With every packet in `drop` lost.
    void advance_losing(Duration duration, Gateway& sender);

    /// One of the endpoint's calls, with the outbox carried out.
    void act(Gateway& gateway, const std::function<void(Endpoint&, Outbox&)>& call);
    void rekey_child(Gateway& gateway);
    void rekey_ike(Gateway& gateway);
    void close(Gateway& gateway, bool at_once = false);
    /// The dataplane saw the first packet on the SA that the peer's newest outbound SA leads to.
    void send_traffic(Gateway& from, Gateway& to);

    /// Whether what `from` would send is what `to` can decrypt.
    static bool reaches(const Gateway& from, const Gateway& to);
    static bool talk(const Gateway& a, const Gateway& b) { return reaches(a, b) && reaches(b, a); }

    struct Weather { std::uint32_t loss_percent = 0, duplicate_percent = 0, reorder_percent = 0; };
    Weather weather;
    TimePoint now{1h};
    std::deque<Packet> wire;

private:
    struct Nat {
        NbmaAddress outside;
        std::map<std::uint16_t, std::uint16_t> ports;  // inside to outside
    };
    void carry_out(Gateway& gateway, const Outbox& out);
    std::optional<TimePoint> next_deadline() const;
    void run_deadlines();
    std::deque<Packet>::iterator first_of(Gateway* sender);

    std::vector<std::unique_ptr<Gateway>> gateways_;
    std::map<const Gateway*, Nat> nats_;
    std::uint16_t next_nat_port_ = 40000;
    SeededRandom weather_random_;
    std::uint64_t seed_;
};

}  // namespace nave::ike::play
