// The client's side of registration (RFC 2332 §5.2.3): one state per next-hop server.
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/purger.hpp"
#include "controlplane/nhrp/snapshot.hpp"

#include <map>
#include <set>

namespace nave::nhrp {

class Registrar {
public:
    Registrar(Context& context, Purger& purger) : context_{context}, purger_{purger} {}

    void add(NhsId nhs, PeerId peer, std::optional<TunnelAddress> hub, TimePoint now, Outbox& out);
    void remove(NhsId nhs, Outbox& out);
    void peer_up(PeerId peer, TimePoint now, Outbox& out);
    void peer_down(PeerId peer, Outbox& out);
    /// Before our tunnel address changes: takes the old one back from every hub. After it: registers the new one.
    void withdraw_all(Outbox& out);
    void restart(TimePoint now, Outbox& out);
    /// Gives the prefixes that are to be registered from now on. Those that went away are purged from the hubs, and returned.
    std::vector<Prefix> set_prefixes(std::vector<Prefix> prefixes, TimePoint now);
    /// One more prefix, which is not ours but of a spoke that is registered with us; or, without a holder, one less.
    void tell(const Prefix& prefix, const std::optional<std::string>& holder, TimePoint now);
    /// Purges our tunnel address from every hub, once, without waiting for answers.
    void shut_down(Outbox& out);

    /// A Registration Reply from `from`. False: it answers nothing that we asked that peer.
    bool on_reply(const Received& received, TimePoint now, Outbox& out);
    /// An Error Indication from `from` about our request `request_id`. False: not ours.
    bool on_error(PeerId from, std::uint32_t request_id, std::uint16_t code, Outbox& out);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const;
    void append_to(Snapshot& snapshot) const;

    /// Our address behind NAT, as some hub told us; a spoke's word could lead others to itself.
    std::optional<NbmaAddress> observed() const;
    /// Whether that peer is a hub that knows the rendezvous, by its answer to our registration: others pass on what a spoke wrote there.
    bool arranges_rendezvous(PeerId peer) const;

private:
    /// One Registration Request and its repetitions, which keep its id.
    struct Exchange {
        std::uint32_t id = 0;
        std::vector<Prefix> prefixes{};  // empty: our tunnel address
        std::string holder{};            // of the prefixes; empty: ourselves
        std::uint32_t attempts = 0;    // since the last answer
        bool answered = false;
        std::optional<TimePoint> next{};  // repetition, or renewal once answered
    };
    struct Server {
        PeerId peer{};
        RegistrationState state = RegistrationState::waiting_for_peer;
        std::optional<TunnelAddress> configured{}, learned{};
        std::optional<NbmaAddress> observed{};
        bool arranges_rendezvous = false;
        Exchange main{};
        std::vector<Exchange> lan{};
        std::optional<TimePoint> lan_due{};    // changed prefixes are purged and registered then, all at once
        std::map<Prefix, std::string> gone{};  // to be purged then, with their holders
        std::map<Prefix, CieCode> prefixes{};  // what the hub said of each
    };

    std::uint32_t new_id(const Server& server);
    void start(NhsId nhs, Server& server, TimePoint now, Outbox& out);
    void withdraw(NhsId nhs, Server& server, Outbox& out);
    static std::vector<Prefix> withdrawn(Server& server, const std::vector<Prefix>& gone);
    void prefixes_changed(const std::vector<Prefix>& gone, const std::string& holder, TimePoint now);
    bool is_held(const Prefix& prefix, const std::string& holder) const;
    void purge_gone(Server& server, TimePoint now, Outbox& out);
    /// Asks the hub for all prefixes, or for those alone that it has not been asked for.
    enum class Extent : std::uint8_t { all, unasked };
    void start_prefixes(Server& server, Extent extent, TimePoint now, Outbox& out);
    /// Prefixes by holder.
    using Holdings = std::map<std::string, std::vector<Prefix>>;
    Holdings to_ask_for(const Server& server, Extent extent) const;
    void transmit(const Server& server, Exchange& exchange, TimePoint now, Outbox& out);
    void repeat(NhsId nhs, Server& server, TimePoint now, Outbox& out);
    void on_main_reply(NhsId nhs, Server& server, const Packet& reply, TimePoint now, Outbox& out);
    void on_prefix_reply(NhsId nhs, Server& server, Exchange& exchange, const Packet& reply, TimePoint now, Outbox& out);
    void lose(NhsId nhs, Server& server, RegistrationState state, RegistrationEnd reason, Outbox& out);
    void set_state(NhsId nhs, Server& server, RegistrationState state, std::string_view reason, Outbox& out) const;
    void update_hub_addresses();

    Context& context_;
    Purger& purger_;
    std::map<NhsId, Server> servers_;
    std::set<PeerId> up_;
    std::set<Prefix> own_prefixes_;
    std::map<Prefix, std::string> told_prefixes_;  // and their holders
};

}  // namespace nave::nhrp
