#ifndef KVOLT_TESTS_BENCH_LOAD_CONNECTION_HPP
#define KVOLT_TESTS_BENCH_LOAD_CONNECTION_HPP

#include "histogram.hpp"
#include "stream.hpp"
#include "usage.hpp"

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace bench {

/// What the connections of one thread have seen.
struct Tally {
    bool sending = true;     // until the time is up
    bool measuring = false;  // between the warm-up and then
    std::uint64_t sent = 0, received = 0;
    std::uint64_t measured = 0;  // of those received
    std::uint64_t bad = 0;       // responses and messages that are not what was asked for
    std::uint64_t closed = 0;    // connections that the server has closed
    Histogram latency;           // nanoseconds
};

/// A client's connection, served by the epoll of its thread.
class Connection {
public:
    Connection(Stream stream, int epoll, Tally& tally) : tally_(tally), stream_(std::move(stream)), epoll_(epoll) {
        stream_.non_blocking();
        watch(EPOLL_CTL_ADD, EPOLLIN);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    virtual ~Connection() = default;

    /// The load begins.
    virtual void start() = 0;

    /// @param room  For what is read, of the thread.
    void on_ready(std::uint32_t events, std::span<char> room) {
        if ((events & EPOLLOUT) != 0) flush();
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(room);
    }

    void flush() {
        std::size_t sent = 0;
        for (std::ptrdiff_t size = 1; size > 0 && sent < out_.size(); sent += static_cast<std::size_t>(size)) {
            size = stream_.write(std::string_view(out_).substr(sent));
            if (size == Stream::ended) return out_.clear();  // reading tells, too
        }
        out_.erase(0, sent);
        if (out_.empty() == !blocked_) return;
        blocked_ = !out_.empty();
        watch(EPOLL_CTL_MOD, blocked_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }

protected:
    /// @param when  They were read.
    /// @returns  how many of the bytes were understood; the others come again with what follows.
    virtual std::size_t on_bytes(std::string_view bytes, std::uint64_t when) = 0;

    /// Send when flush() is called.
    void send(std::string_view bytes) { out_ += bytes; }

    Tally& tally_;

private:
    void receive(std::span<char> room) {
        for (std::ptrdiff_t size = 1; size > 0;) {
            size = stream_.read(room);
            if (size == Stream::ended) {
                ++tally_.closed;
                epoll_ctl(epoll_, EPOLL_CTL_DEL, stream_.fd(), nullptr);
            }
            if (size <= 0) break;
            std::string_view bytes(room.data(), static_cast<std::size_t>(size));
            if (rest_.empty()) {
                rest_ = bytes.substr(on_bytes(bytes, now()));
            } else {
                rest_ += bytes;
                rest_.erase(0, on_bytes(rest_, now()));
            }
            if (!stream_.may_have_more(bytes.size(), room.size())) break;
        }
        if (!out_.empty()) flush();
    }

    void watch(int operation, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = this;
        if (epoll_ctl(epoll_, operation, stream_.fd(), &event) != 0) throw std::runtime_error("epoll_ctl");
    }

    Stream stream_;
    const int epoll_;
    std::string out_;   // that the server has not taken
    std::string rest_;  // that is too little to be understood
    bool blocked_ = false;
};

}  // namespace bench

#endif
