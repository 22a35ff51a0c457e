// Opening, and appending whole lines.
#include "controlplane/runtime/key_log_files.hpp"

#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace nave::runtime {
namespace {

constexpr std::array kNames{"ikev2_decryption_table", "esp_sa", "ike.pcap"};
constexpr std::size_t kCapture = 2;
constexpr off_t kCaptureMax = 256 << 20;  // strangers' messages are in it too

// The format of libpcap's files (pcap-savefile(5)), in the byte order of this machine.
struct CaptureHeader {
    std::uint32_t magic = 0xa1b2c3d4;  // times in microseconds
    std::uint16_t major = 2, minor = 4;
    std::uint32_t reserved[2] = {};
    std::uint32_t length_max = 0x40000;
    std::uint32_t link_type = 1;  // Ethernet
};
struct CapturedPacket {
    std::uint32_t seconds, microseconds, captured, length;
};

/// Keys must not land in a file that somebody else made, or may read.
std::string complaint(int descriptor) {
    struct stat status{};
    if (fstat(descriptor, &status) != 0) return std::strerror(errno);
    if (!S_ISREG(status.st_mode)) return "it is not a regular file";
    if (status.st_uid != geteuid()) return "it belongs to another user";
    if ((status.st_mode & 077u) != 0) return fmt::format("others than its owner may use it (mode {:04o}); chmod 600 it", status.st_mode & 07777u);
    return {};
}

/// Gateways that share a folder may start at the same moment, and a second header would spoil the file.
bool begin_capture(int descriptor) {
    struct stat status{};
    const CaptureHeader header;
    if (flock(descriptor, LOCK_EX) != 0) return false;
    const bool is_begun = fstat(descriptor, &status) == 0 && (status.st_size > 0 || write(descriptor, &header, sizeof header) == sizeof header);
    return flock(descriptor, LOCK_UN) == 0 && is_begun;
}

}  // namespace

std::expected<KeyLogFiles, std::string> KeyLogFiles::open(const std::string& folder) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return std::unexpected{fmt::format("control.key_log: cannot make {}: {}", folder, std::strerror(errno))};
    KeyLogFiles files;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        const std::string path = fmt::format("{}/{}", folder, kNames[i]);
        files.descriptors_[i] = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
        const std::string wrong = files.descriptors_[i] < 0 ? std::strerror(errno) : complaint(files.descriptors_[i]);
        if (!wrong.empty()) return std::unexpected{fmt::format("control.key_log: cannot write {}: {}", path, wrong)};
    }
    if (!begin_capture(files.descriptors_[kCapture]))
        return std::unexpected{fmt::format("control.key_log: cannot write {}/{}: {}", folder, kNames[kCapture], std::strerror(errno))};
    return files;
}

KeyLogFiles::~KeyLogFiles() {
    for (const int descriptor : descriptors_)
        if (descriptor >= 0) close(descriptor);
}

bool KeyLogFiles::append(const ike::KeyLog& keys) {
    const ByteView line = keys.line.view();
    char end = '\n';
    // One call, so that gateways which share a folder do not mix their lines.
    const std::array parts{iovec{const_cast<std::uint8_t*>(line.data()), line.size()}, iovec{&end, 1}};
    const ssize_t written = writev(descriptors_[static_cast<std::size_t>(keys.table)], parts.data(), static_cast<int>(parts.size()));
    return written == static_cast<ssize_t>(line.size() + 1);
}

bool KeyLogFiles::append(const ike::Trace& trace) {
    constexpr std::uint16_t kNoFragments = 0xffff;
    Bytes payload(trace.source.port == kUdpPortIke || trace.destination.port == kUdpPortIke ? 0 : 4);  // the non-ESP marker
    payload.insert(payload.end(), trace.message.begin(), trace.message.end());
    const std::vector<Bytes> frames = kernel::datagram_frames({.source = {}, .destination = {}, .mtu = kNoFragments}, trace.source, trace.destination, payload);
    if (frames.size() != 1) return false;
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    const auto length = static_cast<std::uint32_t>(frames[0].size());
    CapturedPacket packet{static_cast<std::uint32_t>(time.tv_sec), static_cast<std::uint32_t>(time.tv_nsec / 1000), length, length};
    const std::array parts{iovec{&packet, sizeof packet}, iovec{const_cast<std::uint8_t*>(frames[0].data()), length}};
    struct stat status{};
    if (fstat(descriptors_[kCapture], &status) != 0 || status.st_size > kCaptureMax) return false;
    const ssize_t written = writev(descriptors_[kCapture], parts.data(), static_cast<int>(parts.size()));
    const bool is_whole = written == static_cast<ssize_t>(sizeof packet + length);
    // Half a packet would spoil all that come behind it.
    if (!is_whole && written > 0 && ftruncate(descriptors_[kCapture], status.st_size) != 0) return false;
    return is_whole;
}

}  // namespace nave::runtime
