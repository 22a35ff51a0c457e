// A spoke's configuration to be changed line by line, and what comes of it.
#pragma once

#include "controlplane/config/config.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace nave::config {

/// Line numbers are these positions, from 1.
inline const std::vector<std::string> kSpokeLines{
    R"(name = "spoke1")",                                                         // 1
    R"([port.wan])",                                                              // 2
    R"(device = "af_packet:eth0")",                                               // 3
    R"([port.lan])",                                                              // 4
    R"(device = "af_packet:eth1")",                                               // 5
    R"(address = "172.16.11.1/24")",                                              // 6
    R"(tunnel = "nave0")",                                                        // 7
    R"([tunnel.nave0])",                                                          // 8
    R"(underlay = "wan")",                                                        // 9
    R"(address = "10.255.0.11/24")",                                              // 10
    R"(key = 42)",                                                                // 11
    R"(identity = "spoke1.example")",                                             // 12
    R"(psk = [{ identity = "*.example", key = "0123456789abcdef" }])",            // 13
    R"(hub = [{ address = "192.0.2.1", identity = "hub.example" }])",             // 14
    R"(routes = ["172.16.0.0/16"])",                                              // 15
};

/// The spoke's text with some lines replaced; line 16 is new. A replacement may hold several lines.
inline std::string spoke(const std::map<std::size_t, std::string>& replaced = {}) {
    std::string text;
    for (std::size_t line = 1; line <= kSpokeLines.size() + 1; ++line) {
        const auto found = replaced.find(line);
        if (found != replaced.end()) text += found->second + "\n";
        else if (line <= kSpokeLines.size()) text += kSpokeLines[line - 1] + "\n";
    }
    return text;
}

/// A folder that goes with its files at the end of the test.
struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("nave-config-test-" + std::to_string(getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& content, mode_t mode) const {
        const std::string file = path / name;
        std::ofstream{file, std::ios::binary} << content;
        chmod(file.c_str(), mode);
        return file;
    }
};

/// The configuration of a text that has no problems; shows them otherwise.
inline Loaded loaded(const std::string& text, const KeyReader& read_key = read_key_file) {
    auto result = parse(text, "spoke.toml", read_key);
    if (!result) throw std::runtime_error{result.error().front().to_string()};
    return std::move(*result);
}

/// All problems of a text, one a line; empty when it has none.
inline std::string problems_of(const std::string& text) {
    const auto result = parse(text, "spoke.toml");
    std::string lines;
    if (!result) {
        for (const Problem& problem : result.error()) lines += (lines.empty() ? "" : "\n") + problem.to_string();
    }
    return lines;
}

/// The literal of a setting in force; "unset" when it has none.
inline std::string value_of(const Config& config, const std::string& key) {
    for (const Setting& setting : effective(config)) {
        if (setting.key == key) return setting.value;
    }
    return "unset";
}

}  // namespace nave::config
