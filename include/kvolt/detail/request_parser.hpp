#ifndef KVOLT_DETAIL_REQUEST_PARSER_HPP
#define KVOLT_DETAIL_REQUEST_PARSER_HPP

#include <kvolt/detail/request_check.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Beast's parser, filling a Request within limits.
///
/// Feed it with the unconsumed bytes by put() of the base: first until the head is done, then, after begin_body(),
/// until it is done. When that fails, refusal() is the answer.
class RequestParser : public boost::beast::http::basic_parser<true> {
public:
    RequestParser(Request& request, const Limits& limits) : request_(request), limits_(limits) {
        header_limit(static_cast<std::uint32_t>(limits.header_size + 4));
        body_limit(boost::none);
    }

    /// The head was good: go on with the body.
    ///
    /// @param limit  Bytes.
    /// @returns  why the request is refused, if it is too long.
    std::optional<Refusal> begin_body(std::uint64_t limit) {
        eager(true);
        body_left_ = limit;
        if (content_length() && *content_length() > limit) return too_long;
        return std::nullopt;
    }

    /// Lower the limit before the body has begun.
    void limit_body(std::uint64_t limit) noexcept { body_left_ = std::min(body_left_, limit); }

    /// What an error of put() is answered with.
    ///
    /// @param head  The raw bytes of the request, as far as they have come; not needed once the head was parsed.
    Refusal refusal(boost::system::error_code error, std::string_view head) {
        note_method(head);
        if (refusal_) return *refusal_;
        std::size_t line_end = head.find("\r\n");
        if (error == http_error::header_limit && !head_done_) {
            std::string_view line = head.substr(0, line_end);
            std::size_t method = line.find(' ');
            if (method > limits_.target_size) return {400, "Bad Request"};
            if (line_end == head.npos || line.find(' ', method + 1) - method > limits_.target_size + 1)
                return {414, "URI Too Long"};
        }
        if (error == http_error::header_limit) return {431, "Request Header Fields Too Large"};
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
        if (!head_done_ && request_.method().empty() && head.starts_with("HEAD ")) request_.start("HEAD", {});
    }

private:
    static constexpr Refusal too_long{413, "Content Too Large"};

    using http_error = boost::beast::http::error;
    using Error = boost::system::error_code;
    using View = boost::beast::string_view;

    static std::string_view std_view(View text) noexcept { return {text.data(), text.size()}; }

    void refuse(int status, std::string_view reason, Error& error) {
        refusal_ = Refusal{status, reason};
        error = http_error::bad_value;
    }

    void on_request_impl(boost::beast::http::verb, View method, View target, int version, Error& error) override {
        if (target.size() > limits_.target_size) return refuse(414, "URI Too Long", error);
        request_.start(std_view(method), std_view(target), version);
    }

    void on_field_impl(boost::beast::http::field, View name, View value, Error& error) override {
        if (head_done_) return;  // a trailer; merging those would let a body set header fields
        if (request_.field_count() >= limits_.header_fields) return refuse(431, "too many header fields", error);
        request_.add_field(std_view(name), std_view(value));
    }

    void on_header_impl(Error&) override { head_done_ = true; }

    void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}

    std::size_t on_body_impl(View body, Error& error) override {
        if (body.size() > body_left_) {
            refuse(too_long.status, too_long.reason, error);
            return 0;
        }
        body_left_ -= body.size();
        append(request_.body_buffer(), std_view(body));
        return body.size();
    }

    void on_chunk_header_impl(std::uint64_t size, View extensions, Error& error) override {
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

    std::size_t on_chunk_body_impl(std::uint64_t, View body, Error& error) override {
        return on_body_impl(body, error);
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

    void on_response_impl(int, View, int, Error&) override {}
    void on_finish_impl(Error&) override {}

    Request& request_;
    const Limits& limits_;
    std::optional<Refusal> refusal_;
    std::uint64_t body_left_ = 0;   // what the limit still allows
    std::uint64_t extensions_ = 0;  // bytes of them, less what the chunks' size makes good
    bool head_done_ = false;
};

}  // namespace kvolt::detail

#endif
