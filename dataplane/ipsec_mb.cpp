// Loading ipsec-mb: the first time as it is installed, each further time from a copy of its file in memory.
#include "dataplane/ipsec_mb.hpp"

#include <deque>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace nave::dataplane {

namespace {

constexpr const char* kLibrary = "libIPSec_MB.so.1";

/// The dynamic linker takes files with different inodes for different libraries. Null where the system lets no memory be executed:
/// then workers share one library, which is slow and right.
void* load_copy(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC), copy = memfd_create("ipsec-mb", MFD_CLOEXEC);
    struct stat status {};
    bool copied = file >= 0 && copy >= 0 && fstat(file, &status) == 0;
    for (off_t at = 0; copied && at < status.st_size;) copied = sendfile(copy, file, &at, static_cast<std::size_t>(status.st_size - at)) > 0;
    if (file >= 0) close(file);
    void* const loaded = copied ? dlopen(("/proc/self/fd/" + std::to_string(copy)).c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
    // A loaded one stays open: its name must not become that of the next copy.
    if (!loaded && copy >= 0) close(copy);
    return loaded;
}

}  // namespace

struct IpsecMb::Library {
    void* handle = nullptr;
    bool used = false;

    template <class Function>
    Function* function(const char* name) const {
        if (void* found = dlsym(handle, name)) return reinterpret_cast<Function*>(found);
        throw std::runtime_error{std::string{kLibrary} + " has no " + name + ": install the libipsec-mb1 that nave was built for"};
    }

    void give_back() {
        const std::lock_guard lock{mutex};
        used = false;
    }

    /// One that nobody uses. They are never unloaded.
    static Library& take();

private:
    static inline std::mutex mutex;
};

IpsecMb::Library& IpsecMb::Library::take() {
    static std::deque<Library> libraries;
    const std::lock_guard lock{mutex};
    for (Library& each : libraries)
        if (!std::exchange(each.used, true)) return each;
    void* const installed = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (!installed) throw std::runtime_error{std::string{"cannot load ipsec-mb: "} + dlerror() + "; install libipsec-mb1"};
    link_map* map = nullptr;
    void* const copy = !libraries.empty() && dlinfo(installed, RTLD_DI_LINKMAP, &map) == 0 ? load_copy(map->l_name) : nullptr;
    return libraries.emplace_back(copy ? copy : installed, true);
}

IpsecMb::IpsecMb() : library_{&Library::take()}, manager_{library_->function<decltype(alloc_mb_mgr)>("alloc_mb_mgr")(0)} {
    if (!manager_) throw std::runtime_error{"ipsec-mb: no memory for its manager"};
    library_->function<decltype(init_mb_mgr_auto)>("init_mb_mgr_auto")(manager_, nullptr);
    const int error = library_->function<decltype(imb_get_errno)>("imb_get_errno")(manager_);
    if (error != 0) throw std::runtime_error{std::string{"ipsec-mb: "} + library_->function<decltype(imb_get_strerror)>("imb_get_strerror")(error)};
}

IpsecMb::~IpsecMb() {
    library_->function<decltype(free_mb_mgr)>("free_mb_mgr")(manager_);
    library_->give_back();
}

}  // namespace nave::dataplane
