#ifndef KVOLT_DETAIL_SERVER_HTTP_SESSION_HPP
#define KVOLT_DETAIL_SERVER_HTTP_SESSION_HPP

#include <kvolt/detail/core/charge.hpp>
#include <kvolt/detail/core/log_line.hpp>
#include <kvolt/detail/http/body_intake.hpp>
#include <kvolt/detail/http/error_answer.hpp>
#include <kvolt/detail/http/forwarded.hpp>
#include <kvolt/detail/http/request_reader.hpp>
#include <kvolt/detail/net/address.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/peer_watch.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/net/wait_point.hpp>
#include <kvolt/detail/net/wire.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/detail/server/file_sender.hpp>
#include <kvolt/detail/server/handling.hpp>
#include <kvolt/detail/server/response_writer.hpp>
#include <kvolt/detail/websocket/handshake.hpp>
#include <kvolt/detail/websocket/session.hpp>
#include <kvolt/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// One connection: HTTP/1.1 (RFC 9112), request by request, until it closes or becomes a WebSocket, which it then
/// holds.
template <class Stream>
class HttpSession final : public Protocol,
                          public Exchange,
                          public Resting,
                          public std::enable_shared_from_this<HttpSession<Stream>> {
public:
    using Error = boost::system::error_code;
    using Self = std::shared_ptr<HttpSession>;

    /// @param place   On the connection's loop; kept until the connection is closed.
    /// @param sender  Who it is from.
    /// @param early   What has come in already.
    HttpSession(std::shared_ptr<const AppCore> app, Place place, Stream stream, Sender sender, std::string_view early)
        : app_(std::move(app)),
          limits_(app_->limits),
          sender_(std::move(sender)),
          wire_(place.loop(), std::move(stream), *this, std::move(place)),
          handling_(request_, response_, *this),
          http_(std::make_unique<Http>(*this)) {
        sender_.secure = sender_.secure || is_secure<Stream>();
        if (!early.empty())
            http_->reader.commit(boost::asio::buffer_copy(http_->reader.prepare(),
                                                          boost::asio::const_buffer(early.data(), early.size())));
    }

    HttpSession(const HttpSession&) = delete;
    HttpSession& operator=(const HttpSession&) = delete;

    void start() {
        auto self = this->shared_from_this();
        wire_.owner(self);
        since_ = wire_.loop().now();
        if (wire_.loop().draining()) return wire_.abort();
        proceed(std::move(self));
    }

    // Exchange

    std::string remote_address() const override { return to_string(client().address); }
    bool secure() const override { return client().secure; }
    std::string host() const override { return client().host; }
    Task<>::executor_type executor() override { return wire_.get_executor(); }
    bool connected() const noexcept override { return !wire_.closed(); }

    std::shared_ptr<Peer> upgrade(const Request& request, const UpgradeOptions& options) override {
        Client from = client();
        check_handshake(request, options, from.secure, from.host);
        Extensions extensions = agree_on_extensions(request, options);
        std::string answer = std::move(extensions.answer);
        std::string rest = http_->reader.take_rest();
        websocket_ = std::make_unique<WebSocketSession<Stream>>(wire_, limits_, agree_on_protocol(request, options),
                                                                Role::server, std::move(extensions));
        http_.reset();
        wire_.attempt([&] { websocket_->accept(request, response_, answer, std::move(rest), this->weak_from_this()); });
        wire_.protocol(*this);
        if (stopping_) websocket_->on_shut_down();
        return websocket_->peer();
    }

    bool body_to_come() const noexcept override { return http_ && http_->body.to_come(); }

    std::chrono::milliseconds body_wait() const noexcept override {
        return Loop::tick_length * (http_ ? http_->body.waited() : 0);
    }

    Task<> read_body() override {
        auto self = this->shared_from_this();
        if (!http_) co_return;
        if (http_->body.in_parts())
            throw std::logic_error("kvolt: read_body() on a route with stream_body: call read_some()");
        while (body_to_come()) {
            if (http_->body.parse() && body_to_come()) {
                await_body(self);
                co_await http_->part.wait(wire_.loop(), self);
            }
            check_body();
        }
    }

    Task<std::optional<std::string_view>> read_some() override {
        auto self = this->shared_from_this();
        if (websocket_) throw std::logic_error("kvolt: read_some() of a request that was upgraded");
        std::string& part = request_.body_buffer();
        if (!http_->body.in_parts()) {
            Task<> whole = read_body();
            co_await std::move(whole);
            if (std::exchange(body_given_, true) || part.empty()) co_return std::nullopt;
            co_return part;
        }
        part.clear();
        while (part.empty() && http_->reader.stage() == Stage::body) {
            if (http_->body.parse() && part.empty() && http_->reader.stage() == Stage::body) {
                await_body(self);
                co_await http_->part.wait(wire_.loop(), self);
            }
            check_body();
        }
        if (part.empty()) co_return std::nullopt;
        co_return part;
    }

    void limit_body(std::uint64_t limit) override {
        if (http_) http_->reader.limit_body(limit);
    }

    void begin_stream(Streaming kind) override {
        http_->writer.stream(kind);
        comment_due_ = wire_.loop().now() + Loop::ticks(limits_.ping_interval);
        arm();
    }

    std::size_t written() const noexcept override { return http_ ? http_->writer.written() : 0; }

    bool streaming() const noexcept override {
        return http_ && http_->writer.open() && !(http_->writer.events() && stopping_);
    }

    Task<bool> write(std::string_view part) override {
        auto self = this->shared_from_this();
        co_await http_->writer.write(part, self);
        co_return streaming();
    }

    // Protocol

    void on_backlog() override {
        if (websocket_) return websocket_->on_backlog();
        wire_.arm(limits_.write_timeout);
    }

    void on_drained() override {
        if (websocket_) return websocket_->on_drained();
        http_->writer.on_drained();
        if (state_ == State::files) return proceed(this->shared_from_this());
        if (idle()) since_ = wire_.loop().now();  // the peer was busy until now
        if (state_ == State::head) return proceed(this->shared_from_this());
        arm();
    }

    void on_lost() override {
        if (state_ == State::handler) abandoned_ = Charge(app_->abandoned, 1);
        if (websocket_) return websocket_->on_lost();
        http_->body.fail(incomplete);
        http_->part.wake_later(wire_.loop());
        http_->writer.on_drained();
        if (state_ == State::body) return give_up_body();
        if (state_ != State::handler) return;
        std::string fault = handling_.disconnect();
        if (!fault.empty()) log(fault);
    }

    void on_overload() override {
        if (websocket_) return websocket_->on_overload();
        wire_.reset();
    }

    void on_late() override {
        if (websocket_) return websocket_->on_late();
        if (state_ == State::files || wire_.outbox().backlog() > 0)
            return wire_.peer_is_taking() ? wire_.arm(limits_.write_timeout) : wire_.reset();
        if (state_ == State::handler) return on_late_handler();
        if (state_ == State::body) return on_late_body();
        if (state_ == State::turn) return;
        if (http_->reader.stage() == Stage::idle) return wire_.finish(limits_.close_timeout);
        refuse({408, "Request Timeout"});
    }

    void on_shut_down() override {
        stopping_ = true;
        if (websocket_) return websocket_->on_shut_down();
        if (idle() && wire_.outbox().backlog() == 0) wire_.finish(Loop::tick_length);
    }

    // PeerWatch

    Wire<Stream>& wire() noexcept { return wire_; }
    bool handler_waits() const noexcept { return state_ == State::handler && !websocket_ && !wire_.reading(); }
    void probe() { http_->writer.probe(); }

    Error take_input() {
        for (;;) {
            auto room = http_->reader.prepare();
            if (room.size() == 0) return {};
            Error error;
            http_->reader.commit(wire_.read_now(room, error));
            if (error) return error;
        }
    }

    /// Come back when something is due.
    void arm() {
        if (wire_.finishing() || wire_.closed() || wire_.outbox().backlog() > 0) return;
        if (state_ == State::body) return wire_.arm_at(http_->body.due());
        if (state_ == State::handler) return arm_handler();
        if (state_ != State::head) return;
        bool waits = served_ && http_->reader.stage() == Stage::idle;
        wire_.loop().rest(*this, waits ? Rest::idle : Rest::unfinished, since_);
        wire_.arm_at(since_ + Loop::ticks(waits ? limits_.idle_timeout : limits_.header_timeout));
    }

    // Resting

    Rest rest() override {
        if (websocket_ || wire_.closed()) return Rest::none;
        if (awaits_body()) return Rest::receiving;
        if (state_ != State::head) return Rest::none;
        wire_.flush();
        if (wire_.closed() || !wire_.outbox().empty()) return Rest::none;
        if (!wire_.finishing() && served_ && http_->reader.stage() == Stage::idle) return Rest::idle;
        return wire_.finishing() || http_->reader.stage() < Stage::body ? Rest::unfinished : Rest::none;
    }

    void make_way() noexcept override {
        Error ignored;
        if constexpr (is_secure<Stream>())  // that no more will come
            wire_.attempt([&] { wire_.stream().shutdown(boost::asio::socket_base::shutdown_send, ignored); });
        wire_.abort();
    }

private:
    using Stage = RequestReader::Stage;

    // What is waited for.
    enum class State {
        head,     // a request
        body,     // the body of one, before its handler
        handler,  // a coroutine, of a WebSocket, too
        answer,   // nothing: the handler has ended, and its answer is to be sent
        files,    // the peer, to take what is sent of them
        turn,     // others, to have their turn before the next request is read
    };

    // What a WebSocket does without.
    struct Http {
        explicit Http(HttpSession& session)
            : reader(session.request_, session.limits_),
              writer(session.wire_, session.request_, session.response_),
              body(session.wire_.loop(), session.limits_, reader, session.request_, session.wire_) {}

        RequestReader reader;
        ResponseWriter<Stream> writer;
        BodyIntake body;
        std::optional<FileSender<Stream>> files;  // what is sent of the response that is under way
        WaitPoint<> part;                         // the coroutine that waits for more of the body
    };

    static constexpr Refusal incomplete{400, "the request's body is incomplete"};

    // Go on as far as the bytes at hand allow: parse, handle, answer, and so on; then read.
    void proceed(Self self) {
        proceeding_ = true;
        Loop::Turn turn(wire_.loop());
        while (!wire_.finishing() && !wire_.closed() && !websocket_ && step(self))
            if (state_ == State::head && http_->reader.has_more() && turn.over()) go_on_later(self);
        proceeding_ = false;
    }

    // False if something has to come first.
    bool step(Self& self) {
        switch (state_) {
            case State::head: return read_head(self);
            case State::body: return read_body(self);
            case State::handler: return arm(), false;  // it goes on later
            case State::answer: return respond(), true;
            case State::files: return send_files();
            case State::turn: return false;  // it goes on later
        }
        return false;
    }

    // Others have waited for long enough.
    void go_on_later(const Self& self) {
        wire_.loop().go_on_later([this, self] {
            wire_.attempt([&] {
                state_ = State::head;
                proceed(self);
            });
        });
        state_ = State::turn;
    }

    bool read_head(Self& self) {
        if (wire_.outbox().backlog() > 0) return false;  // the peer has to take its answers before it gets more
        Stage before = http_->reader.stage();
        auto refusal = http_->reader.parse_head();
        Stage stage = http_->reader.stage();
        if (stage != before && stage != Stage::done) since_ = wire_.loop().now();
        if (refusal) return refuse(*refusal), false;
        if (stage < Stage::body) {
            if (stopping_) on_shut_down();
            arm();
            if (!wire_.finishing() && !wire_.closed()) read(std::move(self));
            return false;
        }
        // Behind a handshake that comes to nothing may be frames, which are no requests.
        http_->writer.start(http_->reader.keep_alive() && !request_.has_token("Upgrade", "websocket"));
        body_given_ = false;
        const Chain& chain = app_->routes.find(request_, match_);
        http_->body.begin(chain.body() == Chain::Body::in_parts);
        go_on(handling_.begin(chain, match_));
        return true;
    }

    bool read_body(Self& self) {
        if (!http_->body.parse()) {
            handling_.fail(body_failure());
            state_ = State::answer;
        } else if (http_->body.to_come()) {
            await_body(std::move(self));
            return false;
        } else {
            go_on(handling_.go_on());
        }
        return true;
    }

    void go_on(Handling::Need need) {
        switch (need) {
            case Handling::Need::body: state_ = State::body; break;
            case Handling::Need::nothing: state_ = State::answer; break;
            case Handling::Need::coroutine: spawn(handling_.take_coroutine()); break;
        }
    }

    void spawn(Task<> coroutine) {
        std::size_t most = limits_.abandoned_handlers;
        if (most > 0 && app_->abandoned.load(std::memory_order_relaxed) >= most) {
            HttpError busy(503, "Service Unavailable");
            handling_.fail(std::make_exception_ptr(busy.header("Retry-After", "1")));
            state_ = State::answer;
            return;
        }
        state_ = State::handler;
        boost::asio::co_spawn(executor(), std::move(coroutine),
                              boost::asio::bind_cancellation_slot(handling_.slot(), Ended(this->shared_from_this())));
    }

    // What the handler ends with. One that there is no memory to end, or that the loop outlives, ends the connection.
    class Ended {
    public:
        explicit Ended(Self self) noexcept : self_(std::move(self)) {}
        Ended(Ended&&) noexcept = default;
        ~Ended() {
            if (!self_) return;
            self_->state_ = State::answer;  // nobody is there any more who could be told or cancelled
            self_->abandoned_ = Charge();
            self_->wire_.abort();
        }

        void operator()(std::exception_ptr failure) {
            Self self = std::move(self_);
            self->wire_.attempt([&] { self->on_ended(self, std::move(failure)); });
        }

    private:
        Self self_;
    };

    void on_ended(Self self, std::exception_ptr failure) {
        handling_.end(std::move(failure));
        state_ = State::answer;
        abandoned_ = Charge();
        if (websocket_) {
            websocket_->handler_done(handling_.failure() ? close_code::internal_error : close_code::normal);
            conclude();
        } else if (wire_.closed() || wire_.finishing()) {
            conclude();  // nobody waits for the answer any more
            http_->body.end();
        } else if (!proceeding_) {
            proceed(std::move(self));
        }
    }

    Client client() const { return find_client(request_, sender_, app_->proxies, app_->proxy_headers); }

    void read(Self self) {
        if (wire_.reading()) return;
        wire_.read(http_->reader.prepare(), [this, self = std::move(self)](Error error, std::size_t size) mutable {
            http_->reader.commit(size);
            if (state_ != State::head) http_->body.pause();
            if (state_ == State::handler) return on_part(error);
            if (state_ == State::files) return;
            if (!error) return proceed(std::move(self));
            // The peer will not send any more; it may still want its answers.
            bool waits = error == boost::asio::error::eof && wire_.outbox().backlog() > 0;
            wire_.finish(waits ? limits_.write_timeout : limits_.close_timeout);
            if (state_ == State::body) give_up_body();
        });
    }

    // The body

    // Read more of it.
    void await_body(Self self) {
        if (http_->part.waiting())
            throw std::logic_error("kvolt: the body of a request is read while another call waits for it");
        if (wire_.closed()) http_->body.fail(incomplete);
        check_body();
        if (!http_->writer.begun() && http_->reader.invite())
            http_->writer.append([](std::string& out) { out += "HTTP/1.1 100 Continue\r\n\r\n"; });
        if (!wire_.reading()) http_->body.resume();
        read(std::move(self));
        wire_.loop().rest(*this, Rest::receiving, wire_.loop().now());
        wire_.arm_at(http_->body.due());
    }

    // For the client to send more of it.
    bool awaits_body() const noexcept {
        return wire_.reading() && (state_ == State::body || (state_ == State::handler && http_->part.waiting()));
    }

    void check_body() const {
        if (const auto& failure = http_->body.failure()) throw HttpError(failure->status, std::string(failure->reason));
    }

    std::exception_ptr body_failure() const {
        const Refusal& failure = *http_->body.failure();
        return std::make_exception_ptr(HttpError(failure.status, std::string(failure.reason)));
    }

    // On behalf of the coroutine that waits for it.
    void on_part(Error error) {
        if (error && error != boost::asio::error::eof) return wire_.abort();
        if (error) http_->body.fail(incomplete);
        http_->part.wake_now();
        if (!websocket_) arm();
    }

    // Nobody will answer a request whose body does not come, but who follows it is told.
    void give_up_body() {
        http_->body.fail(incomplete);
        handling_.fail(body_failure());
        conclude();
        forget_request();
    }

    void on_late_body() {
        if (!http_->body.failure() && http_->body.due() > wire_.loop().now()) return arm();
        http_->body.fail({408, "Request Timeout"});
        proceed(this->shared_from_this());
    }

    // The handler

    void on_late_handler() {
        Tick now = wire_.loop().now();
        if (!http_->part.waiting()) {
            if (!wire_.reading()) watch_.look(this->shared_from_this(), silence());
        } else if (http_->body.failure() || http_->body.due() <= now) {
            http_->body.fail({408, "Request Timeout"});
            http_->part.wake_later(wire_.loop());
        }
        if (http_->writer.events() && comment_due_ <= now) {
            if (streaming()) send_encoded([this] { http_->writer.comment(); });
            comment_due_ = now + Loop::ticks(limits_.ping_interval);
        }
        arm();
    }

    // The answer

    void respond() {
        if (http_->reader.stage() == Stage::body &&
            (http_->reader.parse_body() || http_->reader.stage() == Stage::body))
            http_->writer.close_after();  // the rest of the body is not waited for
        if (stopping_) http_->writer.close_after();
        bool cut = handling_.failure() && http_->writer.begun();
        if (handling_.failure() && !cut) http_->writer.forget_stream();
        conclude();
        if (cut)
            http_->writer.cut_off();
        else
            send_encoded([this] { http_->writer.end(); });
        auto parts = response_.take_parts(request_.method() == "HEAD");
        forget_request();
        served_ = true;
        if (parts.empty()) return end_response();
        http_->files.emplace(wire_, std::move(parts));
        state_ = State::files;
    }

    // What an encoder throws costs the connection.
    template <class Send>
    void send_encoded(Send send) {
        try {
            send();
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            log(describe(std::current_exception()));
            wire_.reset();
        }
    }

    void forget_request() {
        handling_.clear();
        http_->body.end();
        http_->reader.next();
        response_.clear();
        state_ = State::head;
    }

    void end_response() {
        since_ = wire_.loop().now();
        if (!http_->writer.keep_alive()) wire_.finish(limits_.close_timeout);
    }

    // Send on what lies in files. False if that goes on later, or not at all.
    bool send_files() {
        using Progress = typename FileSender<Stream>::Progress;
        auto progress = http_->files->send();
        if (progress == Progress::done) {
            http_->files.reset();
            state_ = State::head;
            end_response();
            return true;
        }
        if (progress == Progress::failed) return wire_.abort(), false;
        wire_.arm(limits_.write_timeout);
        if (progress == Progress::yielded)
            wire_.loop().go_on_later(
                [self = this->shared_from_this()] { self->wire_.attempt([&] { self->on_drained(); }); });
        return false;
    }

    // Answer what is no proper request, and close.
    void refuse(const Refusal& refusal) {
        http_->writer.start(false);
        handling_.begin_refused(app_->routes.fallback(), HttpError(refusal.status, std::string(refusal.reason)));
        conclude();
        http_->writer.end();
        forget_request();
        wire_.finish(limits_.close_timeout);
    }

    void conclude() {
        std::string fault = handling_.conclude(http_ && http_->writer.begun());
        if (!fault.empty()) log(fault);
    }

    void log(std::string_view what) const {
        try {
            std::string line = "kvolt: ";
            append_log_text(line, request_.method());
            line += ' ';
            append_log_text(line, request_.target());
            line += ": ";
            append_log_text(line, what);
            app_->log(line);
        } catch (...) {  // a logger that fails must not end the loop
        }
    }

    // Between two requests, or before the first one.
    bool idle() const noexcept { return state_ == State::head && http_->reader.stage() == Stage::idle; }

    // A slow reader has its own limit, and is silent meanwhile.
    std::chrono::milliseconds silence() const noexcept {
        return (std::max)(limits_.silence_timeout, limits_.write_timeout);
    }

    // Whoever waits for less than a tick is not watched.
    void arm_handler() {
        constexpr Tick never = static_cast<Tick>(-1);
        Tick now = wire_.loop().now(), due = never;
        if (http_->part.waiting())
            due = http_->body.due();
        else if (!wire_.reading())
            due = watch_.due(now).value_or(never);
        if (http_->writer.events()) due = (std::min)(due, comment_due_);
        if (due != never) wire_.arm_at(due);
    }

    const std::shared_ptr<const AppCore> app_;
    const Limits& limits_;
    Sender sender_;
    Wire<Stream> wire_;
    Request request_;
    Response response_;
    PathMatch match_;
    Handling handling_;  // of the request under way
    Charge abandoned_;   // its handler, while it goes on without a client
    Tick since_ = 0;     // when its head began, or the wait for it
    Tick comment_due_ = 0;
    State state_ = State::head;
    PeerWatch<HttpSession> watch_{*this};
    bool served_ = false;  // a request, before
    bool proceeding_ = false;
    bool body_given_ = false;  // by read_some(), whole
    bool stopping_ = false;
    std::unique_ptr<Http> http_;
    std::unique_ptr<WebSocketSession<Stream>> websocket_;  // destroyed first
};

}  // namespace kvolt::detail

#endif
