#ifndef KVOLT_TESTS_BENCH_LOAD_HTTP_CLIENT_HPP
#define KVOLT_TESTS_BENCH_LOAD_HTTP_CLIENT_HPP

#include "connection.hpp"
#include "options.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bench {

/// A request, or so many pipelined ones, again and again.
///
/// All responses are as long as the first one, or they are bad: the load must cost little.
class HttpClient final : public Connection {
public:
    HttpClient(Stream stream, int epoll, Tally& tally, const Options& options)
        : Connection(std::move(stream), epoll, tally), body_(options.body) {
        for (std::size_t i = 0; i < options.depth; ++i) requests_ += request(options);
        depth_ = options.depth;
    }

    static std::string request(const Options& options) {
        return "GET " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) + "\r\n\r\n";
    }

    /// The size of the response that `bytes` begins with, if its head is all there and tells.
    static std::optional<std::size_t> response_size(std::string_view bytes) {
        std::size_t head = bytes.find("\r\n\r\n");
        if (head == bytes.npos) return std::nullopt;
        for (std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
            std::size_t field = bytes.substr(0, head).find(name), length = 0;
            if (field == bytes.npos) continue;
            const char* begin = bytes.data() + field + name.size();
            if (std::from_chars(begin, bytes.data() + head, length).ec == std::errc()) return head + 4 + length;
        }
        return std::nullopt;
    }

    void start() override {
        ask(now());
        flush();
    }

private:
    void ask(std::uint64_t when) {
        asked_ = when;
        waiting_ = depth_;
        tally_.sent += depth_;
        send(requests_);
    }

    std::size_t on_bytes(std::string_view bytes, std::uint64_t when) override {
        std::size_t taken = 0;
        if (size_ == 0) size_ = response_size(bytes).value_or(0);
        for (; size_ > 0 && bytes.size() - taken >= size_; taken += size_) {
            ++tally_.received;
            if (!is_good(bytes.substr(taken, size_))) ++tally_.bad;
            if (tally_.measuring) {
                ++tally_.measured;
                tally_.latency.add(when - asked_);
            }
            if (--waiting_ == 0 && tally_.sending) ask(when);
        }
        return taken;
    }

    bool is_good(std::string_view response) const noexcept {
        return response.starts_with("HTTP/1.1 200") && response.ends_with(body_);
    }

    const std::string body_;
    std::string requests_;
    std::size_t depth_ = 1;
    std::size_t waiting_ = 0;  // for so many responses
    std::size_t size_ = 0;     // of a response
    std::uint64_t asked_ = 0;  // when
};

}  // namespace bench

#endif
