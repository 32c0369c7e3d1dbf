#ifndef KVOLT_DETAIL_HTTP_RESPONSE_PARSER_HPP
#define KVOLT_DETAIL_HTTP_RESPONSE_PARSER_HPP

#include <kvolt/url.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// Takes the bytes that a server sends apart into a response (RFC 9112, sections 4, 6 and 7), as a client does.
class ResponseParser {
public:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// @param bodiless  It answers HEAD.
    explicit ResponseParser(bool bodiless = false) : bodiless_(bodiless) {}

    /// Take bytes off the front of `input`, until the response is complete or more is needed. What is left, such as
    /// half a line, is to be given again with what follows.
    ///
    /// @throws std::runtime_error  if it is not a response.
    void read(std::string& input) {
        std::string_view rest = input;
        while (step(rest)) {
        }
        input.erase(0, input.size() - rest.size());
    }

    /// The connection has ended, and so has the body if nothing else tells where that ends. Leaves it incomplete
    /// otherwise.
    void end() noexcept {
        if (stage_ == Stage::to_end) stage_ = Stage::done;
    }

    bool has_head() const noexcept { return stage_ != Stage::head; }
    bool complete() const noexcept { return stage_ == Stage::done; }

    /// Whether another response can follow.
    bool keep_alive() const noexcept { return keep_alive_; }

    int status() const noexcept { return status_; }
    const Fields& fields() const noexcept { return fields_; }

    /// What has come of the body since the last time.
    std::string take_body() { return std::exchange(body_, {}); }
    const std::string& body() const noexcept { return body_; }

private:
    enum class Stage { head, sized, chunk_size, chunk, chunk_end, trailer, to_end, done };

    [[noreturn]] static void fail(std::string_view what, std::string_view bytes) {
        throw std::runtime_error("kvolt: " + std::string(what) + ": " + std::string(bytes.substr(0, 200)));
    }

    // False if more is needed, or nothing.
    bool step(std::string_view& rest) {
        std::string_view line;
        switch (stage_) {
            case Stage::head: {
                std::size_t end = rest.find("\r\n\r\n");
                if (end == rest.npos) return false;
                read_head(rest.substr(0, end + 2));
                rest.remove_prefix(end + 4);
                return true;
            }
            case Stage::sized:
                if (take(rest)) return false;
                stage_ = Stage::done;
                return false;
            case Stage::chunk_size:
                if (!take_line(rest, line)) return false;
                left_ = number(line.substr(0, line.find(';')), 16);
                stage_ = left_ > 0 ? Stage::chunk : Stage::trailer;
                return true;
            case Stage::chunk:
                if (take(rest)) return false;
                stage_ = Stage::chunk_end;
                return true;
            case Stage::chunk_end:
                if (!take_line(rest, line)) return false;
                if (!line.empty()) fail("a chunk is longer than it says", line);
                stage_ = Stage::chunk_size;
                return true;
            case Stage::trailer:
                if (!take_line(rest, line)) return false;
                if (line.empty()) stage_ = Stage::done;
                return true;
            case Stage::to_end:
                body_ += rest;
                rest = {};
                return false;
            case Stage::done: break;
        }
        return false;
    }

    void read_head(std::string_view lines) {
        std::size_t end = lines.find("\r\n");
        std::string_view first = lines.substr(0, end);
        bool versioned = first.starts_with("HTTP/1.1 ") || first.starts_with("HTTP/1.0 ");
        if (!versioned || first.size() < 12) fail("not a response", lines);
        status_ = static_cast<int>(number(first.substr(9, 3), 10));
        for (lines.remove_prefix(end + 2); !lines.empty(); lines.remove_prefix(end + 2)) {
            end = lines.find("\r\n");
            std::string_view line = lines.substr(0, end);
            std::size_t colon = line.find(':');
            if (colon == line.npos || colon == 0) fail("not a header field", line);
            std::string_view value = line.substr(colon + 1);
            value.remove_prefix((std::min)(value.find_first_not_of(" \t"), value.size()));
            fields_.emplace_back(line.substr(0, colon), value);
        }
        begin_body(first.starts_with("HTTP/1.1"));
    }

    void begin_body(bool http_1_1) {
        std::string_view connection = field("Connection"), length = field("Content-Length");
        keep_alive_ = http_1_1 ? !iequals(connection, "close") : iequals(connection, "keep-alive");
        if (bodiless_ || status_ < 200 || status_ == 204 || status_ == 304) {
            stage_ = Stage::done;
        } else if (iequals(field("Transfer-Encoding"), "chunked")) {
            stage_ = Stage::chunk_size;
        } else if (!length.empty()) {
            left_ = number(length, 10);
            stage_ = Stage::sized;
        } else {
            keep_alive_ = false;
            stage_ = Stage::to_end;
        }
    }

    std::string_view field(std::string_view name) const noexcept {
        for (const auto& [other, value] : fields_)
            if (iequals(other, name)) return value;
        return {};
    }

    // Take what there is of a part of the body; true if not all of it has come.
    bool take(std::string_view& rest) {
        auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
        body_ += rest.substr(0, size);
        rest.remove_prefix(size);
        left_ -= size;
        return left_ > 0;
    }

    static bool take_line(std::string_view& rest, std::string_view& line) {
        std::size_t end = rest.find("\r\n");
        if (end == rest.npos) return false;
        line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        return true;
    }

    static std::uint64_t number(std::string_view text, int base) {
        std::uint64_t value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
        if (error != std::errc() || end != text.data() + text.size()) fail("not a number in a response", text);
        return value;
    }

    bool bodiless_;
    Stage stage_ = Stage::head;
    int status_ = 0;
    Fields fields_;
    bool keep_alive_ = false;
    std::uint64_t left_ = 0;  // of the body, or of the chunk
    std::string body_;
};

}  // namespace kvolt::detail

#endif
