#ifndef KVOLT_GROUP_HPP
#define KVOLT_GROUP_HPP

#include <kvolt/detail/core/needs.hpp>
#include <kvolt/handler.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

class App;
class FilesOptions;  // #include <kvolt/files.hpp>

/// A part of an app's routes with a common prefix and common middleware. A cheap handle: copies mean the same group.
///
/// Middleware guards every route of its group and of the groups inside, whatever comes first in the code; that of the
/// outer group runs first. It also sees requests that no route matches: the innermost group guards them whose prefix
/// their path has, and of several with the same prefix, the one that all of them are in.
class Group {
public:
    /// Add a route: `get("/users/:id", handler)`, or with middleware of its own, `get("/users/:id", auth, handler)`.
    ///
    /// The pattern may hold `:name` for one segment and end in `*name` for all that is left. With `kvolt::stream_body`
    /// in front of the handler, the request's body is read by the handler, part by part. In a group the pattern may be
    /// empty: that is the group's prefix itself.
    ///
    /// @throws std::invalid_argument  for a bad pattern, and for a route that means the same as another one.
    /// @throws std::logic_error       if the server runs already.
    template <class... Steps>
    void get(std::string_view pattern, Steps... steps) const {
        add("GET", pattern, std::move(steps)...);
    }
    template <class... Steps>
    void post(std::string_view pattern, Steps... steps) const {
        add("POST", pattern, std::move(steps)...);
    }
    template <class... Steps>
    void put(std::string_view pattern, Steps... steps) const {
        add("PUT", pattern, std::move(steps)...);
    }
    template <class... Steps>
    void patch(std::string_view pattern, Steps... steps) const {
        add("PATCH", pattern, std::move(steps)...);
    }
    template <class... Steps>
    void del(std::string_view pattern, Steps... steps) const {
        add("DELETE", pattern, std::move(steps)...);
    }
    template <class... Steps>
    void head(std::string_view pattern, Steps... steps) const {
        add("HEAD", pattern, std::move(steps)...);
    }
    template <class... Steps>
    void options(std::string_view pattern, Steps... steps) const {
        add("OPTIONS", pattern, std::move(steps)...);
    }

    /// A route for every method. With a pattern that ends in `*name` it is there for what no other route knows: of a
    /// path that has routes for other methods, what these do not take stays a 405.
    template <class... Steps>
    void any(std::string_view pattern, Steps... steps) const {
        add("*", pattern, std::move(steps)...);
    }

    /// Add a WebSocket by callbacks: `websocket("/ws", WebSocketHandlers().on_message(...))`, or with middleware of its
    /// own in front. Include kvolt/websocket_handlers.hpp. Throws like get(), and what WebSocketHandlers::check()
    /// throws.
    template <class... Steps>
    void websocket(std::string_view pattern, Steps... steps) const {
        static_assert((requires { steps.check(); } || ...), "websocket() takes kvolt::WebSocketHandlers");
        (check(steps), ...);
        add("GET", pattern, std::move(steps)...);
    }

    /// Serve the files of a folder: `files("/assets", "web/assets")`. Include kvolt/files.hpp.
    ///
    /// Nothing outside of the folder can be had, by whatever path; links are followed where they lead to a place
    /// inside. Names that begin with a dot are hidden, but for what is below `/.well-known/`. GET and HEAD with
    /// conditional requests, ranges, and `NAME.br` or `NAME.gz` beside a file for those who understand them. A folder
    /// is answered by its `index.html`.
    ///
    /// The ETag is made of size and time of change, in seconds, so that copies of a file on several machines have the
    /// same. A file that is put in place of another one of the same size and second is taken for it by who knows that.
    ///
    /// @param prefix  The path in front of the files' names; `/` for all that no other route takes.
    /// @param folder  Relative to the working folder as it is now. It may be replaced while the server runs.
    /// @throws std::system_error  with its name, if the folder is missing or cannot be read.
    template <class T = void, class = detail::NeedsFiles<T>>
    void files(std::string_view prefix, const std::string& folder) const;
    template <class T = void, class = detail::NeedsFiles<T>>
    void files(std::string_view prefix, const std::string& folder, const FilesOptions& options) const;

    /// Add middleware: a `Task<>(Context&, Next)` around the rest, or a handler that runs before it.
    template <class Middleware>
    void use(Middleware middleware) const {
        static_assert(MiddlewareFunction<Middleware>,
                      "middleware is kvolt::Task<>(kvolt::Context&, kvolt::Next), void(kvolt::Context&) or "
                      "kvolt::Task<>(kvolt::Context&), and can be copied");
        if constexpr (MiddlewareFunction<Middleware>) use_step(detail::make_step(std::move(middleware)));
    }

    /// Make the answers to errors in place of the default, JSON such as `{"error":"Not Found"}`.
    ///
    ///     app.on_error([](Context& c, const HttpError& error) { c.html(page_of(error.status(), error.what())); });
    ///
    /// It is called for each HttpError that leaves a handler or middleware, for other exceptions as for an
    /// HttpError(500), and, that of the app, for what the server refuses by itself: malformed requests (400), heads
    /// that are too large (431) or take too long (408), and so on. Of groups within one another, the innermost that
    /// has one calls it. What it does not say stays: the status, and the default's body.
    ///
    /// @param handler  Called on all loops. What it throws is logged, and makes the answer a plain 500.
    /// @throws std::logic_error  if the server runs already.
    void on_error(ErrorHandler handler) const;

    /// A group inside of this one.
    ///
    /// @param prefix  Such as `/api`; the empty one makes a group that only shares middleware.
    /// @throws std::invalid_argument  for a prefix that does not begin with '/' or ends with it.
    Group group(std::string_view prefix) const;

private:
    friend class App;

    Group(App& app, std::size_t index) : app_(&app), index_(index) {}

    template <class... Steps>
    void add(std::string method, std::string_view pattern, Steps... steps) const {
        static_assert(sizeof...(Steps) > 0, "a route needs a handler");
        static_assert(((MiddlewareFunction<Steps> || std::same_as<Steps, StreamBody>)&&...),
                      "a handler is void(kvolt::Context&) or kvolt::Task<>(kvolt::Context&); middleware may also be "
                      "kvolt::Task<>(kvolt::Context&, kvolt::Next); all can be copied");
        if constexpr (((MiddlewareFunction<Steps> || std::same_as<Steps, StreamBody>)&&...)) {
            detail::Chain chain;
            (add_to(chain, std::move(steps)), ...);
            add_route(std::move(method), pattern, std::move(chain));
        }
    }

    template <class Step>
    static void check(const Step& step) {
        if constexpr (requires { step.check(); }) step.check();
    }

    template <MiddlewareFunction F>
    static void add_to(detail::Chain& chain, F function) {
        chain.add(detail::make_step(std::move(function)));
    }
    static void add_to(detail::Chain& chain, StreamBody) { chain.body(detail::Chain::Body::in_parts); }

    void add_route(std::string method, std::string_view pattern, detail::Chain chain) const;
    void use_step(detail::Step step) const;

    App* app_;
    std::size_t index_;
};

}  // namespace kvolt

#include <kvolt/app.hpp>  // which a Group belongs to

#endif
