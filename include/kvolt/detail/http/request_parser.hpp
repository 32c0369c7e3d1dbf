#ifndef KVOLT_DETAIL_HTTP_REQUEST_PARSER_HPP
#define KVOLT_DETAIL_HTTP_REQUEST_PARSER_HPP

#include <kvolt/detail/http/beast.hpp>
#include <kvolt/detail/http/request_check.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Fills a Request within limits.
///
/// Feed it with the unconsumed bytes by put(): first until the head is done, then, after begin_body(), until it is
/// done. When that fails, refusal() is the answer.
class RequestParser final : public HttpParser<true, RequestParser> {
public:
    RequestParser(Request& request, const Limits& limits)
        : HttpParser(limits.header_size), request_(request), limits_(limits) {}

    /// The head was good: go on with the body.
    ///
    /// @param limit  Bytes.
    /// @returns  why the request is refused, if it is too long.
    std::optional<Refusal> begin_body(std::uint64_t limit) {
        go_on();
        body_left_ = limit;
        if (content_length() && *content_length() > limit) return too_long;
        return std::nullopt;
    }

    /// Lower the limit before the body has begun.
    void limit_body(std::uint64_t limit) noexcept { body_left_ = (std::min)(body_left_, limit); }

    /// What an error of put() is answered with.
    ///
    /// @param head  The raw bytes of the request, as far as they have come; not needed once the head was parsed.
    Refusal refusal(Error error, std::string_view head) {
        note_method(head);
        if (refusal_) return *refusal_;
        std::size_t line_end = head.find("\r\n");
        if (error == ParseError::header_limit && !is_header_done()) {
            std::string_view line = head.substr(0, line_end);
            std::size_t method = line.find(' ');
            if (method > limits_.target_size) return {400, "Bad Request"};
            if (line_end == head.npos || line.find(' ', method + 1) - method > limits_.target_size + 1)
                return {414, "URI Too Long"};
        }
        if (error == ParseError::header_limit) return {431, "Request Header Fields Too Large"};
        return {400, "Bad Request"};
    }

    /// Look at a head that is still incomplete: Beast does so only once it is whole, and junk may never be.
    ///
    /// @param head  Like that of refusal().
    /// @param line  Where the first line begins that has not been looked at whole.
    /// @returns  why it must be refused, whatever follows.
    std::optional<Refusal> check_unfinished(std::string_view head, std::size_t line = 0) {
        note_method(head);
        return detail::check_unfinished(head.substr(line), line == 0);
    }

    /// Let no refusal of a HEAD have a body, however little of its head has come.
    void note_method(std::string_view head) {
        if (!is_header_done() && request_.method().empty() && head.starts_with("HEAD ")) request_.start("HEAD", {});
    }

private:
    friend HttpParser;

    static constexpr Refusal too_long{413, "Content Too Large"};

    void refuse(int status, std::string_view reason, Error& error) {
        refusal_ = Refusal{status, reason};
        error = ParseError::bad_value;
    }

    void on_start(std::string_view method, std::string_view target, int version, Error& error) {
        if (target.size() > limits_.target_size) return refuse(414, "URI Too Long", error);
        request_.start(method, target, version);
    }

    void on_field(std::string_view name, std::string_view value, Error& error) {
        if (request_.field_count() >= limits_.header_fields) return refuse(431, "too many header fields", error);
        request_.add_field(name, value);
    }

    std::size_t on_body(std::string_view body, Error& error) {
        if (body.size() > body_left_) {
            refuse(too_long.status, too_long.reason, error);
            return 0;
        }
        body_left_ -= body.size();
        append(request_.body_buffer(), body);
        return body.size();
    }

    void on_chunk(std::uint64_t size, std::string_view extensions, Error& error) {
        if (size > body_left_) return refuse(too_long.status, too_long.reason, error);
        // Some for every chunk, but not so much that they become the body.
        extensions_ += extensions.size();
        if (extensions.size() > 256 || extensions_ > limits_.header_size)
            return refuse(400, "chunk extension too long", error);
        extensions_ -= std::min<std::uint64_t>(extensions_, size / 16);
        for (char c : extensions)
            if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7F)
                return refuse(400, "bad chunk extension", error);
    }

    // A whole body takes as much memory as it has said, and a part of one no more than twice what has come. A string
    // that grows by itself takes more.
    void append(std::string& to, std::string_view part) {
        std::size_t size = to.size() + part.size();
        if (size > to.capacity() && content_length() && *content_length() >= size) {
            std::string larger;
            larger.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*content_length(), 2 * size)));
            larger += to;
            to.swap(larger);
        }
        to += part;
    }

    Request& request_;
    const Limits& limits_;
    std::optional<Refusal> refusal_;
    std::uint64_t body_left_ = 0;   // what the limit still allows
    std::uint64_t extensions_ = 0;  // bytes of them, less what the chunks' size makes good
};

}  // namespace kvolt::detail

#endif
