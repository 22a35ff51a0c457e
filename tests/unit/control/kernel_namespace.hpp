// What tests against a real kernel share: each runs in a network namespace of its own. Need root; skipped otherwise.
#pragma once

#include "common/addresses.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <sched.h>
#include <string>

namespace nave::kernel {

inline IpAddress ip(const char* text) { return *IpAddress::parse(text); }

/// Moves this thread into a new network namespace; false, with a message, where that is not allowed.
inline bool in_new_namespace() {
    if (unshare(CLONE_NEWNET) == 0) return true;
    WARN("skipped: making a network namespace needs root");
    return false;
}

/// What a shell command says, errors too.
inline std::string run(const std::string& command) {
    std::string output;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    std::array<char, 4096> room;
    while (std::fgets(room.data(), room.size(), pipe)) output += room.data();
    pclose(pipe);
    return output;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace nave::kernel
