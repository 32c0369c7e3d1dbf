#ifndef KVOLT_DETAIL_HTTP_SESSION_HPP
#define KVOLT_DETAIL_HTTP_SESSION_HPP

#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/address.hpp>
#include <kvolt/detail/error_answer.hpp>
#include <kvolt/detail/handshake.hpp>
#include <kvolt/detail/request_parser.hpp>
#include <kvolt/detail/websocket_session.hpp>
#include <kvolt/detail/wire.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// One connection: HTTP/1.1 (RFC 9112), request by request, until it closes or becomes a WebSocket, which it then
/// holds.
template <class Stream>
class HttpSession final : public Protocol, public Exchange, public std::enable_shared_from_this<HttpSession<Stream>> {
public:
    using Endpoint = typename Stream::protocol_type::endpoint;
    using Error = boost::system::error_code;
    using Self = std::shared_ptr<HttpSession>;

    HttpSession(const App& app, Loop& loop, Stream stream, Endpoint remote)
        : app_(app),
          limits_(app.limits()),
          remote_(std::move(remote)),
          wire_(loop, std::move(stream), *this),
          buffer_(limits_.header_size + read_size) {}

    ~HttpSession() { wire_.loop().connections().fetch_sub(1, std::memory_order_relaxed); }

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

    std::string remote_address() const override { return to_string(remote_); }
    Task<>::executor_type executor() override { return wire_.get_executor(); }

    std::shared_ptr<Peer> upgrade(const Request& request, const UpgradeOptions& options) override {
        check_handshake(request, options, false);
        auto behind = buffer_.data();
        wire_.left_over(std::string(static_cast<const char*>(behind.data()), behind.size()));
        buffer_ = boost::beast::flat_buffer();
        parser_.reset();
        websocket_ = std::make_unique<WebSocketSession<Stream>>(wire_, limits_, agree_on_protocol(request, options));
        try {
            websocket_->accept(request, this->weak_from_this());
        } catch (...) {
            websocket_.reset();
            wire_.finish(limits_.close_timeout);
            throw;
        }
        if (stopping_) websocket_->on_shut_down();
        return websocket_->peer();
    }

    // Protocol

    void on_backlog() override { wire_.arm(limits_.write_timeout); }

    void on_drained() override {
        if (paused_) return proceed(this->shared_from_this());
        if (stopping_) return on_shut_down();
        arm();
    }

    void on_lost() override {}

    void on_late() override {
        if (wire_.outbox().backlog() > 0) return wire_.abort();
        switch (state_) {
            case State::idle: return wire_.finish(limits_.close_timeout);
            case State::head: return refuse({408, "Request Timeout"});
            case State::body:
                if (body_deadline() > wire_.loop().now()) return arm();
                return refuse({408, "Request Timeout"});
            default: return;
        }
    }

    void on_shut_down() override {
        stopping_ = true;
        if (state_ == State::idle && wire_.outbox().backlog() == 0) wire_.finish(Loop::tick_length);
    }

private:
    enum class State { idle, head, body, handling };

    static constexpr std::size_t read_size = 4096;

    // Go on as far as the bytes at hand allow: parse, handle, answer, and so on; then read.
    void proceed(Self self) {
        proceeding_ = true;
        while (!wire_.finishing() && !wire_.closed() && !websocket_) {
            if (state_ == State::handling) {
                if (!handled_) break;  // the handler goes on later
                respond();
                continue;
            }
            paused_ = wire_.outbox().backlog() > 0;  // the peer has to take its answers before it gets more
            if (paused_) break;
            if (!parse()) {
                if (stopping_) on_shut_down();
                arm();
                if (!wire_.finishing() && !wire_.closed()) read(std::move(self));
                break;
            }
            handle();
        }
        proceeding_ = false;
    }

    void read(Self self) {
        std::size_t most = buffer_.max_size() - buffer_.size();
        auto space = buffer_.prepare(std::min(most, state_ == State::body ? std::max(read_size, most) : read_size));
        wire_.read(space, [this, self = std::move(self)](Error error, std::size_t size) mutable {
            if (error) {
                // The peer will not send any more; it may still want its answers.
                if (error == boost::asio::error::eof && wire_.outbox().backlog() > 0)
                    return wire_.finish(limits_.write_timeout);
                return wire_.finish(limits_.close_timeout);
            }
            buffer_.commit(size);
            received_ += size;
            proceed(std::move(self));
        });
    }

    std::string_view bytes() const noexcept {
        auto data = buffer_.data();
        return {static_cast<const char*>(data.data()), data.size()};
    }

    // Parse what is there. True if a whole request is; false if more bytes are needed or the request was refused.
    bool parse() {
        if (!parser_) {
            while (bytes().starts_with("\r\n")) buffer_.consume(2);  // RFC 9112, section 2.2
            state_ = State::idle;
            if (buffer_.size() == 0 || bytes() == "\r") return false;
            parser_.emplace(request_, limits_);
            request_.clear();
            parsed_ = received_ = 0;
            since_ = wire_.loop().now();
            state_ = State::head;
        }
        Error error;
        if (parsed_ < buffer_.size()) parsed_ += parser_->put(buffer_.data() + parsed_, error);
        if (state_ == State::head && parser_->is_header_done()) {
            state_ = State::body;
            since_ = wire_.loop().now();
            std::string_view head = bytes().substr(0, bytes().find("\r\n\r\n") + 2);
            if (auto refusal = check_request(request_, head)) return refuse(*refusal), false;
        }
        if (error && error != boost::beast::http::error::need_more)
            return refuse(parser_->refusal(error, bytes())), false;
        if (parser_->is_done()) {
            buffer_.consume(parsed_);
            return true;
        }
        if (state_ == State::body) {
            buffer_.consume(parsed_);
            parsed_ = 0;
            if (buffer_.size() > limits_.header_size)
                return refuse({400, "Bad Request"}), false;  // a chunk head without end
            invite_body();
        } else if (buffer_.size() >= limits_.header_size) {
            return refuse(parser_->refusal(boost::beast::http::error::header_limit, bytes())), false;
        }
        return false;
    }

    // Expect: 100-continue (RFC 9110, section 10.1.1)
    void invite_body() {
        if (invited_ || request_.version() < 11 || request_.count("Expect") == 0 || !request_.body().empty()) return;
        invited_ = true;
        send([](std::string& out) { out += "HTTP/1.1 100 Continue\r\n\r\n"; });
    }

    void handle() {
        state_ = State::handling;
        handled_ = false;
        invited_ = false;
        failure_ = nullptr;
        keep_alive_ = parser_->keep_alive();
        response_.clear();
        PathMatch match;
        const Chain& chain = app_.find(request_, match);
        context_.emplace(request_, response_, *this);
        context_->match(match);
        if (chain.plain()) {
            try {
                run_plain(chain, *context_);
            } catch (...) {
                failure_ = std::current_exception();
            }
            handled_ = true;
            return;
        }
        boost::asio::co_spawn(executor(), run(chain, 0, *context_),
                              [self = this->shared_from_this()](std::exception_ptr failure) mutable {
                                  self->failure_ = std::move(failure);
                                  self->on_handled(self);
                              });
    }

    void on_handled(Self self) {
        handled_ = true;
        if (websocket_) {
            websocket_->handler_done(failure_ ? close_code::internal_error : close_code::normal);
            if (failure_) log_failure();
            context_.reset();
        } else if (!proceeding_) {
            proceed(std::move(self));
        }
    }

    void respond() {
        if (failure_) answer_failure();
        // Behind a handshake that came to nothing may be frames, which are no requests.
        keep_alive_ = keep_alive_ && !stopping_ && !request_.has_token("Upgrade", "websocket");
        send([&](std::string& out) {
            response_.append_to(
                out, {wire_.loop().date(), keep_alive_, request_.version() < 11, request_.method() == "HEAD"});
        });
        context_.reset();
        parser_.reset();
        request_.clear();
        response_.clear();
        served_ = true;
        since_ = wire_.loop().now();
        state_ = State::idle;
        if (!keep_alive_) wire_.finish(limits_.close_timeout);
    }

    void answer_failure() {
        try {
            std::rethrow_exception(failure_);
        } catch (const HttpError& error) {
            try {
                answer_error(response_, error);
                return;
            } catch (const std::exception& fault) {
                log(fault.what());
            }
        } catch (...) {
            log_failure();
        }
        answer_error(response_, 500, "Internal Server Error");
    }

    void log_failure() const {
        try {
            std::rethrow_exception(failure_);
        } catch (const std::exception& error) {
            log(error.what());
        } catch (...) {
            log("an exception that is no std::exception");
        }
    }

    void log(std::string_view what) const {
        try {
            app_.log("kvolt: " + std::string(request_.method()) + ' ' + std::string(request_.target()) + ": " +
                     std::string(what));
        } catch (...) {  // a logger that fails must not end the loop
        }
    }

    // Answer what is no proper request, and close.
    void refuse(const Refusal& refusal) {
        answer_error(response_, refusal.status, refusal.reason);
        send([&](std::string& out) {
            response_.append_to(out, {wire_.loop().date(), false, false, request_.method() == "HEAD"});
        });
        wire_.finish(limits_.close_timeout);
    }

    template <class Write>
    void send(Write&& write) {
        std::size_t begin = wire_.loop().begin_append();
        write(wire_.loop().outgoing());
        wire_.send(begin, wire_.loop().outgoing().size(), Unit::raw);
    }

    // A body must come within body_grace, and at body_rate from then on.
    Tick body_deadline() const noexcept {
        auto earned = std::chrono::milliseconds(limits_.body_rate == 0 ? 0 : received_ * 1000 / limits_.body_rate);
        return since_ + Loop::ticks(limits_.body_grace + earned);
    }

    void arm() {
        if (wire_.finishing() || wire_.closed() || wire_.outbox().backlog() > 0) return;
        switch (state_) {
            case State::idle:
                return wire_.arm_at(since_ + Loop::ticks(served_ ? limits_.idle_timeout : limits_.header_timeout));
            case State::head: return wire_.arm_at(since_ + Loop::ticks(limits_.header_timeout));
            case State::body: return wire_.arm_at(body_deadline());
            default: return;
        }
    }

    const App& app_;
    const Limits& limits_;
    Endpoint remote_;
    Wire<Stream> wire_;
    boost::beast::flat_buffer buffer_;
    std::optional<RequestParser> parser_;
    Request request_;
    Response response_;
    std::optional<Context> context_;
    std::exception_ptr failure_;
    std::size_t parsed_ = 0;    // bytes at the front of buffer_ that the parser has seen
    std::size_t received_ = 0;  // bytes of the request under way
    Tick since_ = 0;            // when its head or body began, or the wait for it
    State state_ = State::idle;
    bool served_ = false;  // a request, before
    bool handled_ = false;
    bool proceeding_ = false;
    bool paused_ = false;  // until the backlog is empty
    bool keep_alive_ = true;
    bool invited_ = false;
    bool stopping_ = false;
    std::unique_ptr<WebSocketSession<Stream>> websocket_;  // destroyed first
};

}  // namespace kvolt::detail

#endif
