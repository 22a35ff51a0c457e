// Launching on lcores, and waiting without taking a core away.
#include "tests/rig/crew.hpp"

#include <array>
#include <chrono>
#include <exception>
#include <fmt/format.h>
#include <rte_launch.h>
#include <rte_pause.h>
#include <sched.h>
#include <semaphore>
#include <stdexcept>

namespace nave::rig {

namespace {

struct Member {
    const std::function<void(unsigned, Rendezvous&)>* work = nullptr;
    Rendezvous* all = nullptr;
    std::counting_semaphore<>* done = nullptr;
    unsigned number = 0;
    std::exception_ptr failure;
};

int run_member(void* argument) {
    Member& member = *static_cast<Member*>(argument);
    try {
        (*member.work)(member.number, *member.all);
    } catch (const Rendezvous::Abandoned&) {
        // The other one says why.
    } catch (...) {
        member.failure = std::current_exception();
        member.all->give_up();
    }
    member.done->release();
    return 0;
}

}  // namespace

void Rendezvous::meet() {
    const unsigned meeting = meetings_;
    if (++arrived_ == members_) {
        arrived_ = 0;
        ++meetings_;
        return;
    }
    while (meetings_ == meeting) {
        if (broken_) throw Abandoned{};
        rte_pause();
    }
}

std::vector<unsigned> Crew::choose_cpus(unsigned members) {
    constexpr unsigned kMost = 128;  // EAL's sets end there
    std::vector<unsigned> cpus;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
    for (unsigned cpu = kMost; cpu-- > 0 && cpus.size() < members;)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

void Crew::run(unsigned members, const std::function<void(unsigned, Rendezvous&)>& work, const std::function<void()>& look) {
    Rendezvous all{members};
    std::counting_semaphore<> done{0};
    std::array<Member, kMembersMax> crew;
    unsigned launched = 0;
    for (; launched < members; ++launched) {
        crew[launched] = {&work, &all, &done, launched, nullptr};
        if (rte_eal_remote_launch(run_member, &crew[launched], launched + 1) != 0) break;
    }
    if (launched < members) all.give_up();
    std::exception_ptr failure;
    for (unsigned i = 0; i < launched; ++i)
        while (!done.try_acquire_for(std::chrono::milliseconds{200})) look();
    for (unsigned i = 0; i < launched; ++i) {
        rte_eal_wait_lcore(i + 1);
        if (crew[i].failure) failure = crew[i].failure;
    }
    if (launched < members) throw std::runtime_error{fmt::format("EAL has no free lcore for {} threads", members)};
    if (failure) std::rethrow_exception(failure);
}

}  // namespace nave::rig
