// One client of the management socket: bytes in, lines handled, answers out, never waiting.
#pragma once

#include "controlplane/management/server.hpp"

#include <string>

namespace nave::management {

/// Owns its descriptor, which is not blocking.
class Connection {
public:
    explicit Connection(int descriptor) : descriptor_{descriptor} {}
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Reads what is there (bounded), answers complete lines while answers go out at once. False: the connection is over.
    bool on_readable(const Server::Handler& handler);
    /// Writes more of the answer, then goes on with lines that wait. False: the connection is over.
    bool on_writable(const Server::Handler& handler);
    /// While an answer waits for the client to read, the client is not read from.
    bool wants_to_write() const { return sent_ < outgoing_.size(); }

private:
    bool handle_lines(const Server::Handler& handler);
    void handle_line(std::string_view line, const Server::Handler& handler);
    bool send_some();

    int descriptor_;
    std::string incoming_, outgoing_;
    std::size_t sent_ = 0;
    bool ended_ = false;  // the client says nothing more, or we want no more of it
};

}  // namespace nave::management
