// Many gateways under one virtual clock: delivers their packets, wakes them at their deadlines, watches that nothing leaks.
#pragma once

#include "controlplane/overlay/gateway.hpp"
#include "tests/simulation/model_dataplane.hpp"
#include "tests/simulation/underlay.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nave::simulation {

/// What a gateway is, apart from its running state: enough to start it, and to start it again.
struct Blueprint {
    overlay::Settings settings;
    NbmaAddress underlay;
    std::optional<NbmaAddress> second_underlay{};  // of the other IP version
    std::optional<std::size_t> nat;
    std::vector<Prefix> lan;             // behind it
    IpAddress host;                      // one host there
};

/// The fate of a test packet.
struct Trace {
    std::size_t from = 0, to = 0;
    std::optional<std::vector<std::size_t>> path;  // gateways passed, once delivered
    TimePoint sent_at;
    std::uint32_t copies = 0;
    bool relayed() const { return path && path->size() > 2; }
    bool direct() const { return path && path->size() == 2; }
};

class World {
public:
    World(std::uint64_t seed, Weather weather);
    ~World();

    std::size_t add(Blueprint blueprint);
    std::size_t size() const { return stations_.size(); }
    Blueprint& blueprint(std::size_t index);
    /// Creates the gateway and gives it its underlay address and LAN.
    void start(std::size_t index);
    void start_at(std::size_t index, TimePoint when);
    /// Power cut: nothing is said to anybody.
    void crash(std::size_t index);
    bool is_running(std::size_t index) const;
    void shut_down(std::size_t index);
    void change_address(std::size_t index, NbmaAddress address);

    overlay::Gateway& gateway(std::size_t index);
    ModelDataplane& dataplane(std::size_t index);
    Underlay& underlay() { return underlay_; }
    TimePoint now() const { return now_; }

    /// Sends a packet from the host behind one gateway to that behind another; its fate is in trace().
    std::size_t ping(std::size_t from, std::size_t to);
    std::size_t ping(std::size_t from, const IpAddress& source, const IpAddress& destination, std::size_t to);
    const Trace& trace(std::size_t id) const { return traces_[id]; }
    void run_for(Duration span);
    /// True as soon as the condition holds, which is looked at every `step`; false when `limit` is over.
    bool run_until(const std::function<bool()>& condition, Duration limit, Duration step = std::chrono::milliseconds{200});
    void set_counter_interval(Duration interval) { counter_interval_ = interval; }
    /// How far the route writers may be behind the workers.
    void set_route_lag(Duration most) { route_lag_ = most; }
    /// Loses so many percent of the dataplane's events.
    void set_event_loss(std::uint32_t percent) { event_loss_percent_ = percent; }
    /// Whoever fulfils it does not send this NHRP packet, or sends what is made of it: a peer that speaks another dialect.
    void suppress_nhrp(std::function<bool(std::size_t from, PeerId to, Bytes& packet)> condition) { suppressed_ = std::move(condition); }
    /// What the domain name server says from here on.
    void set_name(const std::string& name, std::vector<NbmaAddress> addresses) { names_[name] = std::move(addresses); }
    /// Routes that the gateway wanted in its kernel's table, with their gateways.
    const std::map<Prefix, TunnelAddress>& kernel_routes(std::size_t index) const;
    /// Runs a function of the overlay on a gateway and carries out what it wants.
    void with(std::size_t index, const std::function<void(overlay::Gateway&, TimePoint, overlay::Outbox&)>& call);

    std::uint64_t counter(std::size_t index, std::string_view name) const;
    const std::vector<std::string>& log(std::size_t index) const;
    bool has_logged(std::size_t index, std::string_view part) const;
    /// Everything that must never happen and did.
    std::vector<std::string> violations() const;
    void echo_log(bool echo) { echo_ = echo; }
    std::uint64_t events_handled() const { return handled_; }

private:
    struct Station;
    struct Wake {};
    struct ReadCounters {};
    struct Start {};
    struct WriteRoute {};
    struct Resolve { std::string name; };
    struct Arrival { UnderlayPacket packet; std::size_t sender; };
    struct Entry {
        TimePoint when;
        std::uint64_t order;
        std::size_t station;
        std::uint64_t life;  // of the station that it is meant for; 0 for any
        std::variant<Wake, ReadCounters, Start, WriteRoute, Resolve, Arrival, Event> what;
    };

    void push(TimePoint when, std::size_t station, std::uint64_t life, decltype(Entry::what) what);
    void handle(Entry& entry);
    void arrive(Arrival& arrival);
    void carry_out(std::size_t index, overlay::Outbox& out);
    void carry_out(std::size_t index, Effects& effects);
    void plan(std::size_t index);
    void note(std::size_t index, const overlay::Log& line);

    SeededRandom random_;
    Underlay underlay_;
    TimePoint now_{std::chrono::hours{1}};
    std::vector<std::unique_ptr<Station>> stations_;
    std::vector<Entry> queue_;  // a heap
    std::uint64_t order_ = 0, handled_ = 0;
    SealingKeys sealing_keys_;
    std::vector<Trace> traces_;
    Duration counter_interval_ = std::chrono::seconds{1};
    Duration route_lag_ = std::chrono::milliseconds{2};
    std::uint32_t event_loss_percent_ = 0;
    std::function<bool(std::size_t, PeerId, Bytes&)> suppressed_;
    std::vector<std::string> violations_;
    std::map<std::string, std::vector<NbmaAddress>> names_;
    bool echo_ = false;
};

}  // namespace nave::simulation
