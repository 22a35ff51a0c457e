// Two IKE endpoints, a dataplane for each that only remembers, and a bad network between them, under a virtual clock and one seed.
#pragma once

#include "controlplane/ike/endpoint.hpp"
#include "tests/simulation/seeded_random.hpp"
#include "tests/simulation/underlay.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace nave::simulation {

/// What an end can do and wants.
struct Abilities {
    std::uint8_t resources = 0;  // that want child SAs of their own (RFC 9611), beside the one for all
    bool crypto_pool = false;
    enum class KeyExchanges : std::uint8_t {
        one,       // the default suites
        several,   // none but suites with additional ones (RFC 9370), for IKE and ESP
        optional,  // either, without additional ones preferred
    };
    KeyExchanges key_exchanges = KeyExchanges::one;
};

/// One end: the real endpoint, and the SAs that its dataplane would hold.
class End final : public ike::SpiSource {
public:
    End(std::string name, NbmaEndpoint local, const Abilities& abilities, std::uint64_t seed);
    End(const End&) = delete;  // its endpoint refers to it

    std::optional<Spi> allocate() override;
    std::optional<Spi> allocate_for(ike::ResourceId) override { return allocate(); }
    void release(Spi spi) override;

    bool is_up() const { return !up.empty(); }

    std::string name;
    NbmaEndpoint local;
    SeededRandom random;
    std::set<Spi> taken;                          // inbound SPIs
    std::map<Spi, ike::InstallInbound> inbound;   // as installed now
    std::vector<ike::InstallOutbound> outbound;   // likewise, in order of installation: of each resource the last one is sent on
    std::set<Spi> used;                           // inbound SAs on which something came
    std::vector<ike::SaId> up;
    std::unique_ptr<ike::Endpoint> endpoint;

private:
    std::uint32_t last_spi_ = 0x10000;
};

/// The event queue. What did not hold is told once, with its time.
class TwoEnds {
public:
    /// With a crypto pool each costly operation takes a while.
    TwoEnds(std::uint64_t seed, const Abilities& left, const Abilities& right, bool verbose);

    /// Something that happens to an end at a time.
    void at(TimePoint when, std::function<void()> event);
    void run_until(TimePoint end);

    void connect(End& end);
    /// One of the endpoint's calls, with what comes of it carried out.
    void act(End& end, std::string_view what, const std::function<void(ike::Endpoint&, ike::Outbox&)>& call);
    End& other(const End& end) { return &end == &ends[0] ? ends[1] : ends[0]; }

    /// True if `from` holds an SA for all to send on that the other end can open.
    bool can_send(const End& from) const;
    bool usable() const { return can_send(ends[0]) && can_send(ends[1]); }
    void violation(std::string text);
    void say(const End& end, std::string_view text) const;

    TimePoint now{std::chrono::hours{1}};
    Weather weather = Weather::fair();
    SeededRandom random;
    std::array<End, 2> ends;
    std::vector<std::string> violations;
    std::function<void(End&, const ike::SaDown&)> on_down;  // an attempt or an association ended
    std::function<void()> after_each;                       // event
    std::uint64_t esp_opened = 0, esp_lost = 0;             // lost: came, and no SA was there to open it

private:
    void send(const NbmaEndpoint& destination, std::function<void(End&)> deliver);
    void carry_out(End& end, const ike::Outbox& out);
    void carry_out(End& end, const ike::Action& action);
    void meet_deadlines();
    void send_esp(End& end);

    std::multimap<TimePoint, std::function<void()>> events_;
    bool verbose_;
};

}  // namespace nave::simulation
