#ifndef KVOLT_DETAIL_HTTP_ANSWER_PARSER_HPP
#define KVOLT_DETAIL_HTTP_ANSWER_PARSER_HPP

#include <kvolt/detail/http/beast.hpp>
#include <kvolt/url.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// How a server answers an opening handshake.
struct Answer {
    int status = 0;
    int version = 11;  ///< 10 for HTTP/1.0.
    std::string reason;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;  ///< How it begins.

    std::size_t count(std::string_view name) const noexcept {
        return static_cast<std::size_t>(
            std::count_if(fields.begin(), fields.end(), [&](const auto& field) { return iequals(field.first, name); }));
    }

    /// The first of this name; empty if there is none.
    std::string_view field(std::string_view name) const noexcept {
        for (const auto& [other, value] : fields)
            if (iequals(other, name)) return value;
        return {};
    }

    /// Whether the comma-separated lists of all fields of this name hold the token, in any case.
    bool has_token(std::string_view name, std::string_view token) const noexcept {
        for (const auto& [other, value] : fields) {
            if (!iequals(other, name)) continue;
            for (std::string_view list = value; !list.empty();) {
                std::string_view item = list.substr(0, list.find(','));
                list.remove_prefix((std::min)(list.size(), item.size() + 1));
                item.remove_prefix((std::min)(item.find_first_not_of(" \t"), item.size()));
                if (iequals(item.substr(0, item.find_last_not_of(" \t") + 1), token)) return true;
            }
        }
        return false;
    }
};

/// Takes the answer to an opening handshake off the bytes that come in.
class AnswerParser {
public:
    static constexpr std::size_t body_kept = 1024;

    /// @param head_size, fields  Limits.
    AnswerParser(std::size_t head_size, std::size_t fields) : head_size_(head_size), most_fields_(fields) { restart(); }

    /// Take bytes off the front of `input`. What of them is left belongs to the answer, or comes behind it.
    ///
    /// @returns  true once there is all of the answer that is wanted.
    /// @throws boost::system::system_error  if it is no answer of HTTP, or too long.
    bool read(std::string& input) {
        while (!done() && !input.empty()) {
            // Where asserts are on, Beast 1.81 ends the process if an empty body's only chunk comes in pieces.
            if (has_head() && parser_->chunked() && answer().body.empty() && input[0] == '0' && input.size() < 5) break;
            Parser::Error error;
            std::size_t used = parser_->put(boost::asio::const_buffer(input.data(), input.size()), error);
            input.erase(0, used);
            if (error && error != ParseError::need_more) throw boost::system::system_error(error);
            if (parser_->is_done() && is_interim()) {
                if (++interim_ > most_interim) throw boost::system::system_error(too_much());
                restart();
            } else if (error || used == 0) {
                break;
            }
        }
        if (has_head() && !done() && input.size() > head_size_)
            throw boost::system::system_error(too_much());  // before a chunk
        return done();
    }

    /// True once the head has come.
    bool has_head() const noexcept { return parser_->is_header_done() && !is_interim(); }

    const Answer& answer() const noexcept { return parser_->answer; }

private:
    static constexpr int most_interim = 10;

    static boost::system::error_code too_much() { return ParseError::header_limit; }

    struct Parser final : HttpParser<false, Parser> {
        Parser(std::size_t head_size, std::size_t fields) : HttpParser(head_size), most_fields(fields) { go_on(); }

        void on_start(int status, std::string_view reason, int version, Error&) {
            answer.status = status;
            answer.version = version;
            answer.reason = reason;
        }

        void on_field(std::string_view name, std::string_view value, Error& error) {
            if (answer.fields.size() >= most_fields)
                error = too_much();
            else
                answer.fields.emplace_back(name, value);
        }

        std::size_t on_body(std::string_view body, Error&) {
            answer.body += body.substr(0, body_kept - answer.body.size());
            return body.size();
        }

        void on_chunk(std::uint64_t, std::string_view, Error&) {}

        std::size_t most_fields;
        Answer answer;
    };

    // 100, 103 and the like come before the answer (RFC 9110, section 15.2).
    bool is_interim() const noexcept { return parser_->answer.status / 100 == 1 && parser_->answer.status != 101; }

    bool done() const noexcept {
        return has_head() && (parser_->is_done() || parser_->answer.body.size() >= body_kept);
    }

    void restart() { parser_.emplace(head_size_, most_fields_); }

    std::size_t head_size_;
    std::size_t most_fields_;
    std::optional<Parser> parser_;
    int interim_ = 0;
};

}  // namespace kvolt::detail

#endif
