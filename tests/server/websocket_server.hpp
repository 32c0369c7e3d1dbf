#ifndef KVOLT_TESTS_SERVER_WEBSOCKET_SERVER_HPP
#define KVOLT_TESTS_SERVER_WEBSOCKET_SERVER_HPP

// An app with a WebSocket route, and what its tests need on both sides of it.

#include "blocked.hpp"
#include "client.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/server.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/post.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// The memory that this process has in use.
inline std::size_t resident_bytes() {
    std::size_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return resident * 4096;
}

/// What handlers report to the thread that tests them.
template <class T>
class Reports {
public:
    void add(T report) {
        std::lock_guard lock(mutex_);
        reports_.push_back(std::move(report));
        changed_.notify_all();
    }

    /// The next one; throws if none comes within 5 s.
    T next() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, std::chrono::seconds(5), [&] { return !reports_.empty(); }))
            throw std::runtime_error("no report for 5 s");
        T report = std::move(reports_.front());
        reports_.pop_front();
        return report;
    }

    bool empty() const {
        std::lock_guard lock(mutex_);
        return reports_.empty();
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<T> reports_;
};

/// How a connection ended, such as "1000 bye".
inline std::string ending(int code, std::string_view reason) {
    return std::to_string(code) + (reason.empty() ? "" : " " + std::string(reason));
}
inline std::string ending(const kvolt::WebSocket& socket) { return ending(socket.close_code(), socket.close_reason()); }

/// Skip what comes before the server's close frame, and tell what that says.
inline std::string closing(Client& client) {
    Frame frame;
    do frame = client.read_frame();
    while (frame.opcode != close);
    return ending(close_code(frame.payload), frame.payload.size() > 2 ? std::string_view(frame.payload).substr(2) : "");
}

inline std::string read_text(Client& client) {
    Frame frame = client.read_frame();
    if (frame.opcode != text)
        throw std::runtime_error("not a text but a frame with opcode " + std::to_string(frame.opcode));
    return frame.payload;
}

class Server {
public:
    /// An app to which routes are still to be added, and which start() starts.
    explicit Server(const kvolt::Limits& limits = {}, std::size_t threads = 1) {
        app.threads(threads).limits(limits).logger([this](std::string_view line) { log.add(std::string(line)); });
    }

    /// An app that has the route `/ws` and runs.
    template <kvolt::HandlerFunction Handler>
    explicit Server(Handler handler, const kvolt::Limits& limits = {}, std::size_t threads = 1)
        : Server(limits, threads) {
        app.any("/ws", std::move(handler));
        start();
    }

    void start() { app.start("127.0.0.1:0"); }

    Client client(int receive_buffer = 0) { return Client(app.port(), receive_buffer); }

    /// A client whose handshake has succeeded.
    Client connect(std::string_view path = "/ws", int receive_buffer = 0) {
        Client client(app.port(), receive_buffer);
        auto answer = client.handshake(path);
        if (answer.status != 101)
            throw std::runtime_error("handshake: " + std::to_string(answer.status) + ' ' + answer.body);
        return client;
    }

    Reports<std::string> log;
    Reports<std::string> endings;  ///< Of the connections whose handlers have ended.
    kvolt::App app;
};

/// A handler that sends back what it gets.
inline kvolt::Task<> echo(kvolt::Context& c) {
    auto socket = co_await c.upgrade();
    while (auto message = co_await socket.read()) socket.send(*message);
}

}  // namespace test

#endif
