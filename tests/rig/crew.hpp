// Threads on cores of their own, one for each worker that is measured, and the point where they wait for each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace nave::rig {

/// Where all threads of a crew meet; they spin, because each has a core and the wait is short.
class Rendezvous {
public:
    explicit Rendezvous(unsigned members) : members_{members} {}

    unsigned members() const { return members_; }
    struct Abandoned {};
    /// Returns when all members have come. Throws Abandoned if one gave up.
    void meet();
    /// Lets the others go, who would wait for ever.
    void give_up() { broken_ = true; }

private:
    unsigned members_;
    std::atomic<unsigned> arrived_{0}, meetings_{0};
    std::atomic<bool> broken_{false};
};

/// The lcores of this process besides the main one.
class Crew {
public:
    static constexpr unsigned kMembersMax = 7;

    /// CPUs for up to that many members, the last ones that this process may use first: interrupts like the first ones.
    static std::vector<unsigned> choose_cpus(unsigned members = kMembersMax);

    /// Runs `work(member, all)` for members 0 to `members` - 1, each on its lcore, and sleeps meanwhile: the cores are theirs; but
    /// for `look`, a few times a second. Throws what a member threw. Main lcore; EAL has that many worker lcores.
    static void run(unsigned members, const std::function<void(unsigned, Rendezvous&)>& work, const std::function<void()>& look = [] {});
};

}  // namespace nave::rig
