#ifndef KVOLT_RESPONSE_HPP
#define KVOLT_RESPONSE_HPP

#include <kvolt/body_encoder.hpp>
#include <kvolt/detail/files/file.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

/// One HTTP response before it is sent: a plain value.
///
/// It keeps apart what was said by status() and header(), which stays, and what belongs to an answer such as a file or
/// a redirect, which goes when another answer takes its place.
class Response {
public:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    int status() const noexcept { return status_; }

    /// The status that was said last, 200 by default, whatever the answer has made of it.
    int said_status() const noexcept { return said_status_; }

    /// @throws std::invalid_argument  if it is not a final status, 200 to 599.
    void status(int status);

    /// Set a header field; replaces all of that name, but for Set-Cookie: cookies add up.
    ///
    /// @throws std::invalid_argument  if the name is not a token, the value holds a control character (such as those
    ///                                that split a response), or the field is the server's own: Content-Length,
    ///                                Transfer-Encoding, Connection, Date.
    void header(std::string_view name, std::string_view value);

    /// Add a header field beside those of the same name, as `Set-Cookie` needs it. Throws like header().
    void add_header(std::string_view name, std::string_view value);

    std::string_view header(std::string_view name) const noexcept;

    /// All fields: those of the answer, then those that were set, in their order.
    const Fields& fields() const noexcept { return fields_; }

    /// True if the field was set by header() or add_header(), and does not come from the answer.
    bool has_set(std::string_view name) const noexcept;

    /// The type that the body was given with; a Content-Type set by header() wins over it.
    const std::string& content_type() const noexcept { return content_type_; }

    /// The body, unless it lies in files: then it is empty.
    const std::string& body() const noexcept { return body_; }

    /// Where the body lies, if that is in files.
    const std::vector<detail::FilePart>& parts() const noexcept { return parts_; }

    /// Bytes of the body, wherever they lie.
    std::uint64_t body_size() const noexcept;

    /// Answer with a body; takes the place of the answer before.
    ///
    /// @param content_type  A Content-Type set by header() wins.
    /// @throws std::invalid_argument  for a control character in it.
    void body(std::string body, std::string_view content_type);

    /// The same with a type that needs no check.
    void body_of_known_type(std::string&& body, std::string_view content_type);

    /// An answer that is more than a body: made first, then given as a whole.
    struct Answer {
        int status = 0;                       ///< 0 for the one that was said.
        Fields fields;                        ///< Each replaces what was said by its name; Vary stands beside it.
        std::vector<detail::FilePart> parts;  ///< The body, which is read from files while it is sent.
        std::string content_type;
        std::shared_ptr<Answer> otherwise;  ///< Instead of it, once another status is said.
    };

    /// Answer so; takes the place of the answer before. What it throws has changed nothing.
    ///
    /// @throws std::invalid_argument  like header() and status().
    void answer(Answer answer);

    /// Send the body in another coding, such as gzip. It is no longer the same byte for byte, so that its entity tag
    /// becomes weak (RFC 9110, section 8.8.1) and no ranges are offered.
    void encode(std::string body, std::string_view coding);

    /// The same for a streamed body, before it begins.
    void encode(std::shared_ptr<BodyEncoder> encoder, std::string_view coding);

    /// What a streamed body goes through; nullptr for nothing.
    BodyEncoder* encoder() const noexcept { return encoder_.get(); }

    /// Make the entity tag weak, if there is one.
    void weaken();

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

    void give(Answer& answer);
    void say_encoded(std::string_view coding);
    void drop_answer() noexcept;
    void drop_body() noexcept;
    void remove(std::string_view name) noexcept;

    bool bodiless() const noexcept { return status_ == 204 || status_ == 304; }  // RFC 9110, section 6.4.1
    std::string_view connection(const Framing& framing) const noexcept;

    // RFC 9110, sections 8 and 13.1; the others, such as Content-Security-Policy, guard whatever is answered.
    static bool describes_body(std::string_view name) noexcept;

    template <class Write>
    static void append(std::string& out, Write write);
    static char* copy(std::string_view text, char* to) noexcept;
    static void check_status(int status);
    static void check_value(std::string_view name, std::string_view value);
    static void check(std::string_view name, std::string_view value);

    static constexpr std::size_t kept_capacity = 4096;  // of a body, for the next one

    int status_ = 200;
    int said_status_ = 200;    // other than status_ if the answer brings its own
    bool has_answer_ = false;  // which brings more than a body
    Fields fields_;
    std::size_t own_fields_ = 0;  // the first ones, which the answer brings
    std::string body_;
    std::vector<detail::FilePart> parts_;  // instead of body_
    std::string content_type_;
    std::shared_ptr<Answer> otherwise_;
    std::shared_ptr<BodyEncoder> encoder_;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/response.hpp>
#endif

#endif
