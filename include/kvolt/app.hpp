#ifndef KVOLT_APP_HPP
#define KVOLT_APP_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/core/needs.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/handle.hpp>
#include <kvolt/detail/server/lifecycle.hpp>
#include <kvolt/group.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/proxy_headers.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

class Tls;  // #include <kvolt/tls.hpp>

namespace detail {
class TlsStream;
}  // namespace detail

/// A web application: its routes, and the server that runs them.
///
/// @note Thread safety: set it up in one thread. While it runs, `stop`, `port` and `executor` may be called from any
/// thread.
class App : public Group {
public:
    App();

    /// Stops the server, if it runs, and waits for that like stop(). Where it does not wait, handlers go on until they
    /// have ended or the server is drained: what they use has to outlive that.
    KVOLT_INLINE virtual ~App();

    App(const App&) = delete;
    App& operator=(const App&) = delete;

    /// How many threads serve, each with its own loop and connections; 1 by default.
    ///
    /// With one, handlers run one at a time between their `co_await`s and may share data without a lock.
    App& threads(std::size_t count);
    std::size_t threads() const noexcept { return core_->threads; }

    App& limits(const Limits& limits) {
        lifecycle_->check_setup();
        core_->limits = limits;
        return *this;
    }
    const Limits& limits() const noexcept { return core_->limits; }

    /// Where one-line reports go, such as exceptions that left a handler; std::clog by default. Called from the loops'
    /// threads.
    App& logger(std::function<void(std::string_view)> log) {
        lifecycle_->check_setup();
        core_->logger = std::move(log);
        return *this;
    }

    /// Believe these peers what they tell about the client in header fields: its address, scheme and host, as Context
    /// then shows them. They must set or remove the fields of which `headers` speaks, whatever the client sends. Who
    /// speaks the PROXY protocol is said by ListenOptions::proxy_protocol().
    ///
    ///     app.trust_proxies({"127.0.0.1", "10.0.0.0/8"}, kvolt::ProxyHeaders().x_forwarded_host());
    ///
    /// @param peers    Addresses and networks, such as `10.0.0.0/8` and `::1`, and `unix` for Unix sockets.
    /// @param headers  X-Forwarded-For and X-Forwarded-Proto, unless others are chosen.
    /// @throws std::invalid_argument  that names what is none of them.
    App& trust_proxies(const std::vector<std::string>& peers, ProxyHeaders headers = {});

    struct Route {
        std::string method;  ///< `*` for every method.
        std::string pattern;
    };

    /// All routes, in the order in which they were added.
    std::vector<Route> routes() const;

    /// Listen on one more address; clients wait there until run() or start().
    ///
    /// @param address  `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`; port 0 takes a free one.
    /// @returns  the port; 0 for a Unix socket, and after a stop(), when nothing is done.
    /// @throws std::invalid_argument  for a bad address.
    /// @throws std::system_error      with the address in its message if it cannot be listened on.
    /// @throws std::logic_error       if the server runs already.
    template <class Self = App, class = detail::NeedsServer<Self>>
    unsigned short listen(std::string_view address, const ListenOptions& options = {});

    /// Serve on all addresses of listen(), until SIGINT, SIGTERM or stop(); a second signal does not wait for those who
    /// are still there. The file that calls this includes `kvolt.hpp` or `kvolt/server.hpp`, and compiles the server
    /// unless KVOLT_COMPILED says that another one does.
    ///
    /// Then no connection is accepted any more, requests that are being handled are answered, WebSockets are closed
    /// with 1001, and what is left after `Limits::drain_timeout` is cut off. Handlers have ended when it returns.
    ///
    /// The limit of descriptors is raised as far as the system allows it (RLIMIT_NOFILE, its soft limit).
    ///
    /// @param ready  Called once clients can connect, for each address with what to open: `http://localhost:8080`.
    /// @throws std::logic_error   if nothing is listened on, a listener demands the PROXY protocol of nobody, or the
    ///                            app was started before. After a stop() it returns at once.
    /// @throws std::system_error  if there are no threads or descriptors for it. The app is as if it had not been run.
    template <class Self = App, class = detail::NeedsServer<Self>>
    void run(std::function<void(std::string_view url)> ready = {});

    /// listen(), then run(). Throws like both.
    template <class Self = App, class = detail::NeedsServer<Self>>
    void run(std::string_view address, std::function<void(std::string_view url)> ready = {}) {
        listen<Self>(address);
        detail::Undo undo([&] { lifecycle_->give_up_last(); });
        run<Self>(std::move(ready));
        undo.done();
    }

    /// Start to serve in threads of its own and return as soon as clients can connect. Signals are left to the caller.
    /// Throws like run().
    ///
    /// A program that exits meanwhile, by exit() or the end of main(), stops the app before its static objects are
    /// destroyed; if a handler calls exit(), everybody is cut off.
    template <class Self = App, class = detail::NeedsServer<Self>>
    void start();

    /// listen(), then start(). Throws like both.
    template <class Self = App, class = detail::NeedsServer<Self>>
    void start(std::string_view address) {
        listen<Self>(address);
        detail::Undo undo([&] { lifecycle_->give_up_last(); });
        start<Self>();
        undo.done();
    }

    /// listen() for HTTPS and wss://. Include <kvolt/tls.hpp>.
    template <class Stream = detail::TlsStream, class = detail::NeedsTls<Stream>>
    unsigned short listen_tls(std::string_view address, const Tls& tls, const ListenOptions& options = {});

    /// listen_tls(), then run(). Include <kvolt/tls.hpp>.
    template <class Stream = detail::TlsStream, class = detail::NeedsTls<Stream>>
    void run_tls(std::string_view address, const Tls& tls, std::function<void(std::string_view url)> ready = {});

    /// The same with one certificate. Throws like Tls, too.
    template <class Stream = detail::TlsStream, class = detail::NeedsTls<Stream>>
    void run_tls(std::string_view address, std::string certificate_file, std::string key_file,
                 std::function<void(std::string_view url)> ready = {});

    /// Stop as run() describes, and wait for the end, but not on a thread that serves this or another app: in a handler
    /// or a hook. Once stopped, an app does not start again.
    KVOLT_INLINE virtual void stop();

    /// The port of the first address that is listened on; 0 before that and for a Unix socket.
    unsigned short port() const noexcept;

    /// The first loop's executor, for timers, `co_spawn` and other Asio objects; also before the start, when nothing
    /// runs yet. An exception that leaves what runs on it ends run(), and is logged where start() was called.
    boost::asio::io_context::executor_type executor() noexcept;

    // For the server, hubs and the test kit

    /// Be served by this instead of by run() or start().
    ///
    /// @throws std::logic_error  if the app was started or stopped before.
    void serve_by(std::shared_ptr<detail::ServerHandle> server);

    const std::shared_ptr<detail::AppCore>& core() const noexcept { return core_; }
    const std::shared_ptr<detail::Loops>& loops() const noexcept { return core_->loops; }

    /// What stops the app; gone with it.
    std::weak_ptr<detail::Lifecycle> lifecycle() const noexcept { return lifecycle_; }

private:
    friend class Group;

    std::size_t add_group(std::size_t parent, std::string_view prefix);
    void add_route(std::size_t group, std::string method, std::string_view pattern, detail::Chain chain);
    void add_middleware(std::size_t group, detail::Step step);
    void set_error_handler(std::size_t group, ErrorHandler handler);

    // Nothing if the app was stopped before.
    template <class Server>
    std::shared_ptr<Server> serve(typename Server::Threads threads) {
        return lifecycle_->serve([&](const detail::Listeners& listeners) {
            auto server = std::make_shared<Server>(core_, listeners);
            server->launch(threads);
            return server;
        });
    }

    // Called by pointers, so that only the file which constructs an App compiles them. Virtual functions would not do:
    // g++ compiles all that a call of one could mean.
    std::size_t (App::*const add_group_)(std::size_t, std::string_view) = &App::add_group;
    void (App::*const add_route_)(std::size_t, std::string, std::string_view, detail::Chain) = &App::add_route;
    void (App::*const add_middleware_)(std::size_t, detail::Step) = &App::add_middleware;
    void (App::*const set_error_handler_)(std::size_t, ErrorHandler) = &App::set_error_handler;

    const std::shared_ptr<detail::AppCore> core_;
    const std::shared_ptr<detail::Lifecycle> lifecycle_;
};

inline Group Group::group(std::string_view prefix) const {
    return Group(*app_, (app_->*app_->add_group_)(index_, prefix));
}

inline void Group::add_route(std::string method, std::string_view pattern, detail::Chain chain) const {
    (app_->*app_->add_route_)(index_, std::move(method), pattern, std::move(chain));
}

inline void Group::use_step(detail::Step step) const { (app_->*app_->add_middleware_)(index_, std::move(step)); }

inline void Group::on_error(ErrorHandler handler) const {
    (app_->*app_->set_error_handler_)(index_, std::move(handler));
}

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/app.hpp>
#endif

#endif
