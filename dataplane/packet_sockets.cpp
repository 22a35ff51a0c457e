// Looking through the process's own descriptors.
#include "dataplane/packet_sockets.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/socket.h>

namespace nave::dataplane {

std::vector<int> packet_sockets() {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd", ignored}) {
        const int descriptor = std::atoi(entry.path().filename().c_str());
        int domain = 0;
        socklen_t size = sizeof domain;
        if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_PACKET || domain == AF_XDP)) found.push_back(descriptor);
    }
    std::ranges::sort(found);
    return found;
}

}  // namespace nave::dataplane
