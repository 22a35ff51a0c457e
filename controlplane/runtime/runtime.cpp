// The loop, its sleep and its end.
#include "controlplane/runtime/runtime_impl.hpp"

#include "controlplane/management/requests.hpp"
#include "controlplane/runtime/plan.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>

namespace nave::runtime {

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime::~Runtime() = default;
int Runtime::run() { return impl_->run(); }

std::expected<Runtime, std::string> Runtime::start(const Surroundings& surroundings) {
    auto kernel = kernel::Kernel::open(plan_of(surroundings.config, [&](PortId port) { return surroundings.device(port).mac; }), surroundings.adjacencies_max,
                                       static_cast<std::uint8_t>(surroundings.rings.size()));
    if (!kernel) return std::unexpected{kernel.error()};
    auto impl = std::make_unique<Impl>(surroundings, std::move(*kernel));
    if (const std::string& folder = surroundings.config.control.key_log; !folder.empty()) {
        auto files = KeyLogFiles::open(folder);
        if (!files) return std::unexpected{files.error()};
        impl->key_log = std::move(*files);
        impl->log(ike::Severity::warning, "key-log",
                  fmt::format("key_log is on: all keys of IKE and ESP, and IKE in clear, are written to {}; whoever reads them reads all traffic", folder));
    }
    auto ticket_keys = TicketKeys::open(surroundings.config.control.ticket_key, surroundings.random, surroundings.config.overlay.ike.calendar->now());
    if (!ticket_keys) return std::unexpected{ticket_keys.error()};
    impl->gateway.replace_ticket_keys(ticket_keys->keys());
    impl->ticket_keys = std::move(*ticket_keys);
    auto server = management::Server::listen(surroundings.config.control.socket, [self = impl.get()](std::string_view line) {
        return management::answer(line, *self);
    });
    if (!server) return std::unexpected{server.error()};
    impl->server = std::move(*server);
    impl->watch_descriptors();
    return Runtime{std::move(impl)};
}

Runtime::Impl::Impl(const Surroundings& surroundings, kernel::Kernel opened_kernel)
    : around{surroundings}, log_lines{Log::for_standard_error(around.config.name, around.config.control.log_level)}, commands{around.rings, around.route_rings},
      kernel{std::move(opened_kernel)}, gateway{around.config.overlay, around.random, now(), out}, revocations{around.config} {}

void Runtime::Impl::watch_descriptors() {
    loop.watch(around.bell.descriptor(), [] {});
    loop.watch(around.signals.descriptor(), [this] { take_signal(); });
    loop.watch(crypto_pool.descriptor(), [this] { take_computed(now()); });
    loop.watch(fetcher.descriptor(), [this] { take_fetched(now()); });
    loop.watch(resolver.descriptor(), [this] { take_resolved(now()); });
    loop.watch(server->descriptor(), [this] { server->on_readable(); });
    loop.watch(kernel.descriptor(), [this] { follow_kernel(now()); });
    for (std::size_t twin = 0; twin < kernel.twin_count(); ++twin) {
        loop.watch(kernel.twin_descriptor(twin), [this, twin] { read_twin(twin); });
    }
}

int Runtime::Impl::run() {
    follow_kernel(now());
    if (around.config.ports.size() > 0) log(ike::Severity::notice, "start", fmt::format("running with {} worker(s), {} port(s), {} tunnel(s)", around.rings.size(),
                                                                                        around.config.ports.size(), around.config.overlay.tunnels.size()));
    if (const ike::Settings& settings = around.config.overlay.ike; !settings.redirect_to.empty())
        log(ike::Severity::notice, "start-redirect",
            fmt::format("spokes that come when {} IKE SAs or more are up are sent to the hubs of ike.redirect_to", settings.redirect_from_established));
    say_what_is_missing();
    while (!ending) turn();
    say_farewell();
    return exit_code;
}

/// A gateway without an address waits, quietly and for ever.
void Runtime::Impl::say_what_is_missing() {
    for (const config::Port& port : around.config.ports) {
        if (port.role != config::PortRole::underlay || !kernel.addresses(port.id).empty()) continue;
        log(ike::Severity::notice, "start-" + port.name,
            fmt::format("port {} has no address: waiting until the interface {} is given one, for example by \"dhclient {}\"", port.name, port.twin, port.twin));
    }
}

void Runtime::Impl::turn() {
    const TimePoint time = now();
    drain_rings(time);
    meet_deadlines(time);
    perform(time);
    if (std::exchange(routes_suspect, false)) follow_kernel(time);
    commands.flush();
    around.bell.announce_sleep();
    loop.turn(rings_are_empty() ? longest_sleep(now()) : Duration::zero());
    around.bell.awake();
    perform(now());
    commands.flush();
}

bool Runtime::Impl::rings_are_empty() const {
    return around.route_rings.events.read_available() == 0 &&
           std::ranges::all_of(around.rings, [](PlaneRings* rings) { return rings->events.read_available() == 0 && rings->punted.read_available() == 0; });
}

std::optional<Duration> Runtime::Impl::longest_sleep(TimePoint time) {
    std::optional<TimePoint> next = counters_at;
    next = earlier(next, gateway.next_deadline());
    next = earlier(next, underlay.next_deadline());
    next = earlier(next, kernel.next_deadline());
    next = earlier(next, log_lines.next_deadline());
    if (commands.waiting() > 0) next = earlier(next, time + kBacklogPause);
    return std::max(*next - time, Duration::zero());
}

void Runtime::Impl::meet_deadlines(TimePoint time) {
    if (const auto due = gateway.next_deadline(); due && *due <= time) gateway.on_deadline(time, out);
    if (const auto due = underlay.next_deadline(); due && *due <= time) {
        underlay.on_deadline(time, underlay_out);
        perform_underlay();
    }
    if (const auto due = kernel.next_deadline(); due && *due <= time) kernel.on_deadline(time);
    if (const auto due = log_lines.next_deadline(); due && *due <= time) log_lines.on_deadline(time);
    if (counters_at <= time) {
        gateway.on_counters(around.counters, time, out);
        counters_at = time + kCountersInterval;
        if (revocations_at <= time) {
            take_new_revocations(time);
            take_new_ticket_keys();
        }
    }
}

/// Lists come anew every few days, and when a peer is lost: then it must go now, not when somebody restarts us.
void Runtime::Impl::take_new_revocations(TimePoint time) {
    revocations_at = time + kRevocationsInterval;
    for (config::RevocationFiles::News& news : revocations.look()) {
        const std::string& name = around.config.overlay.tunnels[news.tunnel.value].name;
        if (!news.lists) {
            log(ike::Severity::error, "revocations-" + name, fmt::format("{}: {}; the lists of before stay in force", name, news.lists.error()));
            continue;
        }
        log(ike::Severity::notice, "revocations-" + name, fmt::format("{}: {} revocation list(s) read anew", name, news.lists->size()));
        gateway.replace_revocations(news.tunnel, std::move(*news.lists), time, out);
    }
}

void Runtime::Impl::take_new_ticket_keys() {
    const auto news = ticket_keys->look(around.random, around.config.overlay.ike.calendar->now());
    if (!news) log(ike::Severity::error, "ticket-key", fmt::format("{}; the keys of before stay in use", news.error()));
    else if (*news) gateway.replace_ticket_keys(ticket_keys->keys());
}

void Runtime::Impl::take_signal() {
    while (const auto signal = around.signals.take()) {
        if (*signal == SIGHUP) continue;
        log(ike::Severity::notice, "signal", fmt::format("ending on signal {}", *signal));
        ending = true;
    }
}

/// Tells the peers that we go, and gives the workers a moment to send it.
void Runtime::Impl::say_farewell() {
    const TimePoint started = now();
    gateway.shut_down(started, out);
    perform(started);
    const auto all_taken = [this] {
        return commands.waiting() == 0 && std::ranges::all_of(around.rings, [](PlaneRings* rings) {
            return rings->injected.write_available() == PlaneRings::kPackets && rings->commands.write_available() == PlaneRings::kCommands;
        });
    };
    do {
        commands.flush();
        loop.turn(kBacklogPause);
    } while (!all_taken() && now() < started + kFarewell);
    // What a worker took from its ring is sent by the end of its turn.
    const TimePoint taken = now();
    while (now() < taken + 5 * kBacklogPause) loop.turn(kBacklogPause);
    log(ike::Severity::notice, "end", "ended");
}

void Runtime::Impl::log(ike::Severity severity, std::string_view key, std::string_view text) { log_lines.write(severity, key, text, now()); }

}  // namespace nave::runtime
