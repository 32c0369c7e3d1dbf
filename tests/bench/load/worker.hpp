#ifndef KVOLT_TESTS_BENCH_LOAD_WORKER_HPP
#define KVOLT_TESTS_BENCH_LOAD_WORKER_HPP

#include "connection.hpp"
#include "http_client.hpp"
#include "message.hpp"
#include "options.hpp"
#include "stream.hpp"
#include "usage.hpp"
#include "websocket_client.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <openssl/ssl.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

/// When what happens, by now().
struct Schedule {
    std::uint64_t start = 0, measure = 0, stop = 0, give_up = 0;
};

/// Which of how many threads' workers one is.
struct Share {
    std::size_t index, count;

    /// Of so many things, those from the one to before the other.
    std::size_t begin(std::size_t all) const noexcept { return all * index / count; }
    std::size_t end(std::size_t all) const noexcept { return all * (index + 1) / count; }
};

/// Read the head of a response, and check its status; returns what has come behind it.
inline std::string read_head(Stream& stream, std::string_view status) {
    std::string bytes;
    for (char room[4096]; bytes.find("\r\n\r\n") == bytes.npos;) {
        std::ptrdiff_t size = stream.read(room);
        if (size <= 0) throw std::runtime_error("the server does not answer: " + bytes);
        bytes.append(room, static_cast<std::size_t>(size));
    }
    if (!bytes.starts_with("HTTP/1.1 " + std::string(status))) throw std::runtime_error("refused: " + bytes);
    return bytes;
}

inline void write_all(Stream& stream, std::string_view bytes) {
    if (stream.write(bytes) != static_cast<std::ptrdiff_t>(bytes.size()))
        throw std::runtime_error("the server does not read");
}

/// Its members follow each other, so that senders, which do not, are in as many rooms as can be.
inline std::size_t room_of(const Options& options, std::size_t number) noexcept {
    return number % options.connections * options.rooms / options.connections;
}

/// Connect and shake hands.
inline Stream open_websocket(const Options& options, std::size_t number, SSL_CTX* tls) {
    Stream stream(options.port, number, tls);
    write_all(stream, WebSocketClient::handshake(options, room_of(options, number)));
    std::string answer = read_head(stream, "101");
    if (options.deflate != (answer.find("permessage-deflate") != answer.npos))
        throw std::runtime_error("compression is not what was asked for: " + answer);
    if (!answer.ends_with("\r\n\r\n")) throw std::runtime_error("the server speaks first");
    return stream;
}

/// Whoever answers a ping reads, and has made the connection what it will be, such as a member of its room.
inline void await_pong(Stream& stream) {
    write_all(stream, make_frame(9, {}));
    char pong[16];
    if (stream.read(pong) != 2 || static_cast<unsigned char>(pong[0]) != 0x8A)
        throw std::runtime_error("a ping is not answered");
}

/// Connect, and have a request answered.
inline Stream open_http(const Options& options, std::size_t number, SSL_CTX* tls) {
    Stream stream(options.port, number, tls);
    write_all(stream, HttpClient::request(options));
    read_head(stream, "200");
    return stream;
}

/// One thread's part of the connections and of the load.
class Worker {
public:
    Worker(const Options& options, Share share, SSL_CTX* tls)
        : options_(options),
          share_(share),
          tls_(tls),
          epoll_(epoll_create1(0)),
          timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) {
        if (epoll_ < 0 || timer_ < 0) throw std::runtime_error("no descriptors");
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() {
        connections_.clear();
        ::close(epoll_);
        ::close(timer_);
    }

    const Tally& tally() const noexcept { return tally_; }

    void connect() {
        if (options_.mode == "http") return connect_http();
        for (std::size_t i = share_.begin(options_.connections); i < share_.end(options_.connections); ++i) {
            Stream stream = open_websocket(options_, i, tls_);
            await_pong(stream);
            auto client = std::make_unique<WebSocketClient>(std::move(stream), epoll_, tally_);
            if (is_sender(i)) {
                client->make_sender(i, options_.size, options_.rate > 0 ? 0 : options_.depth);
                senders_.push_back(client.get());
            }
            connections_.push_back(std::move(client));
        }
    }

    /// @param under_way  By all workers: how much has not come yet of what will come.
    void run(const Schedule& schedule, std::atomic<std::int64_t>& under_way) {
        if (options_.rate > 0) start_timer(schedule.start);
        for (auto& connection : connections_) connection->start();
        std::int64_t told = 0;
        for (std::uint64_t time = now(); time < schedule.give_up; time = now()) {
            tally_.measuring = time >= schedule.measure && time < schedule.stop;
            tally_.sending = time < schedule.stop;
            if (tally_.sending && options_.rate > 0) send_due(time);
            auto mine = static_cast<std::int64_t>(tally_.sent * copies()) - static_cast<std::int64_t>(tally_.received);
            under_way += mine - told;
            told = mine;
            if (time > schedule.stop + grace && under_way <= 0) return;
            poll();
        }
    }

    /// How many messages come for one that is sent.
    std::size_t copies() const noexcept {
        return options_.mode == "broadcast" ? options_.connections / options_.rooms : 1;
    }

private:
    void connect_http() {
        for (std::size_t i = share_.begin(options_.connections); i < share_.end(options_.connections); ++i)
            connections_.push_back(
                std::make_unique<HttpClient>(Stream(options_.port, i, tls_), epoll_, tally_, options_));
    }

    // All who echo; of those who broadcast so many, spread over the connections.
    bool is_sender(std::size_t number) const noexcept {
        if (options_.mode == "echo") return true;
        return number * options_.senders / options_.connections !=
               (number + 1) * options_.senders / options_.connections;
    }

    void start_timer(std::uint64_t start) {
        if (senders_.empty()) throw std::runtime_error("a thread has no sender");
        period_ = static_cast<std::uint64_t>(1e9 / options_.rate * static_cast<double>(share_.count));
        due_ = start + period_ * share_.index / share_.count;
        epoll_event event{};
        event.events = EPOLLIN;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
        arm();
    }

    void arm() {
        itimerspec when{};
        when.it_value.tv_sec = static_cast<std::time_t>(due_ / 1'000'000'000);
        when.it_value.tv_nsec = static_cast<long>(due_ % 1'000'000'000);
        timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    // What should have gone earlier is told as that: its delay is the server's, or makes the load the limit.
    void send_due(std::uint64_t time) {
        if (due_ > time) return;
        for (; due_ <= time; due_ += period_) senders_[turn_++ % senders_.size()]->send_due(due_);
        arm();
    }

    void poll() {
        epoll_event events[256];
        int count = epoll_wait(epoll_, events, 256, 1);
        for (int i = 0; i < count; ++i)
            if (auto* connection = static_cast<Connection*>(events[i].data.ptr))
                connection->on_ready(events[i].events, room_);
    }

    static constexpr std::uint64_t grace = 50'000'000;  // nanoseconds, for all workers to tell what they sent last

    const Options& options_;
    const Share share_;
    SSL_CTX* const tls_;
    const int epoll_, timer_;
    Tally tally_;
    std::vector<char> room_ = std::vector<char>(256 * 1024);
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<WebSocketClient*> senders_;
    std::size_t turn_ = 0;      // of the senders
    std::uint64_t period_ = 0;  // between two messages
    std::uint64_t due_ = 0;
};

}  // namespace bench

#endif
