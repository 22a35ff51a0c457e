// A DMVPN of NHRP nodes under virtual time: stations, an IKE that always works, and a wire that can lose, repeat and reorder.
#pragma once

#include "common/random.hpp"
#include "controlplane/nhrp/node.hpp"
#include "controlplane/nhrp/packet.hpp"

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace nave::nhrp {

class SeededRandom : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : engine_{seed} {}
    void fill(std::span<std::uint8_t> bytes) override {
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(engine_());
    }

private:
    std::mt19937_64 engine_;
};

inline IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
inline Prefix net(std::string_view text) { return *Prefix::parse(text); }

class Lab;

/// A gateway: a node, and the routes and policy that its overlay would have.
class Station : public Directory {
public:
    Station(Lab& lab, std::string name, std::string_view tunnel, std::string_view nbma, Settings settings);

    // Directory
    Route route(const IpAddress& destination) const override;
    Route way_to_ask(const IpAddress& destination) const override;
    bool is_server(PeerId peer) const override { return peers.at(peer)->is_hub; }
    bool is_station(PeerId peer, const IpAddress& address) const override { return peers.at(peer)->tunnel.value == address; }
    std::optional<CieCode> registration_refusal(PeerId peer, const Prefix& prefix) const override;
    std::optional<CieCode> refusal_behind_hub(PeerId, std::string_view holder, const Prefix&) const override {
        return refused_holders.contains(std::string{holder}) ? std::optional{CieCode::administratively_prohibited} : std::nullopt;
    }
    bool may_answer(PeerId peer, const Prefix& prefix) const override;
    bool same_identity(PeerId a, PeerId b) const override;
    NbmaAddress local_nbma(PeerId peer) const override;
    bool is_behind_nat(PeerId) const override { return public_nbma.has_value(); }
    NbmaAddress observed_nbma(PeerId peer) const override;
    std::optional<NbmaEndpoint> observed_behind_nat(PeerId peer) const override;

    // What a test does to it.
    void set_lan(std::initializer_list<std::string> prefixes);
    void resolve(std::string_view destination);
    void relayed(const Station& from, std::string_view source, std::string_view destination);
    void receive(const Station& from, const Packet& packet);
    void receive_bytes(const Station& from, ByteView bytes);

    // What a test asks of it.
    std::uint64_t count(std::string_view counter) const;
    bool has_shortcut(std::string_view prefix) const;
    bool is_registered() const;
    bool has_logged(std::string_view words) const;
    PeerId peer_of(const Station& other) const;
    template <class T>
    std::vector<T> said() const {
        std::vector<T> found;
        for (const auto& action : actions)
            if (const auto* match = std::get_if<T>(&action)) found.push_back(*match);
        return found;
    }

    Lab& lab;
    std::string name;
    bool is_hub = false;
    TunnelAddress tunnel;
    NbmaAddress nbma;                         // its own view
    std::optional<NbmaAddress> second_nbma;   // of the other IP version: what peers of that version see
    std::optional<NbmaAddress> public_nbma;   // others' view, when behind NAT
    std::uint16_t public_port = 40000;        // and of its ESP in UDP
    std::vector<Prefix> lan;
    std::map<Prefix, PeerRoute> routes;
    std::map<PeerId, Station*> peers;
    std::map<PeerId, std::string> identities; // name of the other station unless set otherwise
    std::map<Prefix, CieCode> refused;        // registrations that policy refuses
    std::set<PeerId> may_not_answer;
    std::set<std::string> refused_holders;    // identities of other hubs' spokes
    std::vector<Action> actions;              // all but Send and Log
    std::vector<std::string> logged;
    std::unique_ptr<Node> node;
};

struct Flight {
    Station* from;
    Station* to;
    Bytes bytes;
    Packet packet() const { return *decode(bytes); }
};

class Lab {
public:
    explicit Lab(std::uint64_t seed = 1) : random{seed} {}
    /// Leaves everything that was sent to the capture file, if the environment names one (capture.hpp).
    ~Lab();

    Station& hub(std::string name, std::string_view tunnel, std::string_view nbma, Settings settings = {});
    Station& spoke(std::string name, std::string_view tunnel, std::string_view nbma, Settings settings = {});
    /// One IKE SA between two stations; both are told.
    void connect(Station& a, Station& b);
    void disconnect(Station& a, Station& b);
    /// Connects a spoke to a hub, which is its default route, and registers there.
    void join(Station& spoke, Station& hub, NhsId nhs = NhsId{1});

    /// Carries out what a node said.
    void perform(Station& station, Outbox&& out);
    /// Delivers the oldest packet in flight, or all until none is left.
    void deliver_one();
    void deliver();
    /// Takes the oldest packet in flight off the wire.
    Packet lose_one();
    /// Lets time pass, with every deadline and delivery on the way.
    void advance(Duration time);
    /// To the next deadline of any node; false when there is none.
    bool advance_to_next_deadline();

    TimePoint now{std::chrono::hours{1}};
    SeededRandom random;
    std::deque<Flight> wire;
    std::vector<Flight> history;     // everything ever sent
    bool shortcuts = true;           // a Resolved brings up IKE and the route at once
    std::uint32_t loss_percent = 0, repeat_percent = 0, reorder_percent = 0;
    std::vector<std::unique_ptr<Station>> stations;

    /// The last packet of that type that was sent.
    Packet last(PacketType type) const;
    std::size_t sent(PacketType type) const;

private:
    Station& add(std::string name, std::string_view tunnel, std::string_view nbma, Settings settings);
    void fire_deadlines();
    Station* find(const NbmaAddress& nbma) const;
    std::uint32_t next_peer_ = 1;
};

/// A hub at 10.255.0.1 and two spokes with a LAN each, registered.
struct Triangle {
    explicit Triangle(Settings spoke_settings = {}, Settings hub_settings = {}, std::uint64_t seed = 1);
    Lab lab;
    Station& hub;
    Station& a;  // 10.255.0.11, 192.0.2.11, LAN 172.16.11.0/24
    Station& b;  // 10.255.0.12, 192.0.2.12, LAN 172.16.12.0/24
};

}  // namespace nave::nhrp
