#ifndef KVOLT_TESTS_UNIT_FIXTURE_HPP
#define KVOLT_TESTS_UNIT_FIXTURE_HPP

// A Context without a server: what handlers and middleware do with it is seen in its parts.

#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/server/conclude.hpp>
#include <kvolt/detail/websocket/handshake.hpp>
#include <kvolt/detail/websocket/peer.hpp>

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// A connection without a socket.
struct FakeLink final : kvolt::detail::Link {
    using Link::Link;
    void on_deadline() override {}
    void flush() override {}
    void shed() override {}
    void shut_down() override {}
    void abort() noexcept override {}
    void abandon() override {}
};

/// A WebSocket without a connection.
class FakePeer final : public kvolt::detail::Peer {
public:
    FakePeer(kvolt::detail::Link& link, std::string protocol) : Peer(link, std::move(protocol)) {}

    kvolt::SendResult send(kvolt::MessageView) override { return kvolt::SendResult::queued; }
    void close(std::uint16_t code, std::string_view reason) override {
        if (!over()) set_over(code, reason);
    }
    kvolt::Task<std::optional<kvolt::Message>> read() override { co_return std::nullopt; }
    kvolt::Task<> drained() override { co_return; }
};

class FakeExchange final : public kvolt::detail::Exchange {
public:
    std::string remote_address() const override { return address; }
    kvolt::Task<>::executor_type executor() override { return loop.executor(); }
    std::string host() const override { return name; }
    bool secure() const override { return tls; }
    std::shared_ptr<kvolt::detail::Peer> upgrade(const kvolt::Request& request,
                                                 const kvolt::UpgradeOptions& options) override {
        kvolt::detail::check_handshake(request, options, tls, name);
        upgrades.push_back(kvolt::detail::agree_on_protocol(request, options));
        peer = std::make_shared<FakePeer>(link, upgrades.back());
        return peer;
    }

    bool connected() const noexcept override { return here; }
    bool body_to_come() const noexcept override { return to_come; }
    kvolt::Task<> read_body() override {
        to_come = false;
        co_return;
    }
    std::chrono::milliseconds body_wait() const noexcept override { return waited; }
    kvolt::Task<std::optional<std::string_view>> read_some() override { co_return std::nullopt; }
    void limit_body(std::uint64_t limit) override { body_limit = limit; }
    void begin_stream(Streaming kind) override { streams.push_back(kind); }
    kvolt::Task<bool> write(std::string_view part) override {
        parts += part;
        co_return streaming();
    }
    std::size_t written() const noexcept override { return parts.size(); }
    bool streaming() const noexcept override { return true; }

    kvolt::detail::Loop loop;
    std::vector<Streaming> streams;
    std::string parts;  ///< Of a streamed body.
    std::string address = "192.0.2.1:1234";
    std::string name = "h";  ///< What the client calls the server.
    bool tls = false;
    bool here = true;      ///< The client.
    bool to_come = false;  ///< The request's body.
    std::chrono::milliseconds waited{0};
    std::uint64_t body_limit = 0;
    std::vector<std::string> upgrades;
    std::shared_ptr<FakePeer> peer;

private:
    FakeLink link{loop};
};

struct Fixture {
    explicit Fixture(std::string_view target = "/", std::string_view method = "GET") { request.start(method, target); }

    kvolt::Context& context() {
        if (!made) made = std::make_unique<kvolt::Context>(request, response, exchange);
        return *made;
    }

    void match(const std::vector<std::string>& names, const std::vector<std::string_view>& values,
               std::string_view route = {}) {
        kvolt::detail::PathMatch match;
        match.route = route;
        match.names = &names;
        for (std::string_view value : values) match.values[match.size++] = value;
        context().match(matched = match);
    }

    /// Make the request one for a WebSocket.
    void ask_for_websocket() {
        request.add_field("Host", "h");
        request.add_field("Upgrade", "websocket");
        request.add_field("Connection", "Upgrade");
        request.add_field("Sec-WebSocket-Version", "13");
        request.add_field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    }

    /// The exception that left the chain, if any.
    std::string run(const kvolt::detail::Chain& chain) {
        failure = nullptr;
        bool ended = false;
        boost::asio::co_spawn(exchange.loop.executor(), kvolt::detail::run(chain, 0, context()),
                              [&](std::exception_ptr thrown) {
                                  failure = std::move(thrown);
                                  ended = true;
                                  exchange.loop.stop();
                              });
        exchange.loop.run();
        if (!ended) return "did not end";
        return failure ? kvolt::detail::describe(failure) : std::string();
    }

    /// Run middleware in front of a handler, and all that follows, as the server does.
    ///
    /// @returns  what the server would log.
    template <class... Steps>
    std::string serve(Steps... steps) {
        kvolt::detail::Chain chain;
        (chain.add(kvolt::detail::make_step(std::move(steps))), ...);
        run(chain);
        if (exchange.peer)
            exchange.peer->close(failure ? kvolt::close_code::internal_error : kvolt::close_code::normal, {});
        return kvolt::detail::conclude(context(), failure);
    }

    kvolt::Request request;
    kvolt::Response response;
    FakeExchange exchange;
    std::exception_ptr failure;
    std::unique_ptr<kvolt::Context> made;
    kvolt::detail::PathMatch matched;
};

}  // namespace test

#endif
