#ifndef KVOLT_DETAIL_HTTP_REQUEST_READER_HPP
#define KVOLT_DETAIL_HTTP_REQUEST_READER_HPP

#include <kvolt/detail/http/beast.hpp>
#include <kvolt/detail/http/request_check.hpp>
#include <kvolt/detail/http/request_parser.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// Makes requests, one after the other, of the bytes that come in on a connection. Pure: no socket and no clock.
class RequestReader {
public:
    enum class Stage {
        idle,  ///< Nothing of the next request has come.
        head,  ///< Its head is incomplete.
        body,  ///< Its body is incomplete.
        done,
    };

    static constexpr std::uint64_t unlimited = static_cast<std::uint64_t>(-1);

    RequestReader(Request& request, const Limits& limits)
        : request_(request), limits_(limits), buffer_(limits.header_size + read_size) {}

    Stage stage() const noexcept {
        if (!parser_) return Stage::idle;
        if (!parser_->is_header_done()) return Stage::head;
        return parser_->is_done() ? Stage::done : Stage::body;
    }

    /// Where the next bytes go; commit() says how many have come.
    boost::asio::mutable_buffer prepare() {
        std::size_t most = buffer_.max_size() - buffer_.size(), spare = buffer_.capacity() - buffer_.size();
        room_ = stage() == Stage::body ? most : (std::min)(most, spare > read_size_ / 4 ? spare : read_size_);
        return buffer_.prepare(room_);
    }
    void commit(std::size_t size) noexcept {
        if (size == room_) read_size_ = read_size;
        buffer_.commit(size);
    }

    /// Parse up to the end of the head: past that the stage is `body` or `done`.
    ///
    /// @returns  why the request must be refused and its connection closed, if it must.
    std::optional<Refusal> parse_head() {
        if (!parser_) {
            // Some empty lines are skipped (RFC 9112, section 2.2).
            for (; buffer_.size() >= 2 && std::memcmp(bytes().data(), "\r\n", 2) == 0; buffer_.consume(2))
                if (++empty_lines_ > most_empty_lines) return Refusal{400, "empty lines in place of a request"};
            if (buffer_.size() == 0 && buffer_.capacity() > read_size)
                buffer_ = ReadBuffer(buffer_.max_size());  // what is idle holds little
            if (buffer_.size() == 0 || bytes() == "\r") return std::nullopt;
            parser_.emplace(request_, limits_);
            seen_ = body_received_ = empty_lines_ = 0;
            invited_ = false;
        }
        // A head that comes in small pieces is looked at, from its front, when a line begins or ends, and when it has
        // doubled.
        std::string_view all = bytes();
        bool due = seen_ == 0 || all[seen_ - 1] == '\n' || all.find('\n', seen_) != all.npos || all.size() >= 2 * seen_;
        if (!due) {
            parser_->note_method(all);
            return check_size();
        }
        std::size_t line = seen_ > 0 ? all.rfind('\n', seen_ - 1) + 1 : 0;
        seen_ = all.size();
        Error error;
        request_.hold(all.substr(0, held_size));
        std::size_t size = parser_->put(buffer_.data(), error);
        request_.release();
        if (error) return judge(error, line);
        if (size > limits_.header_size) return parser_->refusal(ParseError::header_limit, bytes());
        if (auto refusal = check_request(request_, bytes().substr(0, size - 2))) return refusal;
        buffer_.consume(size);
        return std::nullopt;
    }

    /// The head is complete: go on with the body.
    ///
    /// @param limit  Bytes of the body.
    /// @returns  like parse_head().
    std::optional<Refusal> begin_body(std::uint64_t limit) { return parser_->begin_body(limit); }

    /// Lower the limit of the body, before the first part of it is parsed.
    void limit_body(std::uint64_t limit) noexcept {
        if (parser_) parser_->limit_body(limit);
    }

    /// Parse what is there of the body, into the request's. Returns like parse_head().
    std::optional<Refusal> parse_body() {
        if (stage() != Stage::body || buffer_.size() == 0) return std::nullopt;
        // Where asserts are on, Beast 1.81 ends the process if an empty body's only chunk comes in pieces.
        if (body_received_ == 0 && parser_->chunked() && bytes().starts_with('0') && buffer_.size() < 5)
            return std::nullopt;
        Error error;
        std::size_t used = parser_->put(buffer_.data(), error);
        body_received_ += used;
        buffer_.consume(used);
        if (error && error != ParseError::need_more) return parser_->refusal(error, {});
        if (stage() == Stage::body && buffer_.size() > limits_.header_size)
            return Refusal{400, "Bad Request"};  // a chunk head without end
        return std::nullopt;
    }

    /// Bytes that have come of the body, with what frames its chunks.
    std::uint64_t body_received() const noexcept { return body_received_; }

    /// True once, if the client waits for a word before it sends the body (RFC 9110, section 10.1.1).
    bool invite() noexcept {
        bool waits =
            stage() == Stage::body && body_received_ == 0 && request_.version() >= 11 && request_.count("Expect") != 0;
        return waits && !std::exchange(invited_, true);
    }

    /// True if the request lets the connection be kept (RFC 9112, section 9.3).
    bool keep_alive() const { return parser_->keep_alive(); }

    /// The request was dealt with.
    void next() noexcept {
        parser_.reset();
        request_.clear();
    }

    /// True if more has come than was dealt with.
    bool has_more() const noexcept { return buffer_.size() > 0; }

    /// The bytes behind the request, which are no request: the connection becomes another one.
    std::string take_rest() {
        std::string rest(bytes());
        parser_.reset();
        buffer_ = ReadBuffer();
        return rest;
    }

private:
    using Error = RequestParser::Error;

    // The first suffices for most requests; who only holds connections gets no more.
    static constexpr std::size_t first_read_size = 1024, read_size = 4096;

    static constexpr std::size_t most_empty_lines = 32;

    // Enough for most heads. What is behind a head, which may be many requests, is not worth a copy for each of them.
    static constexpr std::size_t held_size = 2048;

    // A head that was not parsed up to its end.
    //
    // @param line  Where the first line begins that has not been looked at whole.
    std::optional<Refusal> judge(Error error, std::size_t line) {
        // Beast judges a version before it is whole.
        if (error != ParseError::need_more && error != ParseError::bad_version) return parser_->refusal(error, bytes());
        if (auto refusal = parser_->check_unfinished(bytes(), line)) return refusal;
        if (auto refusal = check_size()) return refusal;
        parser_.emplace(request_, limits_);  // for another try when more has come
        return std::nullopt;
    }

    std::optional<Refusal> check_size() {
        if (buffer_.size() < limits_.header_size) return std::nullopt;
        return parser_->refusal(ParseError::header_limit, bytes());
    }

    std::string_view bytes() const noexcept {
        auto data = buffer_.data();
        return {static_cast<const char*>(data.data()), data.size()};
    }

    Request& request_;
    const Limits& limits_;
    ReadBuffer buffer_;
    std::optional<RequestParser> parser_;
    std::size_t read_size_ = first_read_size;
    std::size_t room_ = 0;  // for the read under way
    std::size_t seen_ = 0;  // bytes of a head, when it was looked at
    std::uint64_t body_received_ = 0;
    std::size_t empty_lines_ = 0;  // before a request
    bool invited_ = false;
};

}  // namespace kvolt::detail

#endif
