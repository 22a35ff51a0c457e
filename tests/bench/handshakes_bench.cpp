// Measures what a handshake costs the control loop of a responder, and what of it the crypto pool takes off.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "tests/unit/ike/certificate_authority.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <ctime>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace {

using namespace nave;
using namespace nave::ike;
using Json = nlohmann::ordered_json;

/// Of this thread, in microseconds: what the scheduler gives to others does not count.
double cpu_time() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

class Today final : public Calendar {
public:
    std::chrono::sys_seconds now() const override { return pki::kToday; }
};

/// One end, and what its endpoint's calls and its pool's jobs took.
class End final : public SpiSource {
public:
    End(const Settings& settings, std::string_view address) : local{NbmaAddress{IpAddress::parse(address).value()}, 500}, endpoint{settings, random_, *this} {}

    std::optional<Spi> allocate() override { return Spi{++last_spi_}; }
    std::optional<Spi> allocate_for(ResourceId) override { return allocate(); }
    void release(Spi) override {}

    template <class Call>
    void timed(double& total, Call&& call) {
        const double start = cpu_time();
        call();
        const double took = cpu_time() - start;
        total += took;
        if (&total == &loop) longest = std::max(longest, took);
    }

    NbmaEndpoint local;
    double loop = 0, longest = 0, pool = 0;
    std::size_t ups = 0;
    SaId last_up{};

private:
    SystemRandom random_;
    std::uint32_t last_spi_ = 0x10000;

public:
    Endpoint endpoint;
};

void carry_out(End& from, End& to, Outbox out, TimePoint now) {
    for (Action& action : out) {
        if (const auto* up = std::get_if<SaUp>(&action)) ++from.ups, from.last_up = up->sa;
        Outbox next;
        if (auto* sent = std::get_if<SendDatagram>(&action)) {
            to.timed(to.loop, [&] { to.endpoint.on_datagram(sent->remote, sent->local, sent->payload, now, next); });
            carry_out(to, from, std::move(next), now);
        } else if (auto* job = std::get_if<Compute>(&action)) {
            from.timed(from.pool, [&] { compute(job->work); });
            from.timed(from.loop, [&] { from.endpoint.on_computed(job->job, std::move(job->work), now, next); });
            carry_out(from, to, std::move(next), now);
        }
    }
}

struct Case {
    std::string keys;  // of the certificates; "psk" for a pre-shared key
    std::string suite;
};

Settings settings_for(const Case& measured, const Calendar& calendar, const std::string& name, const pki::Issued& root, bool pool) {
    Profile profile{.name = "bench", .local = Identity::parse(name + ".example").value(), .child_limits = {}};
    profile.ike_proposals = {parse_ike_proposal(measured.suite).value()};
    if (measured.keys == "psk") {
        profile.keys = {{IdentityPattern::parse("*").value(), Secret{as_bytes("a key of thirty-two characters..")}}};
    } else {
        const pki::Issued own = pki::issue({.subject = "CN=" + name, .names = "DNS:" + name + ".example"}, pki::key(measured.keys, 5), &root);
        profile.credential = Credential{{own.certificate}, own.private_key()};
        profile.authorities = {{IdentityPattern::parse("*").value(), root.certificate}};
    }
    Settings settings{.profiles = {std::move(profile)}};
    settings.calendar = &calendar;
    settings.crypto_pool = pool;
    return settings;
}

struct Cost { double loop, longest, pool; };

/// Of the responder, per handshake and in microseconds.
Cost measure(const Case& measured, bool pool, int handshakes) {
    const Today calendar;
    const pki::Issued root = pki::authority("CN=root", pki::key(measured.keys == "psk" ? "p256" : measured.keys, 1));
    End hub{settings_for(measured, calendar, "hub", root, pool), "192.0.2.1"}, spoke{settings_for(measured, calendar, "spoke", root, false), "192.0.2.2"};
    TimePoint now{std::chrono::hours{1}};
    std::vector<double> longest;
    for (int i = 0; i < handshakes; ++i) {
        hub.longest = 0;
        Outbox out;
        spoke.endpoint.connect({.profile = {}, .local = spoke.local, .remote = hub.local, .expected = {}, .token = 1}, now, out);
        carry_out(spoke, hub, std::move(out), now);
        longest.push_back(hub.longest);
        if (hub.ups != static_cast<std::size_t>(i) + 1) throw std::runtime_error{measured.keys + ", " + measured.suite + ": a handshake failed"};
        for (End* end : {&spoke, &hub}) {
            Outbox forgotten;
            end->endpoint.close(end->last_up, DownReason::closed_by_us, true, now, forgotten);
        }
        now += std::chrono::minutes{1};
    }
    std::ranges::nth_element(longest, longest.begin() + handshakes / 2);
    return {hub.loop / handshakes, longest[static_cast<std::size_t>(handshakes) / 2], hub.pool / handshakes};
}

}  // namespace

int main(int argc, char** argv) {
    namespace options = boost::program_options;
    int handshakes = 300;
    std::string json;
    options::options_description known{"What handshakes cost the control loop of a responder, with and without the crypto pool"};
    known.add_options()("help", "this text")("handshakes", options::value(&handshakes)->default_value(handshakes), "of each case")
        ("json", options::value(&json), "file for the figures");
    try {
        options::variables_map given;
        options::store(options::parse_command_line(argc, argv, known), given);
        options::notify(given);
        if (given.contains("help") || handshakes < 1) {
            std::cout << known;
            return given.contains("help") ? 0 : 2;
        }
        Json report = Json::array();
        fmt::print("CPU time of the responder for a handshake, in microseconds; longest: the longest single call of it, median of {}\n", handshakes);
        fmt::print("{:<8} {:<30} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "keys", "IKE suite", "no pool", "longest", "with pool", "longest", "in pool");
        for (const Case& each : {Case{"psk", "aes-gcm-256/prf-sha384/x25519"}, Case{"psk", "aes-gcm-256/prf-sha384/p384"}, Case{"psk", "aes-gcm-256/prf-sha384/modp4096"},
                                 Case{"p256", "aes-gcm-256/prf-sha384/x25519"},
                                 Case{"ed25519", "aes-gcm-256/prf-sha384/x25519"}, Case{"rsa2048", "aes-gcm-256/prf-sha384/x25519"}}) {
            const Cost alone = measure(each, false, handshakes), with = measure(each, true, handshakes);
            fmt::print("{:<8} {:<30} {:>10.0f} {:>10.0f} {:>10.0f} {:>10.0f} {:>10.0f}\n", each.keys, each.suite, alone.loop, alone.longest, with.loop, with.longest, with.pool);
            report.push_back({{"keys", each.keys}, {"suite", each.suite}, {"loop_us_without_pool", alone.loop}, {"longest_us_without_pool", alone.longest},
                              {"loop_us", with.loop}, {"longest_us", with.longest}, {"pool_us", with.pool}});
        }
        if (!json.empty()) std::ofstream{json} << report.dump(2) << '\n';
    } catch (const std::exception& error) {
        fmt::print(stderr, "handshakes_bench: {}\n", error.what());
        return 2;
    }
    return 0;
}
