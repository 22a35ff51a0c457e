// The parts of the control thread.
#pragma once

#include "controlplane/config/revocation_files.hpp"
#include "controlplane/kernel/kernel.hpp"
#include "controlplane/kernel/underlay.hpp"
#include "controlplane/management/operable.hpp"
#include "controlplane/management/server.hpp"
#include "controlplane/overlay/gateway.hpp"
#include "controlplane/runtime/command_dispatcher.hpp"
#include "controlplane/runtime/crypto_pool.hpp"
#include "controlplane/runtime/fetcher.hpp"
#include "controlplane/runtime/key_log_files.hpp"
#include "controlplane/runtime/log.hpp"
#include "controlplane/runtime/resolver.hpp"
#include "controlplane/runtime/runtime.hpp"
#include "controlplane/runtime/ticket_keys.hpp"

#include <map>
#include <optional>

namespace nave::runtime {

struct Runtime::Impl final : management::Operable {
    static constexpr int kPacketsPerTurn = 256;  // from one ring or twin, so that none starves the others
    static constexpr Duration kCountersInterval = std::chrono::seconds{1};
    static constexpr Duration kRevocationsInterval = std::chrono::seconds{5};
    static constexpr Duration kBacklogPause = std::chrono::milliseconds{1};
    static constexpr Duration kFarewell = std::chrono::milliseconds{300};

    Impl(const Surroundings& around, kernel::Kernel opened_kernel);

    // The loop
    int run();
    void turn();
    std::optional<Duration> longest_sleep(TimePoint now);
    bool rings_are_empty() const;
    void say_what_is_missing();
    void say_farewell();
    void watch_descriptors();

    // Inputs
    void drain_rings(TimePoint now);
    void take_event(const Event& event, TimePoint now);
    void take_packet(const PacketMessage& message, TimePoint now);
    void take_datagram(const PacketMessage& message, TimePoint now);
    void read_twin(std::size_t twin);
    void follow_kernel(TimePoint now);
    void take_change(const kernel::Change& change, TimePoint now);
    void take_computed(TimePoint now);
    void take_fetched(TimePoint now);
    void take_resolved(TimePoint now);
    void meet_deadlines(TimePoint now);
    void take_new_revocations(TimePoint now);
    void take_new_ticket_keys();
    void take_signal();

    // Outputs
    /// Performs what the overlay wants, in its order; empties `out`.
    void perform(TimePoint now);
    void perform(const overlay::Action& action, TimePoint now);
    void perform_underlay();
    /// False when the worker's ring is full; the packet is lost then, and counted.
    bool inject(const PacketMessage& message);
    void log(ike::Severity severity, std::string_view key, std::string_view text);

    // For the operator
    std::vector<overlay::PeerView> peers() const override;
    std::vector<overlay::NhrpView> nhrp() const override;
    std::vector<overlay::IkeView> ike() const override;
    std::vector<overlay::SaView> sas() const override;
    std::vector<overlay::RouteView> routes() const override;
    std::vector<management::PortView> ports() const override;
    const Counters& dataplane_counters() const override;
    std::vector<std::pair<std::string, std::uint64_t>> control_counters() const override;
    const config::Config& configuration() const override;
    std::size_t clear_peer(std::string_view text) override;
    void shut_down() override;

    Surroundings around;
    EventLoop loop;
    Log log_lines;
    std::optional<KeyLogFiles> key_log;
    CryptoPool crypto_pool;
    Fetcher fetcher;
    Resolver resolver;
    CommandDispatcher commands;
    kernel::Kernel kernel;
    kernel::Underlay underlay;
    overlay::Outbox out;
    kernel::UnderlayOutbox underlay_out;
    overlay::Gateway gateway;  // writes into `out` when it is made
    std::unique_ptr<management::Server> server;
    PacketMessage message;     // the one on its way down, too large for the stack
    config::RevocationFiles revocations;
    std::optional<TicketKeys> ticket_keys;
    TimePoint counters_at{}, revocations_at{};
    bool ending = false;
    bool routes_suspect = false;  // a peer came or went to whom a route of the kernel may matter
    int exit_code = 0;
    std::map<std::string, std::uint64_t, std::less<>> counted;  // what only the runtime counts
};

}  // namespace nave::runtime
