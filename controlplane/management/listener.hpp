// Claims the path of the management socket, unless somebody holds it.
#pragma once

#include <expected>
#include <string>
#include <sys/types.h>

namespace nave::management {

/// A listening Unix stream socket with its path; closes itself and removes the path if it is still ours.
class Listener {
public:
    /// Makes the folder (0755) and the socket (0600), and replaces a socket that nobody listens on. The error is in words.
    static std::expected<Listener, std::string> open(const std::string& path);
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    int descriptor() const { return descriptor_; }

private:
    Listener(int descriptor, std::string path);
    int descriptor_;
    std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace nave::management
