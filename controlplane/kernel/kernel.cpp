// Following the kernel, and moving packets between it and the dataplane.
#include "controlplane/kernel/kernel_impl.hpp"

#include "common/headers.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace nave::kernel {

namespace {

overlay::Log warning(std::string key, std::string text) { return {.severity = ike::Severity::warning, .key = std::move(key), .text = std::move(text)}; }

std::string describe(const Rule& rule) {
    return fmt::format("IPv{} rule {} iif '{}' oif '{}' from {} to {} table {}", rule.family == Family::v4 ? 4 : 6, rule.priority, rule.incoming, rule.outgoing,
                       rule.from ? rule.from->to_string() : "all", rule.to ? rule.to->to_string() : "all", rule.table);
}

overlay::Log route_failed(const RouteRequest& route, const KernelError& error) {
    return warning("kernel-route", fmt::format("the kernel does not take the route {} in table {}: {}", route.prefix.to_string(), route.table, error.text()));
}

}  // namespace

Kernel::Kernel(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

Kernel::Kernel(Kernel&&) noexcept = default;

Kernel::~Kernel() {
    if (!impl_) return;
    for (const Rule& rule : impl_->wanted_rules) {
        // One that somebody removed before us is as good.
        (void)impl_->netlink.request(remove_rule(rule));
    }
}

int Kernel::descriptor() const { return impl_->netlink.descriptor(); }
const View& Kernel::view() const { return impl_->view; }
const Plan& Kernel::plan() const { return impl_->plan; }
std::size_t Kernel::twin_count() const { return impl_->twins.size(); }
int Kernel::twin_descriptor(std::size_t twin) const { return impl_->twins.at(twin).descriptor(); }

Kernel::Counters Kernel::counters() const {
    Counters counters = impl_->counters;
    counters.adjacencies_refused = impl_->announcer.adjacencies_refused();
    return counters;
}

void Kernel::on_removed(const AdjacencyRemoved& removed) { impl_->announcer.on_removed(removed); }

std::vector<std::string> Kernel::addresses(PortId port) const {
    std::vector<std::string> texts;
    const InterfaceIndex index = impl_->plan.ports.at(port.value).index;
    for (const Address& address : impl_->mirror.addresses()) {
        if (address.index == index) texts.push_back(fmt::format("{}/{}", address.address.to_string(), address.length));
    }
    return texts;
}

std::optional<std::string> Kernel::lost_twin() const {
    const auto lost = std::ranges::find_if(impl_->twins, [&](const Twin& twin) { return impl_->mirror.link(twin.index()) == nullptr; });
    if (lost == impl_->twins.end()) return std::nullopt;
    return lost->name();
}

std::expected<void, KernelError> Kernel::Impl::dump_all() {
    std::vector<Object> objects;
    for (const Kind kind : {Kind::link, Kind::address, Kind::neighbour, Kind::route, Kind::rule}) {
        auto dumped = netlink.dump(kind);
        if (!dumped) return std::unexpected{dumped.error()};
        std::ranges::move(*dumped, std::back_inserter(objects));
    }
    mirror.replace(objects);
    return {};
}

/// Puts one change into the mirror and notes what follows from it.
void Kernel::Impl::take(const ObjectChange& change, Dirt& dirt) {
    dirt.dump = dirt.dump || mirror.leaves_unknown(change);
    if (!mirror.apply(change)) return;
    touched.note(change.object);
    if (const auto* route = std::get_if<Route>(&change.object); route && route->protocol == kOurProtocol) {
        // Somebody took away what we still want.
        if (!change.present && wanted_routes.contains({route->table, route->prefix})) dirt.separation = true;
    } else if (const auto* rule = std::get_if<Rule>(&change.object)) {
        if (change.present != wanted_rules.contains(*rule)) dirt.separation = true;
    } else if (std::holds_alternative<Link>(change.object)) {
        dirt.dump = true;  // routes that go with a link's state or with an address are not told one by one
    } else if (std::holds_alternative<Address>(change.object)) {
        (change.present ? dirt.separation : dirt.dump) = true;
    }
}

Kernel::Report Kernel::synchronise() {
    Impl& impl = *impl_;
    Report report;
    Impl::Dirt dirt{.dump = !impl.announced};
    const Netlink::Changes changes = impl.netlink.read_changes();
    dirt.dump = dirt.dump || changes.lost;
    for (const ObjectChange& change : changes.changes) impl.take(change, dirt);
    if (dirt.dump) {
        if (impl.announced) ++impl.counters.resynchronised;
        impl.touched.everything = true;
        if (auto dumped = impl.dump_all(); !dumped) report.log.push_back(warning("kernel-dump", "cannot read the kernel's tables: " + dumped.error().text()));
    }
    if (dirt.dump || dirt.separation) impl.separate(report.log);
    if (impl.touched.any()) impl.update_view(report);
    return report;
}

void Kernel::Impl::update_view(Report& report) {
    if (!announced && machine_reverse_path_filter() != 0) {
        report.log.push_back(warning("kernel-filter", "net.ipv4.conf.all.rp_filter is on and overrules the twins' own: packets that the kernel forwards for the tunnel "
                                                      "may be dropped; set it to 0"));
    }
    announced = true;
    const auto refused_before = touched.everything ? view.refused : std::set<RecursiveRoute>{};
    ViewChanges where = follow(view, mirror, plan, peers, std::exchange(touched, {.everything = false}));
    for (const RecursiveRoute& route : where.refused)
        if (!refused_before.contains(route)) report.log.push_back(warning("kernel-recursive-" + route.prefix.to_string(), route.text()));
    report.underlay_changed = where.underlay;
    // New gateways are asked for at once.
    if (where.routers) ask_at = TimePoint{};
    report.changes = announcer.announce(view, std::move(where), plan);
}

void Kernel::Impl::complete_ipv6(std::vector<overlay::Log>& log) {
    for (const PortPlan& port : plan.ports) {
        const auto has = [&](bool global) {
            return std::ranges::any_of(mirror.addresses(), [&](const Address& each) { return each.index == port.index && !each.address.is_v4() && each.global == global; });
        };
        if (!has(true) || has(false)) continue;
        if (port.tunnel) announce_router(port.twin);
        const Address link_local{.index = port.index, .address = link_local_address(port.mac), .length = 64, .global = false};
        if (auto put = netlink.request(add_address(link_local, true)); !put) {
            log.push_back(warning("kernel-link-local", fmt::format("the kernel does not take the link-local address {} on {}, without which it asks for no IPv6 neighbour: {}",
                                                                   link_local.address.to_string(), port.twin, put.error().text())));
        }
    }
}

void Kernel::Impl::separate(std::vector<overlay::Log>& log) {
    complete_ipv6(log);
    separate_rules(log);
    separate_routes(log);
}

void Kernel::Impl::separate_rules(std::vector<overlay::Log>& log) {
    wanted_rules = rules_for(mirror, plan);
    const RuleSteps steps = steps_between(mirror.our_rules(), wanted_rules);
    // Added first: there is no moment without a rule.
    for (const Rule& rule : steps.add) {
        const auto added = netlink.request(add_rule(rule));
        const bool no_ipv6 = !added && rule.family == Family::v6 && (added.error().code == EAFNOSUPPORT || added.error().code == EOPNOTSUPP);
        if (!added && added.error().code != EEXIST && !no_ipv6) {
            log.push_back(warning("kernel-rule", fmt::format("the kernel does not take the {}: {}", describe(rule), added.error().text())));
        }
    }
    for (const Rule& rule : steps.remove) (void)netlink.request(remove_rule(rule));
}

void Kernel::Impl::separate_routes(std::vector<overlay::Log>& log) {
    wanted_routes = routes_for(mirror, plan);
    for (const auto& [key, route] : overlay_routes) {
        if (mirror.is_up(route.index)) wanted_routes.insert_or_assign(key, route);
    }
    const RouteSteps steps = steps_between(mirror.our_routes(), wanted_routes);
    for (const RouteRequest& route : steps.add) {
        if (auto added = netlink.request(add_route(route)); !added) log.push_back(route_failed(route, added.error()));
    }
    for (const RouteRequest& route : steps.remove) (void)netlink.request(remove_route(route));
}

bool Kernel::Impl::suspect_routes_to(const IpAddress& address) {
    const auto suspects = routes_around(mirror, plan, Prefix::host(address));
    std::ranges::copy(suspects, std::back_inserter(touched.routes));
    return !suspects.empty();
}

bool Kernel::guard(PeerId peer, PortId port, const IpAddress& address) { return impl_->peers.add(peer, port, address) && impl_->suspect_routes_to(address); }

bool Kernel::unguard(PeerId peer) {
    const auto address = impl_->peers.remove(peer);
    return address && impl_->suspect_routes_to(*address);
}

std::optional<overlay::Log> Kernel::set_route(const overlay::KernelRoute& route) {
    Impl& impl = *impl_;
    const TunnelPlan& tunnel = impl.plan.tunnels.at(route.tunnel.value);
    const RouteRequest request{.table = tunnel.table, .prefix = route.prefix, .index = tunnel.index, .gateway = route.gateway.value, .on_link = true,
                               .preferred_source = tunnel.address.address};
    const std::pair key{request.table, request.prefix};
    if (route.present) {
        impl.overlay_routes.insert_or_assign(key, request);
        if (!impl.mirror.is_up(tunnel.index)) return std::nullopt;  // it follows when the twin comes up
        impl.wanted_routes.insert_or_assign(key, request);
        if (auto added = impl.netlink.request(add_route(request)); !added) return route_failed(request, added.error());
        return std::nullopt;
    }
    if (impl.overlay_routes.erase(key) == 0) return std::nullopt;
    impl.wanted_routes.erase(key);
    (void)impl.netlink.request(remove_route(request));
    // What configuration or an address wants for the same prefix takes its place again.
    const OurRoutes own = routes_for(impl.mirror, impl.plan);
    if (const auto again = own.find(key); again != own.end()) {
        impl.wanted_routes.insert(*again);
        if (auto added = impl.netlink.request(add_route(again->second)); !added) return route_failed(again->second, added.error());
    }
    return std::nullopt;
}

bool Kernel::read(std::size_t twin, PacketMessage& message) {
    const auto size = impl_->twins.at(twin).read(message.bytes);
    if (!size) return false;
    const std::size_t port_count = impl_->plan.ports.size();
    message.length = static_cast<std::uint16_t>(*size);
    if (twin < port_count) {
        message.inject = PacketMessage::Inject::frame;
        message.port = PortId{static_cast<std::uint16_t>(twin)};
    } else {
        message.inject = PacketMessage::Inject::tunnel;
        message.tunnel = TunnelId{static_cast<std::uint16_t>(twin - port_count)};
    }
    ++impl_->counters.from_twins;
    return true;
}

void Kernel::deliver(const PacketMessage& message) {
    Impl& impl = *impl_;
    const bool to_port = message.punt == Punt::arp || message.punt == Punt::local;
    const std::size_t count = to_port ? impl.plan.ports.size() : impl.plan.tunnels.size();
    const std::size_t number = to_port ? message.port.value : message.tunnel.value;
    if (number >= count) {
        ++impl.counters.without_twin;
        return;
    }
    if (message.punt == Punt::glean && glean_ipv6(message)) {
        ++impl.counters.to_twins;
        return;
    }
    Twin& twin = impl.twins[to_port ? number : impl.plan.ports.size() + number];
    ++(twin.write(message.view()) ? impl.counters.to_twins : impl.counters.refused_by_twin);
}

bool Kernel::glean_ipv6(const PacketMessage& message) {
    Ipv6Header ip;
    if (message.length < sizeof ip) return false;
    std::memcpy(&ip, message.bytes.data(), sizeof ip);
    if (ip.version() != 6) return false;
    const IpAddress destination = IpAddress::v6(ip.destination);
    const TableNumber table = impl_->plan.tunnels.at(message.tunnel.value).table;
    for (const Address& address : impl_->mirror.addresses()) {
        const auto port = std::ranges::find(impl_->plan.ports, address.index, &PortPlan::index);
        if (port == impl_->plan.ports.end() || !port->tunnel || port->table != table || !address.global || !address.network().contains(destination)) continue;
        return impl_->inside_output.send(message.view(), port->twin);
    }
    return false;
}

void Kernel::resolve(PortId port, const IpAddress& address) {
    // An interface that is down cannot ask; it is asked again then.
    (void)impl_->netlink.request(use_neighbour(impl_->plan.ports.at(port.value).index, address));
}

void Kernel::on_deadline(TimePoint now) {
    Impl& impl = *impl_;
    const bool confirm = impl.confirm_at <= now;
    if (confirm) {
        for (const auto& [key, mac] : view().adjacencies) resolve(key.first, key.second);
        impl.confirm_at = now + Impl::kConfirm;
    }
    if (impl.ask_at > now) return;
    for (const auto& [key, users] : view().wanted) {
        if (!view().adjacencies.contains(key)) resolve(key.first, key.second);
    }
    impl.ask_at = now + Impl::kAskAgain;
}

std::optional<TimePoint> Kernel::next_deadline() const {
    const Impl& impl = *impl_;
    std::optional<TimePoint> next;
    if (!view().adjacencies.empty()) next = impl.confirm_at;
    const bool unknown = std::ranges::any_of(view().wanted, [&](const auto& router) { return !view().adjacencies.contains(router.first); });
    return unknown ? earlier(next, impl.ask_at) : next;
}

}  // namespace nave::kernel
