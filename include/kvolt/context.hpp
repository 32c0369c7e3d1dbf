#ifndef KVOLT_CONTEXT_HPP
#define KVOLT_CONTEXT_HPP

#include <kvolt/detail/core/needs.hpp>
#include <kvolt/detail/files/file.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/events.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>
#include <kvolt/response_stream.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/websocket.hpp>

#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <forward_list>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

namespace detail {
struct FileFields;
}

/// How far a request has come, for those who follow it.
enum class Phase {
    streaming,  ///< The head of the answer stands, and may still be changed; its body comes in parts.
    answered,   ///< The answer stands, that of an exception too: about to be sent, and it may still be changed; or, of
                ///< a stream, all has been sent.
    upgraded,   ///< It has become a WebSocket: see Context::socket().
    ended,      ///< The handler of the WebSocket has ended.
};

/// One request and its answer: what handlers and middleware are given.
///
/// Views that it returns are valid until the handler returns, also over `co_await`.
///
/// @note Thread safety: none; it belongs to the connection's loop, where its handler runs.
class Context {
public:
    Context(const Request& request, Response& response, detail::Exchange& exchange);

    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    // The request

    std::string_view method() const noexcept { return request_.method(); }

    /// The path, decoded: `/café`.
    std::string_view path() const noexcept {
        return decoded_path_ ? std::string_view(*decoded_path_) : request_.raw_path();
    }

    /// The request target as it was sent: `/caf%C3%A9?a=1`.
    std::string_view target() const noexcept { return request_.target(); }

    /// The pattern of the route that matched, such as `/users/:id`; empty if none did.
    std::string_view route() const noexcept { return match_->route; }

    /// A `:name` or `*name` of the route's pattern, decoded; empty if the pattern has none of this name.
    std::string_view param(std::string_view name) const noexcept {
        for (std::size_t i = 0; i < match_->size; ++i)
            if ((*match_->names)[i] == name) return decoded_params_.empty() ? match_->values[i] : decoded_params_[i];
        return {};
    }

    /// The same as it was sent: escapes and all.
    std::string_view raw_param(std::string_view name) const noexcept {
        for (std::size_t i = 0; i < match_->size; ++i)
            if ((*match_->names)[i] == name) return match_->values[i];
        return {};
    }

    /// The first query parameter of this name, decoded; `fallback` if there is none.
    std::string_view query(std::string_view name, std::string_view fallback = {}) const;

    /// The request's first header field of this name, whatever its case; empty if there is none.
    std::string_view header(std::string_view name) const noexcept { return request_.header(name); }

    /// The request's body, whole. On a route with `kvolt::stream_body`: the part that read_some() returned last.
    ///
    /// @throws std::logic_error  in middleware, which runs before the body has come: see read_body().
    std::string_view body() const {
        if (exchange_.body_to_come()) fail_without_body();
        return request_.body();
    }

    /// Wait for the body, whole: for middleware, which runs before it has come. Handlers have it already.
    ///
    /// @throws HttpError         if it is malformed, too long, too slow (see Limits) or will not come. Leave it to the
    ///                           server.
    /// @throws std::logic_error  on a route with `kvolt::stream_body`.
    Task<std::string_view> read_body();

    /// The next part of the request's body, as it comes in; nothing at its end. The peer is slowed down by TCP.
    ///
    /// For routes with `kvolt::stream_body`, whose bodies may be of any size; of other routes' requests, the whole body
    /// is one part. The view is valid until the next call. One call at a time.
    ///
    /// @throws HttpError  if the rest is malformed, too slow (see Limits) or will not come. Leave it to the server.
    Task<std::optional<std::string_view>> read_some() { return exchange_.read_some(); }

    const Request& request() const noexcept { return request_; }

    /// The client's address and port, such as `127.0.0.1:50312` or `[::1]:50312`; `unix` for a Unix socket. Behind
    /// proxies that App::trust_proxies() names, what they tell; port 0 if they do not say.
    std::string remote_address() const { return exchange_.remote_address(); }

    /// What the client calls the server, such as `example.com` or `localhost:8080`; by way of trusted proxies, too.
    std::string host() const { return exchange_.host(); }

    /// True if the client speaks TLS, with us or with a trusted proxy.
    bool secure() const { return exchange_.secure(); }

    /// `https` or `http`.
    std::string_view scheme() const { return secure() ? "https" : "http"; }

    // The answer: what is said last counts. Another answer takes the place of the one before as a whole, a file's
    // ETag and a redirect's Location included; what status() and header() have said stays. A handler that says nothing
    // answers 200 with an empty body.

    /// Set the status, 200 to 599. This counts as an answer: plain middleware that sets one ends the chain.
    ///
    /// @throws std::invalid_argument  for another status.
    Context& status(int status) {
        check_head();
        response_.status(status);
        answered_ = true;
        return *this;
    }

    /// Set a header field of the answer; replaces all of that name, but for Set-Cookie: cookies add up.
    ///
    /// @throws std::invalid_argument  for a control character in it, for a name that is no token, and for the fields
    ///                                that are the server's own: Content-Length, Transfer-Encoding, Connection, Date.
    Context& header(std::string_view name, std::string_view value) {
        check_head();
        response_.header(name, value);
        return *this;
    }

    /// Add a header field beside those of the same name, such as a second `Link`. Throws like header().
    Context& add_header(std::string_view name, std::string_view value) {
        check_head();
        response_.add_header(name, value);
        return *this;
    }

    /// Answer with text in UTF-8.
    void text(std::string body) { answer(std::move(body), "text/plain; charset=utf-8"); }

    /// Answer with a web page in UTF-8. Escape what users wrote.
    void html(std::string body) { answer(std::move(body), "text/html; charset=utf-8"); }

    /// Answer with JSON that is ready to be sent.
    void json(std::string body) { answer(std::move(body), "application/json"); }

    /// Answer with bytes of any type, such as `image/png`.
    void blob(std::string body, std::string_view content_type);

    /// Answer with a file: its type by its extension, conditional requests and ranges included. Include
    /// kvolt/files.hpp.
    ///
    /// It is read while it is sent; what the system makes up, as in /proc and /sys, at once, up to 1 MiB. With a status
    /// that is set, before or after it, such as 404, it is sent whole and without validators.
    ///
    /// @param path  Of the server's own choice, relative to the working folder. Never make it up from what a client has
    ///              said: that is what `app.files()` is for.
    /// @throws HttpError          404 if there is no such regular file; 412 and 416 as the request asks for.
    /// @throws std::system_error  with the path, if it cannot be opened for another reason.
    template <class T = void, class = detail::NeedsFiles<T>>
    void file(const std::string& path);

    /// Answer with a file that browsers save instead of showing it. Throws like file().
    ///
    /// @param name  The name to save it under, in UTF-8; by default that of the file.
    template <class T = void, class = detail::NeedsFiles<T>>
    void attachment(const std::string& path, std::string_view name = {});

    /// Answer with a redirect.
    ///
    /// @param location  What cannot be in a URL as it is gets escaped, such as spaces and what is not ASCII.
    /// @param status    301, 302, 303, 307 or 308.
    /// @throws std::invalid_argument  for another status, and for a control character.
    void redirect(std::string_view location, int status = 302);

    /// Answer with a body that is sent in parts as the handler makes them. Set status and header fields before.
    ///
    ///     auto stream = c.stream("text/csv");
    ///     for (auto& row : rows) if (!co_await stream.write(row)) break;
    ///
    /// @throws std::logic_error  if the request was streamed or upgraded already.
    ResponseStream stream(std::string_view content_type = "application/octet-stream");

    /// Answer with server-sent events, for a browser's EventSource. Set header fields before.
    ///
    /// @throws std::logic_error  if the request was streamed or upgraded already.
    EventStream events();

    /// Let read_some() throw an HttpError(413) if the request's body is longer. Before the first call of it.
    void limit_body(std::uint64_t bytes) { exchange_.limit_body(bytes); }

    /// True once the answer's body comes by stream() or events().
    bool streamed() const noexcept { return streamed_; }

    /// The answer as it stands, for middleware that looks at it after `co_await next()`.
    Response& response() noexcept { return response_; }

    /// Bytes of the answer's body that are sent, or have been sent of a stream.
    std::uint64_t sent_size() const noexcept {
        std::size_t written = exchange_.written();
        return written > 0 ? written : response_.sent_size(method() == "HEAD");
    }

    /// True once a status or a body was set, or the connection was upgraded.
    bool answered() const noexcept { return answered_; }

    // Values that middleware leaves for the handler, one of each type

    /// Keep a value with this request; replaces one of the same type.
    template <class T>
    T& set(T value) {
        for (std::any& kept : values_)
            if (std::any_cast<T>(&kept) != nullptr) return *std::any_cast<T>(&(kept = std::move(value)));
        return *std::any_cast<T>(&values_.emplace_front(std::move(value)));
    }

    /// The value of this type that was set; nullptr if none was.
    template <class T>
    T* get() noexcept {
        for (std::any& kept : values_)
            if (T* value = std::any_cast<T>(&kept)) return value;
        return nullptr;
    }

    // The connection

    /// False once the client has gone: it has closed or reset the connection, or stays silent when its machine is asked
    /// for a sign of life. That is noticed within a moment, whatever the handler waits for; an answer reaches nobody
    /// then. A client that only shuts down its sending side waits for the answer and is still there.
    bool connected() const noexcept { return exchange_.connected(); }

    /// Be called when the client goes while the handler waits; at once if it has gone. Not after upgrade(), when
    /// WebSocket::read() tells.
    ///
    /// @param call  Called on the connection's loop. What it throws is logged.
    void on_disconnect(std::function<void()> call);

    /// Let the handler go on when the client goes. Else it is cancelled then, as Asio's operations are: what it awaits
    /// ends with `boost::asio::error::operation_aborted`, as does each `co_await` from then on, so that it unwinds. A
    /// handler that waits for what cannot be cancelled goes on. After upgrade() nothing is cancelled.
    ///
    /// For what has to be finished, such as a payment. `Limits::abandoned_handlers` says how many may go on.
    void ignore_disconnect() noexcept { ignores_disconnect_ = true; }

    /// The executor of the connection's loop, for timers and other Asio objects of this handler.
    Task<>::executor_type executor() { return exchange_.executor(); }

    /// Turn the connection into a WebSocket: answers 101. `options` says who may connect; by default the same origin.
    ///
    /// @throws HttpError         if the handshake is refused: 400, 403 or 426. Leave it to the server to answer.
    /// @throws std::logic_error  if the request was answered or upgraded already.
    Task<WebSocket> upgrade();
    Task<WebSocket> upgrade(UpgradeOptions options);

    bool upgraded() const noexcept { return upgraded_; }

    /// The WebSocket that the request has become; nullptr if it has not.
    const WebSocket* socket() const noexcept { return socket_ ? &*socket_ : nullptr; }

    // For middleware that needs no coroutine: what is still to come

    /// Be called when the request has been answered, or upgraded and later ended. Who asked last is called first, as if
    /// it ran around the rest. This makes plain middleware see the answer as it is sent, whatever the handler threw.
    ///
    /// What a follower throws makes the answer a 500, which those who asked earlier see. If the client goes first, they
    /// see the answer that it would have got; 499 if the handler was cancelled for that. For a handler that does not
    /// end although the server has stopped and cut it off, nobody is called.
    void follow(std::function<void(Context&, Phase)> follower);

    /// Be asked, before others who asked earlier, what to do with an exception that has left the handler and all
    /// middleware.
    ///
    /// @param rescuer  Returns true if it has answered in place of it; it may also throw another one.
    void on_failure(std::function<bool(Context&, const std::exception_ptr&)> rescuer);

    // For the server

    bool body_to_come() const noexcept { return exchange_.body_to_come(); }
    std::chrono::milliseconds body_wait() const noexcept { return exchange_.body_wait(); }
    bool ignores_disconnect() const noexcept { return ignores_disconnect_; }

    /// The client has gone: tell those who have asked for it.
    ///
    /// @param failed  Called with what one throws.
    template <class Failed>
    void disconnect(Failed failed) {
        for (auto& call : std::exchange(on_disconnect_, {})) try {
                call();
            } catch (...) {
                failed(std::current_exception());
            }
    }

    /// Answer with an open file.
    void file(std::shared_ptr<const detail::File> file, const detail::FileFields& fields);

    /// A stream was not begun: the answer is another one.
    void forget_stream() noexcept { streamed_ = false; }

    /// Tell all followers.
    ///
    /// @param failed  Called with what one throws, before the next is told.
    template <class Failed>
    void announce(Phase phase, Failed failed) {
        for (auto& follower : followers_) try {
                follower(*this, phase);
            } catch (...) {
                failed(std::current_exception());
            }
    }

    /// Tell all followers, then throw what the first one threw.
    void announce(Phase phase);

    /// True if the exception was taken care of; else it is the one that remains.
    bool rescue(std::exception_ptr& failure);

    /// @param match  Must outlive this.
    void match(const detail::PathMatch& match);

private:
    void check_head() const;

    [[noreturn]] void fail_without_body() const;

    void begin_stream(detail::Exchange::Streaming kind, Response::Answer answer);

    void answer(std::string&& body, std::string_view known_type);

    const Request& request_;
    Response& response_;
    detail::Exchange& exchange_;
    const detail::PathMatch* match_ = &detail::PathMatch::none;
    std::optional<std::string> decoded_path_;
    std::vector<std::string> decoded_params_;
    mutable std::optional<QueryParameters> query_;
    // The newest of each in front. They stay where they are, also while one that is called adds another one.
    std::forward_list<std::any> values_;
    std::forward_list<std::function<void(Context&, Phase)>> followers_;
    std::forward_list<std::function<bool(Context&, const std::exception_ptr&)>> rescuers_;
    std::forward_list<std::function<void()>> on_disconnect_;
    std::optional<WebSocket> socket_;
    bool answered_ = false;
    bool upgraded_ = false;
    bool streamed_ = false;
    bool ignores_disconnect_ = false;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/context.hpp>
#endif

#endif
