// A gateway with two peers as the management sees it, with fixed values.
#pragma once

#include "controlplane/management/operable.hpp"

#include <string>
#include <utility>
#include <vector>

namespace nave::management {

class SampleGateway : public Operable {
public:
    std::vector<overlay::PeerView> peer_views{
        {.peer = PeerId{0},
         .tunnel = "nave0",
         .identity = "hub.example",
         .tunnel_addresses = {"10.255.0.1"},
         .prefixes = {"0.0.0.0/0"},
         .nbma = "192.0.2.1:4500",
         .nat = "us",
         .role = "hub",
         .path = "direct",
         .ike_state = "established",
         .sa_state = "up",
         .group = 0,
         .uptime = std::chrono::seconds{11530},
         .packets_in = 1234567,
         .bytes_in = 1500000000,
         .packets_out = 42,
         .bytes_out = 999},
        {.peer = PeerId{1},
         .tunnel = "nave0",
         .identity = "spoke2.spokes.example",
         .tunnel_addresses = {"10.255.0.12"},
         .prefixes = {"172.16.12.0/24"},
         .nbma = "198.51.100.12:4500",
         .nat = "both",
         .role = "spoke",
         .path = "hub",
         .ike_state = "init-sent",
         .sa_state = "none",
         .group = 7,
         .uptime = std::chrono::seconds{5},
         .packets_in = 0,
         .bytes_in = 0,
         .packets_out = 0,
         .bytes_out = 0},
    };
    Counters dataplane{2, 1, 16, 2};
    config::Config settings;
    std::vector<std::string> cleared;
    bool shutting_down = false;

    SampleGateway() {
        dataplane.workers[0].drops[static_cast<std::size_t>(Drop::esp_replayed)].add(3);
        dataplane.workers[1].drops[static_cast<std::size_t>(Drop::esp_replayed)].add(4);
        dataplane.workers[1].redirects.add(5);
        auto& decrypt = dataplane.workers[0].stages[static_cast<std::size_t>(Stage::esp_decrypt)];
        decrypt.calls.add(10), decrypt.packets.add(200), decrypt.cycles.add(30000);
    }

    std::vector<overlay::PeerView> peers() const override { return peer_views; }
    std::vector<overlay::NhrpView> nhrp() const override {
        return {{"nave0", "registration", "10.255.0.12/32", "10.255.0.12", "198.51.100.12", "spoke2.spokes.example", "held", std::chrono::seconds{599}, "branch"},
                {"nave0", "hub", "10.255.0.1/32", "10.255.0.1", "192.0.2.1", "hub.example", "static", std::nullopt, ""}};
    }
    std::vector<overlay::IkeView> ike() const override {
        return {{.identity = "hub.example",
                 .state = "established",
                 .local = "192.0.2.11:4500",
                 .remote = "192.0.2.1:4500",
                 .proposal = "aes-gcm-256/prf-sha384/x25519",
                 .role = "initiator",
                 .nat = "us",
                 .initiator_spi = "0102030405060708",
                 .responder_spi = "1112131415161718",
                 .age = std::chrono::seconds{60},
                 .rekey_in = std::chrono::seconds{25000}}};
    }
    std::vector<overlay::SaView> sas() const override {
        return {{.identity = "hub.example",
                 .direction = "inbound",
                 .spi = "0x04000001",
                 .proposal = "aes-gcm-256/esn",
                 .mode = "transport",
                 .esn = true,
                 .packets = 7,
                 .bytes = 700,
                 .age = std::chrono::seconds{60},
                 .rekey_in = std::chrono::seconds{3000}}};
    }
    std::vector<overlay::RouteView> routes() const override { return {{"nave0", "172.16.12.0/24", "10.255.0.12", "shortcut"}}; }
    std::vector<PortView> ports() const override {
        return {{.name = "wan",
                 .role = "underlay",
                 .device = "af_packet:eth0",
                 .twin = "wan",
                 .tunnel = "",
                 .mac = "02:00:00:00:00:01",
                 .link = "up",
                 .mtu = 1500,
                 .queues = 1,
                 .addresses = {"192.0.2.11/24"},
                 .received_packets = 5,
                 .received_bytes = 500,
                 .sent_packets = 6,
                 .sent_bytes = 600,
                 .missed = 1,
                 .errors = 2}};
    }
    const Counters& dataplane_counters() const override { return dataplane; }
    std::vector<std::pair<std::string, std::uint64_t>> control_counters() const override { return {{"ike-malformed", 9}, {"nhrp-refused", 0}}; }
    const config::Config& configuration() const override { return settings; }
    std::size_t clear_peer(std::string_view text) override {
        cleared.emplace_back(text);
        return text == "all" ? peer_views.size() : text == "hub.example" ? 1 : 0;
    }
    void shut_down() override { shutting_down = true; }
};

}  // namespace nave::management
