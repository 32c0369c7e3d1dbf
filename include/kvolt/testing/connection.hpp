#ifndef KVOLT_TESTING_CONNECTION_HPP
#define KVOLT_TESTING_CONNECTION_HPP

#include <kvolt/detail/http/response_parser.hpp>
#include <kvolt/detail/testing/memory_server.hpp>
#include <kvolt/detail/testing/memory_stream.hpp>
#include <kvolt/testing/response.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::testing {

/// One connection to the app, made by `client.connect()`, for tests that send exactly the bytes they mean to: requests
/// in pieces, broken ones, several at once.
///
/// Reading runs the app until what is wanted has come. While nobody reads, the server can send only as much as
/// Client::socket_buffer() says. The connection is closed when this is destroyed. Move-only.
class Connection {
public:
    Connection(std::shared_ptr<detail::MemoryServer> server, std::shared_ptr<detail::MemoryConnection> stream) noexcept
        : server_(std::move(server)), stream_(std::move(stream)) {}
    Connection(Connection&&) noexcept = default;
    Connection& operator=(Connection&& other) noexcept {
        if (this != &other) close();
        server_ = std::move(other.server_);
        stream_ = std::move(other.stream_);
        received_ = std::move(other.received_);
        purpose_ = std::move(other.purpose_);
        return *this;
    }
    ~Connection() { close(); }

    /// Send these bytes; the app sees them when something runs it.
    ///
    /// @returns  false if the server has closed.
    bool send(std::string_view bytes) { return stream_ && stream_->send(bytes); }

    /// Read exactly this many bytes.
    ///
    /// @throws std::runtime_error  that says why, if they do not come.
    std::string read(std::size_t size) {
        run_until("bytes", [&] { return received_.size() >= size; });
        std::string bytes = received_.substr(0, size);
        received_.erase(0, size);
        return bytes;
    }

    /// Run what can run now; then all bytes that have come and were not read, which may be none.
    std::string read_some() {
        server_->settle();
        pull();
        return std::exchange(received_, {});
    }

    /// Read until the server closes. Throws like read().
    std::string read_to_end() {
        if (auto why = server_->run_until([&] { return pull(), !stream_ || stream_->ended(); })) fail("end", why);
        return std::exchange(received_, {});
    }

    /// Read one response. Informational ones count, such as 100. Throws like read(), and if what comes is no response.
    ///
    /// @param to_head  It answers HEAD, and so has no body.
    Response read_response(bool to_head = false) {
        detail::ResponseParser parser(to_head);
        read_into(parser, [&] { return parser.complete(); });
        return {parser.status(), parser.fields(), parser.take_body()};
    }

    /// Run what can run now; then true if the server has closed and nothing is left to read.
    bool ended() {
        server_->settle();
        pull();
        return received_.empty() && (!stream_ || stream_->ended());
    }

    /// Say that nothing more will be sent; reading goes on.
    void half_close() {
        if (stream_) stream_->end();
    }

    /// Close. A handler that waits is told of it by the clock: `client.advance(200ms)`.
    void close() noexcept {
        if (stream_) std::exchange(stream_, nullptr)->close();
    }

    /// Vanish, as by a reset. Who is told of it is told like by close().
    void reset() {
        if (stream_) std::exchange(stream_, nullptr)->reset();
    }

    // For the rest of the test kit

    /// What it is used for, such as `GET /`: errors tell.
    void purpose(std::string purpose) { purpose_ = std::move(purpose); }

    /// Run the app until `done`, parsing what comes.
    template <class Done>
    void read_into(detail::ResponseParser& parser, Done done) {
        run_until("response", [&] {
            parser.read(received_);
            if (!stream_ || stream_->ended()) parser.end();
            return done();
        });
    }

    const std::shared_ptr<detail::MemoryServer>& server() const noexcept { return server_; }
    const std::shared_ptr<detail::MemoryConnection>& stream() const noexcept { return stream_; }
    std::string& received() noexcept { return received_; }

private:
    void pull() {
        if (stream_) received_ += stream_->take();
    }

    template <class Done>
    void run_until(const char* what, Done done) {
        bool ended = false;
        auto why = server_->run_until([&] {
            pull();
            ended = !stream_ || stream_->ended();
            return done() || ended;
        });
        if (why == nullptr && !ended) return;
        if (why == nullptr && done()) return;
        fail(what, why ? why : "the server closed the connection");
    }

    [[noreturn]] void fail(const char* what, const char* why) const {
        std::string message = "kvolt: " + purpose_ + (purpose_.empty() ? "no " : ": no ") + what + ": " + why;
        if (!received_.empty()) message += ", after " + received_.substr(0, 200);
        throw std::runtime_error(message);
    }

    std::shared_ptr<detail::MemoryServer> server_;
    std::shared_ptr<detail::MemoryConnection> stream_;  // until it is closed here
    std::string received_;                              // and not read
    std::string purpose_;
};

}  // namespace kvolt::testing

#endif
