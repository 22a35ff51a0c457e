// One function per kind of row.
#include "controlplane/management/views_json.hpp"

#include <nlohmann/json.hpp>

namespace nave::management {
namespace {

using Json = nlohmann::ordered_json;

/// An IKE identity may hold any bytes, and JSON holds only UTF-8.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json number_or_null(const std::optional<std::uint64_t>& value) { return value ? Json(*value) : Json(nullptr); }

Json by_class(const std::array<std::uint64_t, kTrafficClasses>& counts) {
    Json all = Json::object();
    for (std::size_t i = 0; i < kTrafficClasses; ++i) all[std::string{name(static_cast<TrafficClass>(i))}] = counts[i];
    return all;
}

Json row(const overlay::PeerView& peer) {
    return {{"peer", peer.peer ? Json(peer.peer->value) : Json(nullptr)}, {"tunnel", peer.tunnel}, {"identity", peer.identity}, {"tunnel_addresses", peer.tunnel_addresses},
            {"prefixes", peer.prefixes}, {"nbma", peer.nbma}, {"nat", peer.nat}, {"role", peer.role}, {"path", peer.path},
            {"ike_state", peer.ike_state}, {"sa_state", peer.sa_state}, {"group", peer.group}, {"nhrp_group", peer.nhrp_group}, {"uptime_seconds", peer.uptime.count()},
            {"packets_in", peer.packets_in}, {"bytes_in", peer.bytes_in}, {"packets_out", peer.packets_out}, {"bytes_out", peer.bytes_out},
            {"rate_to", number_or_null(peer.rates.to)}, {"rate_from", number_or_null(peer.rates.from)}, {"shaped_bytes", peer.rate_counts.shaped_bytes},
            {"shaper_drops", by_class(peer.rate_counts.shaper_drops)}, {"policed", peer.rate_counts.policed}};
}

Json row(const overlay::NhrpView& entry) {
    return {{"tunnel", entry.tunnel}, {"kind", entry.kind}, {"prefix", entry.prefix}, {"tunnel_address", entry.tunnel_address},
            {"nbma", entry.nbma}, {"peer", entry.peer}, {"state", entry.state},
            {"expires_in_seconds", entry.expires_in ? Json(entry.expires_in->count()) : Json(nullptr)}, {"group", entry.group}};
}

Json row(const overlay::IkeView& sa) {
    return {{"identity", sa.identity}, {"state", sa.state}, {"local", sa.local}, {"remote", sa.remote}, {"proposal", sa.proposal},
            {"role", sa.role}, {"nat", sa.nat}, {"initiator_spi", sa.initiator_spi}, {"responder_spi", sa.responder_spi},
            {"age_seconds", sa.age.count()}, {"rekey_in_seconds", sa.rekey_in.count()}};
}

Json row(const overlay::SaView& sa) {
    return {{"identity", sa.identity}, {"direction", sa.direction}, {"spi", sa.spi}, {"proposal", sa.proposal}, {"mode", sa.mode}, {"esn", sa.esn},
            {"packets", sa.packets}, {"bytes", sa.bytes}, {"age_seconds", sa.age.count()}, {"rekey_in_seconds", sa.rekey_in.count()},
            {"worker", sa.worker ? Json(*sa.worker) : Json(nullptr)}};
}

Json row(const overlay::RouteView& route) {
    return {{"tunnel", route.tunnel}, {"prefix", route.prefix}, {"via", route.via}, {"source", route.source}};
}

Json row(const PortView& port) {
    return {{"name", port.name}, {"role", port.role}, {"device", port.device}, {"twin", port.twin}, {"tunnel", port.tunnel}, {"mac", port.mac},
            {"link", port.link}, {"mtu", port.mtu}, {"queues", port.queues}, {"addresses", port.addresses},
            {"received_packets", port.received_packets}, {"received_bytes", port.received_bytes},
            {"sent_packets", port.sent_packets}, {"sent_bytes", port.sent_bytes}, {"missed", port.missed}, {"errors", port.errors}};
}

Json row(const config::Setting& setting) { return {{"key", setting.key}, {"value", setting.value}}; }

template <class View>
std::string rows(const std::vector<View>& views) {
    Json all = Json::array();
    for (const View& view : views) all.push_back(row(view));
    return text_of(all);
}

std::uint64_t sum(const Counters& counters, Counter WorkerCounters::*counter) {
    std::uint64_t total = 0;
    for (const WorkerCounters& worker : counters.workers) total += (worker.*counter).read();
    return total;
}

}  // namespace

std::string to_json(const std::vector<overlay::PeerView>& peers) { return rows(peers); }
std::string to_json(const std::vector<overlay::NhrpView>& entries) { return rows(entries); }
std::string to_json(const std::vector<overlay::IkeView>& associations) { return rows(associations); }
std::string to_json(const std::vector<overlay::SaView>& sas) { return rows(sas); }
std::string to_json(const std::vector<overlay::RouteView>& routes) { return rows(routes); }
std::string to_json(const std::vector<PortView>& ports) { return rows(ports); }
std::string to_json(const std::vector<config::Setting>& settings) { return rows(settings); }

std::string drops_json(const Counters& counters) {
    Json all = Json::array();
    for (std::size_t i = 1; i < static_cast<std::size_t>(Drop::count); ++i) {
        std::uint64_t packets = 0;
        for (const WorkerCounters& worker : counters.workers) packets += worker.drops[i].read();
        all.push_back({{"reason", name(static_cast<Drop>(i))}, {"packets", packets}});
    }
    return text_of(all);
}

std::string stages_json(const Counters& counters) {
    Json all = Json::array();
    for (std::size_t worker = 0; worker < counters.workers.size(); ++worker) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(Stage::count); ++i) {
            const StageCounters& stage = counters.workers[worker].stages[i];
            all.push_back({{"worker", worker}, {"stage", name(static_cast<Stage>(i))}, {"calls", stage.calls.read()},
                           {"packets", stage.packets.read()}, {"cycles", stage.cycles.read()}});
        }
    }
    return text_of(all);
}

std::string counters_json(const Counters& dataplane, const std::vector<std::pair<std::string, std::uint64_t>>& control) {
    static constexpr std::pair<std::string_view, Counter WorkerCounters::*> kDataplane[]{
        {"dataplane-events-lost", &WorkerCounters::events_lost}, {"dataplane-redirects", &WorkerCounters::redirects},
        {"dataplane-fragments-made", &WorkerCounters::fragments_made}, {"dataplane-reassembled", &WorkerCounters::reassembled},
        {"dataplane-icmp-sent", &WorkerCounters::icmp_sent}, {"dataplane-handed-over", &WorkerCounters::handed_over},
    };
    Json all = Json::array();
    for (const auto& [counter_name, counter] : kDataplane) all.push_back({{"name", counter_name}, {"value", sum(dataplane, counter)}});
    for (const auto& [counter_name, value] : control) all.push_back({{"name", counter_name}, {"value", value}});
    return text_of(all);
}

}  // namespace nave::management
