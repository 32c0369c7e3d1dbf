#ifndef KVOLT_RESPONSE_HPP
#define KVOLT_RESPONSE_HPP

#include <kvolt/detail/file.hpp>

#include <cstddef>
#include <cstdint>
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
    void status(int status);

    /// Set a header field; replaces all of that name.
    ///
    /// @throws std::invalid_argument  if the name is not a token, the value holds CR, LF or NUL (response splitting),
    ///                                or the field is the server's own: Content-Length, Transfer-Encoding, Connection,
    ///                                Date.
    void header(std::string_view name, std::string_view value);

    /// Add a header field beside those of the same name, as `Set-Cookie` needs it. Throws like header().
    void add_header(std::string_view name, std::string_view value);

    std::string_view header(std::string_view name) const noexcept;

    /// All fields that were set, in their order.
    const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

    /// The type that the body was given with; a Content-Type set by header() wins over it.
    const std::string& content_type() const noexcept { return content_type_; }

    /// The body, unless it lies in files: then it is empty.
    const std::string& body() const noexcept { return body_; }

    /// Bytes of the body, wherever they lie.
    std::uint64_t body_size() const noexcept;

    /// @param content_type  A Content-Type set by header() wins.
    /// @throws std::invalid_argument  for CR, LF or NUL in it.
    void body(std::string body, std::string_view content_type);

    /// The same with a type that needs no check.
    void body_of_known_type(std::string&& body, std::string_view content_type);

    /// A body that is read from files while it is sent.
    void body_in_files(std::vector<detail::FilePart> parts, std::string_view content_type);

    /// Forget the body and what describes it, for another one.
    void clear_body() noexcept;

    void clear() noexcept;

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
    void append_to(std::string& out, const Framing& framing) const;

    /// Append a part of a chunked body; the empty one is the last.
    static void append_chunk(std::string& out, std::string_view part);

    /// What is to be sent behind what append_to() has written: a body in files.
    std::vector<detail::FilePart> take_parts(bool head);

private:
    class Digits;

    void drop_body() noexcept;

    bool bodiless() const noexcept { return status_ == 204 || status_ == 304; }  // RFC 9110, section 6.4.1
    std::string_view connection(const Framing& framing) const noexcept;

    // RFC 9110, sections 8 and 13.1; the others, such as Content-Security-Policy, guard whatever is answered.
    static bool describes_body(std::string_view name) noexcept;

    template <class Write>
    static void append(std::string& out, Write write);
    static char* copy(std::string_view text, char* to) noexcept;
    static void check_value(std::string_view name, std::string_view value);
    static void check(std::string_view name, std::string_view value);

    static constexpr std::size_t kept_capacity = 4096;  // of a body, for the next one

    int status_ = 200;
    std::vector<std::pair<std::string, std::string>> fields_;
    std::string body_;
    std::vector<detail::FilePart> parts_;  // instead of body_
    std::string content_type_;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/response.hpp>
#endif

#endif
