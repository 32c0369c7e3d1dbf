#ifndef KVOLT_DETAIL_HTTP_SESSION_HPP
#define KVOLT_DETAIL_HTTP_SESSION_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/address.hpp>
#include <kvolt/detail/app_core.hpp>
#include <kvolt/detail/conclude.hpp>
#include <kvolt/detail/error_answer.hpp>
#include <kvolt/detail/file_sender.hpp>
#include <kvolt/detail/forwarded.hpp>
#include <kvolt/detail/handshake.hpp>
#include <kvolt/detail/ip.hpp>
#include <kvolt/detail/log_line.hpp>
#include <kvolt/detail/places.hpp>
#include <kvolt/detail/request_reader.hpp>
#include <kvolt/detail/response_writer.hpp>
#include <kvolt/detail/stream.hpp>
#include <kvolt/detail/wait_point.hpp>
#include <kvolt/detail/websocket_session.hpp>
#include <kvolt/detail/wire.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
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

    /// @param place  On the connection's loop.
    /// @param peer   Who it is from; nothing for a Unix socket.
    /// @param early  What has come in already.
    HttpSession(std::shared_ptr<const AppCore> app, Place place, Stream stream, std::optional<IpEndpoint> peer,
                std::string_view early)
        : app_(std::move(app)),
          place_(std::move(place)),
          limits_(app_->limits),
          peer_(std::move(peer)),
          wire_(place_.loop(), std::move(stream), *this),
          http_(std::make_unique<Http>(*this)) {
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
        if (stopping_) websocket_->on_shut_down();
        return websocket_->peer();
    }

    Task<std::optional<std::string_view>> read_some() override {
        if (websocket_) throw std::logic_error("kvolt: read_some() of a request that was upgraded");
        auto self = this->shared_from_this();
        std::string& part = request_.body_buffer();
        if (!chain_->streams_body()) {
            if (std::exchange(body_given_, true) || part.empty()) co_return std::nullopt;
            co_return part;
        }
        if (http_->part.waiting()) throw std::logic_error("kvolt: read_some() while another call of it waits");
        part.clear();
        while (part.empty() && http_->reader.stage() == Stage::body) {
            if (auto refusal = http_->reader.parse_body())
                throw HttpError(refusal->status, std::string(refusal->reason));
            if (!part.empty() || http_->reader.stage() == Stage::done) continue;
            invite_body();
            if (wire_.closed()) body_failure_ = incomplete;
            if (!body_failure_) {
                if (!reading_) since_ += wire_.loop().now() - unread_since_;  // that was the handler's own time
                read(self);
                wire_.arm_at(body_deadline());
                co_await http_->part.wait(wire_.loop(), self);
            }
            if (body_failure_) throw HttpError(body_failure_->status, std::string(body_failure_->reason));
        }
        if (part.empty()) co_return std::nullopt;
        co_return part;
    }

    void limit_body(std::uint64_t limit) override {
        if (http_) http_->reader.limit_body(limit);
    }

    void begin_stream(Streaming kind) override {
        http_->writer.stream(kind);
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

    void on_backlog() override { wire_.arm(limits_.write_timeout); }

    void on_drained() override {
        http_->writer.on_drained();
        if (http_->files) return proceed(this->shared_from_this());
        if (paused_) return proceed(this->shared_from_this());
        if (stopping_) return on_shut_down();
        if (idle()) since_ = wire_.loop().now();  // the peer was busy until now
        arm();
    }

    void on_lost() override {
        body_failure_ = incomplete;
        http_->part.wake_later(wire_.loop());
        http_->writer.on_drained();
    }

    void on_overload() override { wire_.reset(); }

    void on_late() override {
        if (http_->files || wire_.outbox().backlog() > 0)
            return wire_.peer_is_taking() ? wire_.arm(limits_.write_timeout) : wire_.reset();
        if (handling_) return on_late_handler();
        if (http_->reader.stage() == Stage::idle) return wire_.finish(limits_.close_timeout);
        if (http_->reader.stage() == Stage::body && body_deadline() > wire_.loop().now()) return arm();
        refuse({408, "Request Timeout"});
    }

    void on_shut_down() override {
        stopping_ = true;
        if (idle() && wire_.outbox().backlog() == 0) wire_.finish(Loop::tick_length);
    }

    // Resting

    Rest rest() override {
        if (!http_ || handling_ || http_->files || wire_.closed()) return Rest::none;
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

    // What a WebSocket does without.
    struct Http {
        explicit Http(HttpSession& session)
            : reader(session.request_, session.limits_), writer(session.wire_, session.request_, session.response_) {}

        RequestReader reader;
        ResponseWriter<Stream> writer;
        std::optional<FileSender<Stream>> files;  // what is sent of the response that is under way
        WaitPoint<> part;                         // the handler in read_some()
    };

    static constexpr Refusal incomplete{400, "the request's body is incomplete"};

    // Go on as far as the bytes at hand allow: parse, handle, answer, and so on; then read.
    void proceed(Self self) {
        proceeding_ = true;
        while (!wire_.finishing() && !wire_.closed() && !websocket_) {
            if (handling_) {
                if (!handled_) break;  // the handler goes on later
                respond();
                continue;
            }
            if (http_->files) {
                if (!send_files()) break;
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

    Client client() const {
        Client peer{peer_, is_secure<Stream>(), std::string(request_.host())};
        if (app_->proxies.empty()) return peer;
        return find_client(request_, std::move(peer), app_->proxies, app_->proxy_headers);
    }

    void read(Self self) {
        if (std::exchange(reading_, true)) return;
        wire_.read(http_->reader.prepare(), [this, self = std::move(self)](Error error, std::size_t size) mutable {
            reading_ = false;
            http_->reader.commit(size);
            if (handling_) return on_body(error);
            if (http_->files) return;
            if (error) {
                // The peer will not send any more; it may still want its answers.
                if (error == boost::asio::error::eof && wire_.outbox().backlog() > 0)
                    return wire_.finish(limits_.write_timeout);
                return wire_.finish(limits_.close_timeout);
            }
            proceed(std::move(self));
        });
    }

    // On behalf of read_some().
    void on_body(Error error) {
        if (error) body_failure_ = incomplete;
        unread_since_ = wire_.loop().now();
        http_->part.wake_now();
    }

    // Parse what is there. True if a request can be handled; false if more bytes are needed or it was refused.
    bool parse() {
        if (Stage before = http_->reader.stage(); before < Stage::body) {
            auto refusal = http_->reader.parse_head();
            Stage stage = http_->reader.stage();
            if (stage != before && stage != Stage::done) since_ = unread_since_ = wire_.loop().now();
            if (refusal) return refuse(*refusal), false;
            if (stage < Stage::body) return false;
            chain_ = &app_->routes.find(request_, match_);
            refusal = http_->reader.begin_body(chain_->streams_body() ? RequestReader::unlimited : limits_.body_size);
            if (refusal) return refuse(*refusal), false;
        }
        if (chain_->streams_body()) return true;
        if (auto refusal = http_->reader.parse_body()) return refuse(*refusal), false;
        invite_body();
        return http_->reader.stage() == Stage::done;
    }

    void invite_body() {
        bool answered = handling_ && http_->writer.begun();
        if (!answered && http_->reader.invite())
            http_->writer.append([](std::string& out) { out += "HTTP/1.1 100 Continue\r\n\r\n"; });
    }

    void handle() {
        handling_ = true;
        handled_ = false;
        failure_ = nullptr;
        // Behind a handshake that comes to nothing may be frames, which are no requests.
        http_->writer.start(http_->reader.keep_alive() && !request_.has_token("Upgrade", "websocket"));
        body_given_ = false;
        body_failure_.reset();
        context_.emplace(request_, response_, *this);
        context_->match(match_);
        if (chain_->plain()) {
            try {
                run_plain(*chain_, *context_);
            } catch (...) {
                failure_ = std::current_exception();
            }
            handled_ = true;
            return;
        }
        std::optional<Task<>> task;
        try {
            task = run(*chain_, 0, *context_);  // which may be a function that makes a task
        } catch (...) {
            failure_ = std::current_exception();
            handled_ = true;
            return;
        }
        boost::asio::co_spawn(executor(), *std::move(task), Handled(this->shared_from_this()));
    }

    // What the handler ends with. One that there is no memory to end, or that the loop outlives, ends the connection.
    class Handled {
    public:
        explicit Handled(Self self) noexcept : self_(std::move(self)) {}
        Handled(Handled&&) noexcept = default;
        ~Handled() {
            if (self_) self_->wire_.abort();
        }

        void operator()(std::exception_ptr failure) {
            Self self = std::move(self_);
            self->failure_ = std::move(failure);
            self->wire_.attempt([&] { self->on_handled(self); });
        }

    private:
        Self self_;
    };

    void on_handled(Self self) {
        handled_ = true;
        if (websocket_) {
            websocket_->handler_done(failure_ ? close_code::internal_error : close_code::normal);
            conclude();
            context_.reset();
        } else if (wire_.closed() || wire_.finishing()) {
            conclude();  // nobody waits for the answer any more
        } else if (!proceeding_) {
            proceed(std::move(self));
        }
    }

    void respond() {
        if (http_->reader.stage() == Stage::body &&
            (http_->reader.parse_body() || http_->reader.stage() == Stage::body))
            http_->writer.close_after();  // the rest of the body is not waited for
        if (stopping_) http_->writer.close_after();
        bool cut = failure_ && http_->writer.begun();
        if (failure_ && !cut) http_->writer.forget_stream();
        conclude();
        if (cut)
            http_->writer.cut_off();
        else
            http_->writer.end();
        auto parts = response_.take_parts(request_.method() == "HEAD");
        context_.reset();
        http_->reader.next();
        response_.clear();
        served_ = true;
        handling_ = false;
        if (!parts.empty()) http_->files.emplace(wire_, std::move(parts));
        if (!http_->files) end_response();
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
            end_response();
            return true;
        }
        if (progress == Progress::failed) return wire_.abort(), false;
        wire_.arm(limits_.write_timeout);
        if (progress == Progress::yielded)
            boost::asio::post(wire_.get_executor(),
                              [self = this->shared_from_this()] { self->wire_.attempt([&] { self->on_drained(); }); });
        return false;
    }

    void conclude() {
        std::string fault = detail::conclude(*context_, failure_, http_ && http_->writer.begun());
        if (!fault.empty()) log(fault);
    }

    void on_late_handler() {
        if (http_->part.waiting()) {
            if (body_deadline() > wire_.loop().now()) return wire_.arm_at(body_deadline());
            body_failure_ = Refusal{408, "Request Timeout"};
            http_->part.wake_later(wire_.loop());
        } else if (http_->writer.events()) {
            if (streaming()) http_->writer.comment();
            arm();
        }
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

    // Answer what is no proper request, and close.
    void refuse(const Refusal& refusal) {
        http_->writer.start(false);
        answer_error(response_, refusal.status, refusal.reason);
        http_->writer.end();
        wire_.finish(limits_.close_timeout);
    }

    // Between two requests, or before the first one.
    bool idle() const noexcept { return !handling_ && !http_->files && http_->reader.stage() == Stage::idle; }

    // A body must come within body_grace, and at body_rate from then on.
    Tick body_deadline() const noexcept {
        auto earned = Limits::Duration::max();
        if (limits_.body_rate > 0)
            earned = std::chrono::milliseconds(http_->reader.body_received() * 1000 / limits_.body_rate);
        return since_ + Loop::ticks(limits_.body_grace) + Loop::ticks(earned);
    }

    void arm() {
        if (wire_.finishing() || wire_.closed() || http_->files || wire_.outbox().backlog() > 0) return;
        if (handling_) {
            if (http_->writer.events()) wire_.arm(limits_.ping_interval);
        } else if (http_->reader.stage() == Stage::body) {
            wire_.arm_at(body_deadline());
        } else {
            bool waits = served_ && http_->reader.stage() == Stage::idle;
            wire_.loop().rest(*this, waits ? Rest::idle : Rest::unfinished, since_);
            wire_.arm_at(since_ + Loop::ticks(waits ? limits_.idle_timeout : limits_.header_timeout));
        }
    }

    const std::shared_ptr<const AppCore> app_;
    Place place_;
    const Limits& limits_;
    std::optional<IpEndpoint> peer_;
    Wire<Stream> wire_;
    Request request_;
    Response response_;
    PathMatch match_;
    const Chain* chain_ = nullptr;  // of the request under way
    std::optional<Context> context_;
    std::optional<Refusal> body_failure_;
    std::exception_ptr failure_;
    Tick since_ = 0;         // when its head or body began, or the wait for it
    Tick unread_since_ = 0;  // when the handler was last given a part of the body
    bool served_ = false;    // a request, before
    bool handling_ = false;
    bool handled_ = false;
    bool proceeding_ = false;
    bool paused_ = false;  // until the backlog is empty
    bool reading_ = false;
    bool body_given_ = false;  // by read_some(), whole
    bool stopping_ = false;
    std::unique_ptr<Http> http_;
    std::unique_ptr<WebSocketSession<Stream>> websocket_;  // destroyed first
};

}  // namespace kvolt::detail

#endif
