// Reading and writing without waiting.
#include "controlplane/management/connection.hpp"

#include "controlplane/management/requests.hpp"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace nave::management {

Connection::~Connection() { close(descriptor_); }

bool Connection::on_readable(const Server::Handler& handler) {
    if (wants_to_write()) return true;
    std::array<char, Server::kRequestBytesMax> chunk;
    const ssize_t count = recv(descriptor_, chunk.data(), chunk.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) ended_ = true;
    incoming_.append(chunk.data(), static_cast<std::size_t>(count));
    return handle_lines(handler);
}

bool Connection::on_writable(const Server::Handler& handler) { return send_some() && (wants_to_write() || handle_lines(handler)); }

bool Connection::handle_lines(const Server::Handler& handler) {
    while (!wants_to_write()) {
        const auto end = incoming_.find('\n');
        const bool complete = end != std::string::npos;
        if (!complete && incoming_.size() > Server::kRequestBytesMax) ended_ = true;
        if (!complete && (!ended_ || incoming_.empty())) break;
        const std::string line = incoming_.substr(0, end);  // the last line may lack its end
        incoming_.erase(0, complete ? end + 1 : incoming_.size());
        handle_line(line, handler);
        if (!send_some()) return false;
    }
    return wants_to_write() || !ended_;
}

void Connection::handle_line(std::string_view line, const Server::Handler& handler) {
    if (line.size() > Server::kRequestBytesMax) {
        outgoing_ = refusal(fmt::format("a request has at most {} bytes", Server::kRequestBytesMax));
        incoming_.clear();
        ended_ = true;
    } else {
        outgoing_ = handler(line);
        if (outgoing_.size() > Server::kAnswerBytesMax)
            outgoing_ = refusal(fmt::format("the answer would have {} bytes, more than {}", outgoing_.size(), Server::kAnswerBytesMax));
    }
    outgoing_ += '\n';
    sent_ = 0;
}

bool Connection::send_some() {
    while (wants_to_write()) {
        const ssize_t count = send(descriptor_, outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno == EAGAIN;
        sent_ += static_cast<std::size_t>(count);
    }
    outgoing_ = {};  // gives the memory of a large answer back
    sent_ = 0;
    return true;
}

}  // namespace nave::management
