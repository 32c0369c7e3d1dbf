#ifndef KVOLT_TESTS_BARE_APP_HPP
#define KVOLT_TESTS_BARE_APP_HPP

// Loops without a server, and connections without sockets.

#include "blocked.hpp"
#include <kvolt/app.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace test {

/// A connection without a socket: what it is sent is kept.
class FakeConnection : public kvolt::detail::Link {
public:
    struct FakePeer final : kvolt::detail::Peer {
        explicit FakePeer(Link& link) : Peer(link, "") {}
        ~FakePeer() override = default;
        kvolt::SendResult send(kvolt::MessageView) override { return kvolt::SendResult::dropped; }
        void close(std::uint16_t code, std::string_view reason) override { set_over(code, reason); }
        kvolt::Task<std::optional<kvolt::Message>> read() override { co_return std::nullopt; }
        kvolt::Task<> drained() override { co_return; }
        using Peer::forget_drained;
        using Peer::tell_drained;
        using Peer::unlink;
    };

    explicit FakeConnection(kvolt::detail::Loop& loop) : Link(loop), peer(std::make_shared<FakePeer>(*this)) {}
    ~FakeConnection() override {
        peer->unlink();
        peer->forget_drained();
    }

    void flush() override {
        outbox().flush(loop().outgoing(), [this](const auto& bytes) { return take(bytes); });
    }
    void shed() override {}
    void shut_down() override {}
    void abort() noexcept override { aborted = true; }
    void abandon() override {}

    kvolt::WebSocket socket() const { return kvolt::WebSocket(peer); }

    /// The messages so far, each behind a space. On the loop.
    std::string messages() {
        flush();
        std::string all;
        for (std::string_view rest = got; !rest.empty();) {
            std::size_t size = kvolt::detail::frame_size(rest);
            all += ' ' + std::string(kvolt::detail::frame_payload(rest.substr(0, size)));
            rest.remove_prefix(size);
        }
        return all;
    }

    std::shared_ptr<FakePeer> peer;
    std::string got;
    std::size_t room = static_cast<std::size_t>(-1);  ///< Bytes that it still takes.
    bool aborted = false;

private:
    template <class Bytes>
    std::size_t take(const Bytes& bytes) {
        std::size_t before = got.size();
        for (auto part = boost::asio::buffer_sequence_begin(bytes); part != boost::asio::buffer_sequence_end(bytes);
             ++part) {
            boost::asio::const_buffer buffer(*part);
            std::size_t size = std::min(buffer.size(), room);
            got.append(static_cast<const char*>(buffer.data()), size);
            room -= size;
        }
        return got.size() - before;
    }
};

/// An app whose loops run in threads without a server.
struct BareApp {
    explicit BareApp(std::size_t loops) {
        while (app.loops()->size() < loops) app.loops()->push_back(std::make_unique<kvolt::detail::Loop>());
    }
    ~BareApp() { stop(); }

    void run() {
        for (const auto& loop : *app.loops()) threads.emplace_back([&loop = *loop] { loop.run(); });
    }
    void stop() {
        for (const auto& loop : *app.loops()) loop->stop();
        for (std::thread& thread : threads) thread.join();
        threads.clear();
    }

    kvolt::detail::Loop& loop(std::size_t index) { return *app.loops()->at(index); }

    /// Call a function on a loop and return what it returns.
    template <class Function>
    auto on(std::size_t index, Function function) {
        std::packaged_task<decltype(function())()> task(std::move(function));
        auto result = task.get_future();
        boost::asio::post(loop(index).io(), [&] { task(); });
        return result.get();
    }

    /// Wait until all loops have dealt with what came before.
    void settle() {
        for (int round = 0; round < 2; ++round)
            for (std::size_t i = 0; i < app.loops()->size(); ++i) on(i, [] {});
    }

    kvolt::App app;
    std::vector<std::thread> threads;
};

}  // namespace test

#endif
