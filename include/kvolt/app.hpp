#ifndef KVOLT_APP_HPP
#define KVOLT_APP_HPP

#include <kvolt/detail/budget.hpp>
#include <kvolt/detail/ip.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/server_handle.hpp>
#include <kvolt/detail/stream.hpp>
#include <kvolt/error.hpp>
#include <kvolt/group.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/router.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

class Tls;

namespace detail {
class TlsStream;
}

/// A web application: its routes, and the server that runs them.
///
/// @note Thread safety: set it up in one thread. While it runs, `stop`, `port` and `executor` may be called from any
/// thread.
class App : public Group {
public:
    App() : Group(*this, 0), loops_(std::make_shared<detail::Loops>()) {
        groups_.push_back({});
        loops_->push_back(std::make_unique<detail::Loop>());
    }

    /// Stops the server, if it runs, and waits for that.
    virtual ~App() {
        self_.reset();
        stop();
        detail::clear(*loops_);
    }

    App(const App&) = delete;
    App& operator=(const App&) = delete;

    /// How many threads serve, each with its own loop and connections; 1 by default.
    ///
    /// With one, handlers run one at a time between their `co_await`s and may share data without a lock.
    App& threads(std::size_t count) {
        check_setup();
        if (count == 0 || count > 1024)
            throw std::invalid_argument("kvolt: threads(" + std::to_string(count) + "): 1 to 1024");
        threads_ = count;
        loops_->reserve(count);  // executor() may be called while the server starts
        return *this;
    }
    std::size_t threads() const noexcept { return threads_; }

    App& limits(const Limits& limits) {
        check_setup();
        limits_ = limits;
        return *this;
    }
    const Limits& limits() const noexcept { return limits_; }

    /// Where one-line reports go, such as exceptions that left a handler; std::clog by default. Called from the loops'
    /// threads.
    App& logger(std::function<void(std::string_view)> log) {
        check_setup();
        log_ = std::move(log);
        return *this;
    }

    /// Believe these peers what they tell about the client: its address, scheme and host, as Context then shows them.
    /// They must set or remove the header fields of which `headers` speaks, whatever the client sends.
    ///
    /// @param peers    Addresses and networks, such as `10.0.0.0/8` and `::1`, and `unix` for Unix sockets.
    /// @throws std::invalid_argument  that names what is none of them.
    App& trust_proxies(const std::vector<std::string>& peers, ProxyHeaders headers = ProxyHeaders::x_forwarded) {
        check_setup();
        proxies_ = detail::TrustedPeers(peers);
        proxy_headers_ = headers;
        return *this;
    }

    struct Route {
        std::string method;  ///< `*` for every method.
        std::string pattern;
    };

    /// All routes, in the order in which they were added.
    std::vector<Route> routes() const {
        std::vector<Route> result;
        for (const auto& route : router_.routes()) result.push_back({route.method, route.pattern});
        return result;
    }

    /// Listen on one more address; clients wait there until run() or start().
    ///
    /// @param address  `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`; port 0 takes a free one.
    /// @returns  the port; 0 for a Unix socket, and after a stop(), when nothing is done.
    /// @throws std::invalid_argument  for a bad address.
    /// @throws std::system_error      with the address in its message if it cannot be listened on.
    /// @throws std::logic_error       if the server runs already.
    template <class Stream = detail::PlainStream>
    unsigned short listen(std::string_view address, const ListenOptions& options = {});

    /// Serve on all addresses of listen(), until SIGINT, SIGTERM or stop(). The file that calls this includes
    /// `kvolt.hpp` or `kvolt/server.hpp`.
    ///
    /// Then no connection is accepted any more, requests that are being handled are answered, WebSockets are closed
    /// with 1001, and what is left after `Limits::drain_timeout` is cut off. Handlers have ended when it returns.
    ///
    /// @param ready  Called once clients can connect, for each address with what to open: `http://localhost:8080`.
    /// @throws std::logic_error  if nothing is listened on, a listener demands the PROXY protocol but no proxies are
    ///                           trusted, or the app was started before. After a stop() it returns at once.
    template <class Self = App>
    void run(std::function<void(std::string_view url)> ready = {});

    /// listen(), then run(). Throws like both.
    template <class Stream = detail::PlainStream>
    void run(std::string_view address, std::function<void(std::string_view url)> ready = {}) {
        listen<Stream>(address);
        run(std::move(ready));
    }

    /// Start to serve in threads of its own and return as soon as clients can connect. Signals are left to the caller.
    /// Throws like run().
    template <class Self = App>
    void start();

    /// listen(), then start(). Throws like both.
    template <class Stream = detail::PlainStream>
    void start(std::string_view address) {
        listen<Stream>(address);
        start();
    }

    /// listen() for HTTPS and wss://. Include <kvolt/tls.hpp>.
    template <class Stream = detail::TlsStream>
    unsigned short listen_tls(std::string_view address, const Tls& tls, const ListenOptions& options = {});

    /// listen_tls(), then run(). Include <kvolt/tls.hpp>.
    template <class Stream = detail::TlsStream>
    void run_tls(std::string_view address, const Tls& tls, std::function<void(std::string_view url)> ready = {});

    /// The same with one certificate. Throws like Tls, too.
    template <class Stream = detail::TlsStream>
    void run_tls(std::string_view address, std::string certificate_file, std::string key_file,
                 std::function<void(std::string_view url)> ready = {});

    /// Stop as run() describes, and wait for the end unless called in a handler. Once stopped, an app does not start
    /// again.
    virtual void stop() {
        std::shared_ptr<detail::ServerHandle> server;
        {
            std::lock_guard lock(mutex_);
            stopped_ = true;
            server = server_;
            if (!server)
                for (const auto& listener : listeners_) listener->close();
        }
        if (!server) return;
        server->stop();
        bool in_handler = std::any_of(loops_->begin(), loops_->end(),
                                      [](const auto& loop) { return loop.get() == detail::Loop::current(); });
        if (!in_handler) server->wait();
    }

    /// The port of the first address that is listened on; 0 before that and for a Unix socket.
    unsigned short port() const noexcept {
        std::lock_guard lock(mutex_);
        return listeners_.empty() ? static_cast<unsigned short>(0) : listeners_.front()->port();
    }

    /// The first loop's executor, for timers, `co_spawn` and other Asio objects; also before the start, when nothing
    /// runs yet. An exception that leaves what runs on it ends run(), and is logged where start() was called.
    detail::Loop::executor_type executor() noexcept { return loops_->front()->executor(); }

    // For the server, hubs and the test kit

    /// Be served by this instead of by run() or start().
    ///
    /// @throws std::logic_error  if the app was started or stopped before.
    void serve_by(std::shared_ptr<detail::ServerHandle> server) {
        std::lock_guard lock(mutex_);
        if (server_ || stopped_) throw std::logic_error("kvolt: an app is started once");
        freeze();
        server_ = std::move(server);
    }

    const std::shared_ptr<detail::Loops>& loops() const noexcept { return loops_; }

    const detail::TrustedPeers& proxies() const noexcept { return proxies_; }
    ProxyHeaders proxy_headers() const noexcept { return proxy_headers_; }

    /// Tells whether the app is still there.
    std::weak_ptr<App*> self() const noexcept { return self_; }

    /// What a logger throws is ignored.
    void log(std::string_view line) const noexcept try {
        if (log_) return log_(line);
        std::clog << std::string(line) + '\n' << std::flush;
    } catch (...) {
    }
    void log(std::string_view what, std::string_view why) const noexcept try {
        log(std::string(what) + ": " + std::string(why));
    } catch (...) {
    }

    /// What a request goes through: a route, or the answer that there is none for it.
    const detail::Chain& find(const Request& request, detail::PathMatch& match) const {
        auto found = router_.find(request.method(), request.raw_path());
        match = found.match;
        if (found.route) return found.route->chain;
        return groups_[found.neighbour ? common_group(request.raw_path()) : 0].fallback;
    }

private:
    friend class Group;

    struct GroupData {
        std::string prefix;
        std::size_t parent = 0;
        std::vector<detail::Step> middleware;
        detail::Chain guards;    // all middleware down to this group
        detail::Chain fallback;  // that, and an answer without a route
    };

    std::size_t add_group(std::size_t parent, std::string_view prefix) {
        check_setup();
        if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/')))
            throw std::invalid_argument("kvolt: a group's prefix begins with '/' and does not end with it: \"" +
                                        std::string(prefix) + '"');
        groups_.push_back({groups_[parent].prefix + std::string(prefix), parent, {}, {}, {}});
        return groups_.size() - 1;
    }

    void add_route(std::size_t group, std::string method, std::string_view pattern, detail::Chain chain) {
        check_setup();
        if (!pattern.empty() && !pattern.starts_with('/'))
            throw std::invalid_argument("kvolt: route pattern \"" + std::string(pattern) +
                                        "\": it must begin with '/'");
        router_.add(std::move(method), groups_[group].prefix + std::string(pattern), group, std::move(chain));
    }

    void add_middleware(std::size_t group, detail::Step step) {
        check_setup();
        groups_[group].middleware.push_back(std::move(step));
    }

    void check_setup() const {
        std::lock_guard lock(mutex_);
        if (server_) throw std::logic_error("kvolt: routes, limits and threads are set before the server starts");
    }

    // Share out the budget, and resolve which middleware guards what.
    void freeze() {
        auto budget = std::make_shared<detail::Budget>(limits_.all_backlogs);
        for (auto& loop : *loops_) loop->join(budget);
        for (std::size_t i = 0; i < groups_.size(); ++i) {
            GroupData& group = groups_[i];
            if (i > 0) group.guards = groups_[group.parent].guards;
            group.guards.add(group.middleware);
            group.fallback = group.guards;
            group.fallback.add(detail::make_step([this](Context& c) { answer_without_route(c); }));
        }
        for (auto& route : router_.routes()) {
            detail::Chain chain = groups_[route.group].guards;
            chain.add(route.chain);
            route.chain = std::move(chain);
        }
    }

    // The innermost group that the nearest routes of a path belong to: its middleware guards also what none of them
    // takes.
    std::size_t common_group(std::string_view path) const {
        auto routes = router_.nearest(path);
        std::size_t common = routes.front()->group;
        for (const Router::Route* route : routes)
            for (std::size_t other = route->group; other != common;)  // a group comes after its parent
                (other > common ? other : common) = groups_[std::max(other, common)].parent;
        return common;
    }

    void answer_without_route(Context& c) const {
        constexpr std::string_view known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"};
        if (std::find(std::begin(known), std::end(known), c.method()) == std::end(known))
            throw HttpError(501, "Not Implemented");
        bool whole_server = c.target() == "*";  // OPTIONS *
        auto match = router_.find({}, c.request().raw_path());
        if (!whole_server && match.neighbour == nullptr && match.route == nullptr) throw HttpError(404, "Not Found");
        std::string allowed = whole_server ? Router::every_method : router_.allowed(c.request().raw_path());
        if (c.method() != "OPTIONS") throw HttpError(405, "Method Not Allowed").header("Allow", allowed);
        c.header("Allow", allowed).status(204);
    }

    // `make` listens and returns the Listener.
    template <class Make>
    unsigned short add_listener(Make make) {
        std::lock_guard lock(mutex_);
        if (stopped_) return 0;
        if (server_) throw std::logic_error("kvolt: an app is started once, and listen() comes before that");
        listeners_.push_back(make());
        return listeners_.back()->port();
    }

    // Nothing if the app was stopped before.
    template <class Self>
    std::shared_ptr<detail::Server<Self>> open(bool own_threads) {
        std::lock_guard lock(mutex_);
        if (stopped_) return nullptr;
        if (server_) throw std::logic_error("kvolt: an app is started once");
        if (listeners_.empty()) throw std::logic_error("kvolt: an app needs an address: call listen() first");
        for (const auto& listener : listeners_) listener->check();
        auto server = std::make_shared<detail::Server<Self>>(*this, listeners_, own_threads);
        freeze();
        server_ = server;
        return server;
    }

    // Called by pointers, so that only the file which constructs an App compiles them. Virtual functions would not do:
    // g++ compiles all that a call of one could mean.
    std::size_t (App::*const add_group_)(std::size_t, std::string_view) = &App::add_group;
    void (App::*const add_route_)(std::size_t, std::string, std::string_view, detail::Chain) = &App::add_route;
    void (App::*const add_middleware_)(std::size_t, detail::Step) = &App::add_middleware;

    std::shared_ptr<detail::Loops> loops_;  // destroyed last
    std::shared_ptr<App*> self_ = std::make_shared<App*>(this);
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<detail::ListenerHandle>> listeners_;
    std::shared_ptr<detail::ServerHandle> server_;
    bool stopped_ = false;
    Router router_;
    std::vector<GroupData> groups_;
    Limits limits_;
    detail::TrustedPeers proxies_;
    ProxyHeaders proxy_headers_ = ProxyHeaders::x_forwarded;
    std::size_t threads_ = 1;
    std::function<void(std::string_view)> log_;
};

inline Group Group::group(std::string_view prefix) const {
    return Group(*app_, (app_->*app_->add_group_)(index_, prefix));
}

inline void Group::add_route(std::string method, std::string_view pattern, detail::Chain chain) const {
    (app_->*app_->add_route_)(index_, std::move(method), pattern, std::move(chain));
}

inline void Group::use_step(detail::Step step) const { (app_->*app_->add_middleware_)(index_, std::move(step)); }

}  // namespace kvolt

#endif
