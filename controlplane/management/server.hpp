// The management socket: a Unix stream socket served from somebody else's event loop, without ever blocking it.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nave::management {

/// Serves lines: each request line is handed to the handler, whose answer goes back as one line. Control thread only.
/// A client that does not read its answer is not read from either, and costs nothing but its one answer.
class Server {
public:
    static constexpr std::size_t kClientsMax = 64;
    static constexpr std::size_t kRequestBytesMax = 4096;            // of one line; a longer one ends the connection
    static constexpr std::size_t kAnswerBytesMax = 64 * 1024 * 1024; // of one line; a longer one is answered by an error

    /// Gives the answer, without line end, to a request line without line end.
    using Handler = std::function<std::string(std::string_view line)>;

    /// Makes the socket's folder (0755) and the socket (0600). A stale socket is replaced; one that somebody listens on is not.
    /// The error says in words what is wrong and what to do.
    static std::expected<std::unique_ptr<Server>, std::string> listen(const std::string& path, Handler handler);
    /// Closes all connections and removes the socket.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// To be watched for reading (level-triggered); it stands for the listener and all clients.
    int descriptor() const;
    /// Call when the descriptor is readable: accepts, reads, answers, writes what fits, and returns at once.
    void on_readable();
    std::size_t client_count() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;

public:
    /// For listen() alone, which has what it takes.
    explicit Server(std::unique_ptr<Impl> impl);
};

}  // namespace nave::management
