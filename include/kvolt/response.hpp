#ifndef KVOLT_RESPONSE_HPP
#define KVOLT_RESPONSE_HPP

#include <kvolt/detail/file.hpp>
#include <kvolt/detail/list.hpp>
#include <kvolt/url.hpp>

#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <ostream>  // which Boost 1.81 forgets
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

/// One HTTP response before it is sent: a plain value.
class Response {
public:
    int status() const noexcept { return status_; }

    /// @throws std::invalid_argument  if it is not a final status, 200 to 599.
    void status(int status) {
        if (status < 200 || status > 599)
            throw std::invalid_argument("kvolt: a response status is 200 to 599, not " + std::to_string(status));
        status_ = status;
    }

    /// Set a header field; replaces all of that name.
    ///
    /// @throws std::invalid_argument  if the name is not a token, the value holds CR, LF or NUL (response splitting),
    ///                                or the field is the server's own: Content-Length, Transfer-Encoding, Connection,
    ///                                Date.
    void header(std::string_view name, std::string_view value) {
        check(name, value);
        std::pair<std::string, std::string> field(name, value);  // the value may be a view of what is replaced
        std::erase_if(fields_, [&](const auto& other) { return detail::iequals(other.first, field.first); });
        fields_.push_back(std::move(field));
    }

    /// Add a header field beside those of the same name, as `Set-Cookie` needs it. Throws like header().
    void add_header(std::string_view name, std::string_view value) {
        check(name, value);
        fields_.emplace_back(name, value);
    }

    std::string_view header(std::string_view name) const noexcept {
        for (const auto& [field, value] : fields_)
            if (detail::iequals(field, name)) return value;
        return {};
    }

    /// All fields that were set, in their order.
    const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

    /// The type that the body was given with; a Content-Type set by header() wins over it.
    const std::string& content_type() const noexcept { return content_type_; }

    /// The body, unless it lies in files: then it is empty.
    const std::string& body() const noexcept { return body_; }

    /// Bytes of the body, wherever they lie.
    std::uint64_t body_size() const noexcept {
        std::uint64_t size = body_.size();
        for (const detail::FilePart& part : parts_) size += part.text.size() + part.size;
        return size;
    }

    /// @param content_type  A Content-Type set by header() wins.
    /// @throws std::invalid_argument  for CR, LF or NUL in it.
    void body(std::string body, std::string_view content_type) {
        check_value("Content-Type", content_type);
        body_of_known_type(std::move(body), content_type);
    }

    /// The same with a type that needs no check.
    void body_of_known_type(std::string&& body, std::string_view content_type) {
        body_ = std::move(body);
        parts_.clear();
        content_type_ = content_type;
    }

    /// A body that is read from files while it is sent.
    void body_in_files(std::vector<detail::FilePart> parts, std::string_view content_type) {
        body(std::string(), content_type);
        parts_ = std::move(parts);
    }

    /// Forget the body and what describes it, for another one.
    void clear_body() noexcept {
        std::erase_if(fields_, [](const auto& field) { return describes_body(field.first); });
        drop_body();
    }

    void clear() noexcept {
        fields_.clear();
        drop_body();
        status_ = 200;
    }

    /// Bytes of the body that are sent: none of 204, 304 and in answer to HEAD (RFC 9110, section 6.4.1).
    std::uint64_t sent_size(bool head = false) const noexcept {
        return head || status_ == 204 || status_ == 304 ? 0 : body_size();
    }

    struct Framing {
        std::string_view date;   ///< For the Date field (RFC 9110, section 6.6.1).
        bool keep_alive = true;  ///< If not, says `Connection: close`.
        bool http_1_0 = false;   ///< The peer needs to be told that the connection is kept.
        bool head = false;       ///< The answer to HEAD: everything but the body.
        bool chunked = false;  ///< The body follows in chunks (RFC 9112, section 7.1), or, by HTTP/1.0, until the end.
    };

    /// Append the response in the form of RFC 9112; take_parts() has the rest of it.
    void append_to(std::string& out, const Framing& framing) const {
        auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status_));
        bool typed = !content_type_.empty() && header("Content-Type").empty();
        bool chunked = !bodiless() && framing.chunked, sized = !bodiless() && !chunked;
        auto digit = [&](int unit) { return static_cast<char>('0' + status_ / unit % 10); };
        const char status[] = {digit(100), digit(10), digit(1), ' '};
        Digits length(body_size());
        append(out, [&](auto add) {
            add("HTTP/1.1 ", std::string_view(status, sizeof status), std::string_view(reason.data(), reason.size()),
                "\r\nDate: ", framing.date);
            for (const auto& [name, value] : fields_) add("\r\n", name, ": ", value);
            if (typed) add("\r\nContent-Type: ", content_type_);
            if (chunked && !framing.http_1_0) add("\r\nTransfer-Encoding: chunked");
            if (sized) add("\r\nContent-Length: ", length);
            add(connection(framing), "\r\n\r\n");
            if (sized && !framing.head) add(body_);
        });
    }

    /// Append a part of a chunked body; the empty one is the last.
    static void append_chunk(std::string& out, std::string_view part) {
        Digits size(part.size(), 16);
        append(out, [&](auto add) { add(size, "\r\n", part, "\r\n"); });
    }

    /// What is to be sent behind what append_to() has written: a body in files.
    std::vector<detail::FilePart> take_parts(bool head) {
        if (parts_.empty() || head || bodiless()) return {};
        return std::exchange(parts_, {});
    }

private:
    void drop_body() noexcept {
        content_type_.clear();
        if (body_.capacity() > kept_capacity) body_ = std::string();
        body_.clear();
        parts_.clear();
    }

    bool bodiless() const noexcept { return status_ == 204 || status_ == 304; }  // RFC 9110, section 6.4.1

    std::string_view connection(const Framing& framing) const noexcept {
        bool upgrade = !header("Upgrade").empty();  // then Connection must name it (RFC 9110, section 7.8)
        if (!framing.keep_alive) return upgrade ? "\r\nConnection: upgrade, close" : "\r\nConnection: close";
        if (upgrade) return "\r\nConnection: upgrade";
        return framing.http_1_0 ? "\r\nConnection: keep-alive" : "";
    }

    // RFC 9110, sections 8 and 13.1; the others, such as Content-Security-Policy, guard whatever is answered.
    static bool describes_body(std::string_view name) noexcept {
        for (std::string_view known :
             {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location", "Content-Range",
              "Content-Disposition", "ETag", "Last-Modified", "Cache-Control", "Expires"})
            if (detail::iequals(name, known)) return true;
        return false;
    }

    class Digits {
    public:
        explicit Digits(std::uint64_t number, int base = 10)
            : end_(std::to_chars(digits_, digits_ + sizeof digits_, number, base).ptr) {}

        operator std::string_view() const noexcept { return {digits_, static_cast<std::size_t>(end_ - digits_)}; }

    private:
        char digits_[20];
        const char* end_;
    };

    // `write` is called twice, with a function that takes texts: to measure them and to copy them.
    template <class Write>
    static void append(std::string& out, Write write) {
        std::size_t at = out.size(), size = at;
        write([&](const auto&... texts) { size += (std::string_view(texts).size() + ...); });
        if (size > out.capacity()) out.reserve(std::max(size, 2 * at));
        out.resize(size);
        char* to = out.data() + at;
        write([&](const auto&... texts) { ((to = copy(texts, to)), ...); });
    }

    static char* copy(std::string_view text, char* to) noexcept {
        std::char_traits<char>::copy(to, text.data(), text.size());
        return to + text.size();
    }

    static void check_value(std::string_view name, std::string_view value) {
        if (detail::breaks_field(value))
            throw std::invalid_argument("kvolt: CR, LF or NUL in the value of the header field " + std::string(name));
    }

    static void check(std::string_view name, std::string_view value) {
        if (!detail::is_token(name))
            throw std::invalid_argument("kvolt: not a header field name: \"" + std::string(name) + '"');
        check_value(name, value);
        for (std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Date"})
            if (detail::iequals(name, own))
                throw std::invalid_argument("kvolt: the server itself sets the header field " + std::string(name));
    }

    static constexpr std::size_t kept_capacity = 4096;  // of a body, for the next one

    int status_ = 200;
    std::vector<std::pair<std::string, std::string>> fields_;
    std::string body_;
    std::vector<detail::FilePart> parts_;  // instead of body_
    std::string content_type_;
};

}  // namespace kvolt

#endif
