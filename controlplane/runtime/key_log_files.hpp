// The files of the key log: Wireshark's tables of IKE and ESP keys, and a capture of IKE in clear, for nobody but their owner.
#pragma once

#include "controlplane/ike/endpoint.hpp"

#include <array>
#include <expected>
#include <string>
#include <utility>

namespace nave::runtime {

/// Control thread only. A line is in the file when append() returns, so a capture can be read while the gateway runs.
class KeyLogFiles {
public:
    /// Makes the folder (mode 0700) and FOLDER/ikev2_decryption_table, FOLDER/esp_sa and FOLDER/ike.pcap (mode 0600) where they do not exist; what is
    /// there is kept and appended to. The error says in words what is wrong: a file that is not ours alone is refused.
    static std::expected<KeyLogFiles, std::string> open(const std::string& folder);
    KeyLogFiles(KeyLogFiles&& other) noexcept : descriptors_{std::exchange(other.descriptors_, {-1, -1, -1})} {}
    KeyLogFiles& operator=(KeyLogFiles&& other) noexcept {
        descriptors_.swap(other.descriptors_);
        return *this;
    }
    ~KeyLogFiles();

    /// False if the line could not be written.
    bool append(const ike::KeyLog& keys);
    /// As a UDP datagram of the present time, with IPv4 around it, up to 256 MiB in all. False if it could not be written.
    bool append(const ike::Trace& trace);

private:
    KeyLogFiles() = default;
    std::array<int, 3> descriptors_{-1, -1, -1};  // by ike::KeyLog::Table; then the capture
};

}  // namespace nave::runtime
