// One thread with libcurl's multi interface; requests and results cross under a lock.
#include "controlplane/runtime/fetcher.hpp"

#include "common/deleter.hpp"
#include "controlplane/runtime/event_loop.hpp"
#include "controlplane/runtime/mailbox.hpp"

#include <algorithm>
#include <curl/curl.h>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace nave::runtime {
namespace {

using Easy = std::unique_ptr<CURL, Deleter<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Deleter<curl_multi_cleanup>>;
using Headers = std::unique_ptr<curl_slist, Deleter<curl_slist_free_all>>;

/// A request under way.
struct Transfer {
    Fetcher::Request request;
    Easy easy{curl_easy_init()};
    Headers headers{};
    Bytes content{};

    static std::size_t on_bytes(const char* data, std::size_t size, std::size_t count, void* self) {
        Bytes& content = static_cast<Transfer*>(self)->content;
        if (content.size() + size * count > Fetcher::kBytesMax) return 0;
        content.insert(content.end(), data, data + size * count);
        return size * count;
    }

    void set_up() {
        CURL* curl = easy.get();
        curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, Fetcher::kRedirectsMax);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(Fetcher::kPatience).count()));
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, static_cast<long>(Fetcher::kBytesMax));
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // a name that is being looked up holds up nobody
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "nave");
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
        if (request.body.empty()) return;
        headers.reset(curl_slist_append(nullptr, "Content-Type: application/ocsp-request"));
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    }
};

}  // namespace

std::string host_of(const std::string& url) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string::npos) return {};
    const std::size_t begin = scheme + 3;
    return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

bool FetchPace::admit(const std::string& host, TimePoint now) {
    std::erase_if(hosts_, [&](const auto& each) { return each.second <= now; });
    if (now < next_ || hosts_.contains(host)) return false;
    next_ = now + kApart;
    hosts_.emplace(host, now + kApartPerHost);
    return true;
}

struct Fetcher::Impl {
    Mailbox<Result> results{"what is fetched"};
    Multi multi{};
    std::thread thread{};
    std::mutex mutex{};  // guards these two
    std::deque<Request> waiting{};
    bool ending = false;
    std::map<CURL*, std::unique_ptr<Transfer>> transfers{};  // of the thread, like the rest
    FetchPace pace{};

    void begin(Request request) {
        auto transfer = std::make_unique<Transfer>(std::move(request));
        transfer->set_up();
        CURL* easy = transfer->easy.get();
        curl_multi_add_handle(multi.get(), easy);
        transfers.emplace(easy, std::move(transfer));
    }

    /// Whether all that a host may have at once is under way: more of it would wait inside of libcurl, on the slots and the patience of others.
    bool is_busy(const std::string& host) const {
        return std::ranges::count(transfers, host, [](const auto& each) { return host_of(each.second->request.url); }) >= kAtOncePerHost;
    }

    /// Starts what may start; whether more waits for its turn.
    bool start_some() {
        std::vector<Request> starting;
        const std::scoped_lock lock{mutex};
        for (auto each = waiting.begin(); each != waiting.end() && transfers.size() < static_cast<std::size_t>(kAtOnce);) {
            if (const std::string host = host_of(each->url); is_busy(host) || !pace.admit(host, now())) {
                ++each;
                continue;
            }
            begin(std::move(*each));
            each = waiting.erase(each);
        }
        return !waiting.empty();
    }

    void collect() {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            const CURLcode code = message->data.result;
            const auto found = transfers.find(message->easy_handle);
            curl_multi_remove_handle(multi.get(), message->easy_handle);
            auto transfer = std::move(found->second);
            transfers.erase(found);
            if (code == CURLE_OK) results.put({transfer->request.id, std::move(transfer->content)});
            else results.put({transfer->request.id, std::unexpected{std::string{curl_easy_strerror(code)}}});
        }
    }

    bool is_ending() {
        const std::scoped_lock lock{mutex};
        return ending;
    }

    void run() {
        constexpr int kTurn = 10, kIdle = 1000;  // ms
        int running = 0;
        while (!is_ending()) {
            const bool has_more = start_some();
            curl_multi_perform(multi.get(), &running);
            collect();
            curl_multi_poll(multi.get(), nullptr, 0, has_more ? kTurn : kIdle, nullptr);
        }
        for (const auto& [easy, transfer] : transfers) curl_multi_remove_handle(multi.get(), easy);
        transfers.clear();
    }
};

Fetcher::Fetcher() : impl_{std::make_unique<Impl>()} {}

Fetcher::~Fetcher() {
    if (impl_->thread.joinable()) {
        {
            const std::scoped_lock lock{impl_->mutex};
            impl_->ending = true;
        }
        curl_multi_wakeup(impl_->multi.get());
        impl_->thread.join();
    }
}

void Fetcher::fetch(Request request) {
    if (!impl_->thread.joinable()) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        impl_->multi.reset(curl_multi_init());
        curl_multi_setopt(impl_->multi.get(), CURLMOPT_MAX_HOST_CONNECTIONS, kAtOncePerHost);
        impl_->thread = std::thread{[impl = impl_.get()] { impl->run(); }};
    }
    bool is_full = false;
    {
        const std::scoped_lock lock{impl_->mutex};
        is_full = impl_->waiting.size() >= kWaitingMax;
        if (!is_full) impl_->waiting.push_back(std::move(request));
    }
    if (is_full) return impl_->results.put({request.id, std::unexpected{std::string{"too much waits to be fetched"}}});
    curl_multi_wakeup(impl_->multi.get());
}

int Fetcher::descriptor() const { return impl_->results.descriptor(); }

std::vector<Fetcher::Result> Fetcher::take() { return impl_->results.take(); }

}  // namespace nave::runtime
