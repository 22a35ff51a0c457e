// Reading, renewing and writing the file: one key a line, in hexadecimal, the current one first.
#include "controlplane/runtime/ticket_keys.hpp"

#include "controlplane/config/config.hpp"
#include "controlplane/ike/ticket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nave::runtime {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kLine = 2 * ike::kTicketKeySize + 1;
constexpr std::size_t kKeysMax = 2;
constexpr std::chrono::minutes kRetry{10};

std::unexpected<std::string> failure(const std::string& path, std::string_view why) { return std::unexpected{fmt::format("control.ticket_key: {}: {}", path, why)}; }

/// All keys of the text; none if it is anything else than one or two lines of digits. The last line end may be missing.
std::vector<Secret> decode(ByteView text) {
    std::vector<Secret> keys;
    for (; !text.empty(); text = text.subspan(std::min(kLine, text.size()))) {
        if (text.size() < kLine - 1 || (text.size() >= kLine && text[kLine - 1] != '\n') || keys.size() == kKeysMax) return {};
        Secret key{ike::kTicketKeySize};
        for (std::size_t i = 0; i < key.size(); ++i) {
            const std::size_t high = kDigits.find(static_cast<char>(text[2 * i])), low = kDigits.find(static_cast<char>(text[2 * i + 1]));
            if (high == kDigits.npos || low == kDigits.npos) return {};
            key.writable()[i] = static_cast<std::uint8_t>(high << 4 | low);
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

Secret encode(const std::vector<Secret>& keys) {
    Secret text{keys.size() * kLine};
    auto out = text.writable().begin();
    for (const Secret& key : keys) {
        for (const std::uint8_t byte : key.view()) *out++ = static_cast<std::uint8_t>(kDigits[byte >> 4]), *out++ = static_cast<std::uint8_t>(kDigits[byte & 15]);
        *out++ = '\n';
    }
    return text;
}

/// Beside the file first, then in its place: nobody ever reads half of it. Its time says how old the current key is.
std::expected<void, std::string> replace(const std::string& path, ByteView text, std::chrono::sys_seconds now) {
    const std::string beside = path + ".next";
    unlink(beside.c_str());  // of a gateway that was killed at this point
    const int descriptor = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) return failure(path, fmt::format("cannot be written: {}; its folder must be there (mode 0700) and writable", std::strerror(errno)));
    const timespec times[2]{{now.time_since_epoch().count(), 0}, {now.time_since_epoch().count(), 0}};
    const bool is_written = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && futimens(descriptor, times) == 0 &&
                            fsync(descriptor) == 0;
    const int error = errno;
    close(descriptor);
    if (!is_written) return failure(beside, std::strerror(error));
    if (rename(beside.c_str(), path.c_str()) != 0) return failure(path, std::strerror(errno));
    return {};
}

}  // namespace

TicketKeys::Stamp TicketKeys::stamp_of(const std::string& path) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) return {};
    return {status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_ino};
}

std::expected<TicketKeys, std::string> TicketKeys::open(std::string path, Random& random, std::chrono::sys_seconds now) {
    TicketKeys made{std::move(path)};
    const bool exists = !made.path_.empty() && access(made.path_.c_str(), F_OK) == 0;
    auto done = exists ? made.read() : made.renew(random, now);
    if (!done) return std::unexpected{std::move(done.error())};
    if (exists) (void)made.look(random, now);  // old keys that cannot be renewed now are better than no gateway: look() goes on trying
    return made;
}

std::expected<bool, std::string> TicketKeys::look(Random& random, std::chrono::sys_seconds now) {
    made_at_ = std::min(made_at_, now);  // the file may be from a machine whose clock is ahead
    const Stamp stamp = path_.empty() ? stamp_ : stamp_of(path_);
    if (stamp != stamp_) return stamp == Stamp{} ? renew(random, now) : read();
    return now - made_at_ >= kRenewal ? renew(random, now) : std::expected<bool, std::string>{false};
}

std::expected<bool, std::string> TicketKeys::renew(Random& random, std::chrono::sys_seconds now) {
    std::vector<Secret> keys{ike::fresh_ticket_key(random)};
    if (!keys_.empty()) keys.push_back(keys_.front());
    if (!path_.empty()) {
        if (auto done = replace(path_, encode(keys).view(), now); !done) {
            made_at_ = now - kRenewal + kRetry;
            return std::unexpected{std::move(done.error())};
        }
        stamp_ = stamp_of(path_);
    }
    keys_ = std::move(keys);
    made_at_ = now;
    return true;
}

std::expected<bool, std::string> TicketKeys::read() {
    stamp_ = stamp_of(path_);  // first, so that a change behind it is seen next time
    const auto text = config::read_key_file(path_);
    if (!text) return failure(path_, text.error());
    std::vector<Secret> keys = decode(text->view());
    if (keys.empty()) return failure(path_, fmt::format("accepted: one or two lines of {} hexadecimal digits, as naved writes them; remove it for new keys", kLine - 1));
    const bool is_changed = keys != keys_;
    keys_ = std::move(keys);
    made_at_ = std::chrono::sys_seconds{std::chrono::seconds{stamp_.nanoseconds / 1'000'000'000}};
    return is_changed;
}

}  // namespace nave::runtime
