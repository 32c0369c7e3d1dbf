#ifndef KVOLT_SRC_RESPONSE_HPP
#define KVOLT_SRC_RESPONSE_HPP

#include <kvolt/body_encoder.hpp>
#include <kvolt/config.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/files/file.hpp>
#include <kvolt/detail/http/reason.hpp>
#include <kvolt/response.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

class Response::Digits {
public:
    explicit Digits(std::uint64_t number, int base = 10)
        : end_(std::to_chars(digits_, digits_ + sizeof digits_, number, base).ptr) {}

    operator std::string_view() const noexcept { return {digits_, static_cast<std::size_t>(end_ - digits_)}; }

private:
    char digits_[20];
    const char* end_;
};

KVOLT_INLINE void Response::status(int status) {
    check_status(status);
    if (otherwise_ && status != status_) {
        auto otherwise = std::move(otherwise_);
        give(*otherwise);
    }
    status_ = said_status_ = status;
}

KVOLT_INLINE void Response::header(std::string_view name, std::string_view value) {
    check(name, value);
    std::pair<std::string, std::string> field(name, value);  // the value may be a view of what is replaced
    if (!detail::iequals(name, "Set-Cookie")) remove(field.first);
    fields_.push_back(std::move(field));
}

KVOLT_INLINE void Response::add_header(std::string_view name, std::string_view value) {
    check(name, value);
    fields_.emplace_back(name, value);
}

KVOLT_INLINE std::string_view Response::header(std::string_view name) const noexcept {
    for (const auto& [field, value] : fields_)
        if (detail::iequals(field, name)) return value;
    return {};
}

KVOLT_INLINE bool Response::has_set(std::string_view name) const noexcept {
    for (std::size_t i = own_fields_; i < fields_.size(); ++i)
        if (detail::iequals(fields_[i].first, name)) return true;
    return false;
}

KVOLT_INLINE std::uint64_t Response::body_size() const noexcept {
    std::uint64_t size = body_.size();
    for (const detail::FilePart& part : parts_) size += part.text.size() + part.size;
    return size;
}

KVOLT_INLINE void Response::body(std::string body, std::string_view content_type) {
    check_value("Content-Type", content_type);
    body_of_known_type(std::move(body), content_type);
}

KVOLT_INLINE void Response::body_of_known_type(std::string&& body, std::string_view content_type) {
    content_type_ = content_type;  // which may be a view of what goes now
    if (has_answer_) drop_answer();
    body_ = std::move(body);
    parts_.clear();
}

KVOLT_INLINE void Response::answer(Answer answer) {
    if (answer.status != 0) check_status(answer.status);
    for (const auto& [name, value] : answer.fields) check(name, value);
    check_value("Content-Type", answer.content_type);
    give(answer);
}

KVOLT_INLINE void Response::give(Answer& answer) {
    fields_.reserve(fields_.size() + answer.fields.size());
    drop_answer();
    drop_body();
    for (const auto& [name, value] : answer.fields)
        if (!detail::iequals(name, "Vary")) remove(name);
    fields_.insert(fields_.begin(), std::make_move_iterator(answer.fields.begin()),
                   std::make_move_iterator(answer.fields.end()));
    own_fields_ = answer.fields.size();
    has_answer_ = true;
    if (answer.status != 0) status_ = answer.status;
    parts_ = std::move(answer.parts);
    content_type_ = std::move(answer.content_type);
    otherwise_ = std::move(answer.otherwise);
}

KVOLT_INLINE void Response::drop_answer() noexcept {
    has_answer_ = false;
    status_ = said_status_;
    fields_.erase(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(std::exchange(own_fields_, 0)));
    otherwise_.reset();
    encoder_.reset();
}

KVOLT_INLINE void Response::remove(std::string_view name) noexcept {
    auto named = [&](const auto& field) { return detail::iequals(field.first, name); };
    auto own_end = fields_.begin() + static_cast<std::ptrdiff_t>(own_fields_);
    own_fields_ -= static_cast<std::size_t>(std::count_if(fields_.begin(), own_end, named));
    std::erase_if(fields_, named);
}

KVOLT_INLINE void Response::encode(std::string body, std::string_view coding) {
    say_encoded(coding);
    body_ = std::move(body);
    parts_.clear();
}

KVOLT_INLINE void Response::encode(std::shared_ptr<BodyEncoder> encoder, std::string_view coding) {
    say_encoded(coding);
    encoder_ = std::move(encoder);
}

KVOLT_INLINE void Response::say_encoded(std::string_view coding) {
    check_value("Content-Encoding", coding);
    has_answer_ = true;
    weaken();
    remove("Accept-Ranges");
    fields_.emplace(fields_.begin(), "Content-Encoding", coding);
    ++own_fields_;
}

KVOLT_INLINE void Response::weaken() {
    for (auto& [name, value] : fields_)
        if (detail::iequals(name, "ETag") && !value.starts_with("W/")) value.insert(0, "W/");
}

KVOLT_INLINE void Response::clear_body() noexcept {
    drop_answer();
    std::erase_if(fields_, [](const auto& field) { return describes_body(field.first); });
    drop_body();
}

KVOLT_INLINE void Response::drop_body() noexcept {
    content_type_.clear();
    if (body_.capacity() > kept_capacity) body_ = std::string();
    body_.clear();
    parts_.clear();
}

KVOLT_INLINE void Response::clear() noexcept {
    if (has_answer_) drop_answer();
    fields_.clear();
    drop_body();
    status_ = said_status_ = 200;
}

// `write` is called twice, with a function that takes texts: to measure them and to copy them.
template <class Write>
void Response::append(std::string& out, Write write) {
    std::size_t at = out.size(), size = at;
    write([&](const auto&... texts) { size += (std::string_view(texts).size() + ...); });
    if (size > out.capacity()) out.reserve((std::max)(size, 2 * at));
    out.resize(size);
    char* to = out.data() + at;
    write([&](const auto&... texts) { ((to = copy(texts, to)), ...); });
}

inline char* Response::copy(std::string_view text, char* to) noexcept {
    std::char_traits<char>::copy(to, text.data(), text.size());
    return to + text.size();
}

KVOLT_INLINE void Response::append_to(std::string& out, const Framing& framing) const {
    std::string_view reason = detail::reason_phrase(status_);
    bool typed = !bodiless() && !content_type_.empty() && header("Content-Type").empty();
    bool chunked = !bodiless() && framing.chunked, sized = !bodiless() && !chunked;
    auto digit = [&](int unit) { return static_cast<char>('0' + status_ / unit % 10); };
    const char status[] = {digit(100), digit(10), digit(1), ' '};
    Digits length(body_size());
    append(out, [&](auto add) {
        add("HTTP/1.1 ", std::string_view(status, sizeof status), reason, "\r\nDate: ", framing.date);
        for (const auto& [name, value] : fields_) add("\r\n", name, ": ", value);
        if (typed) add("\r\nContent-Type: ", content_type_);
        if (chunked && !framing.http_1_0) add("\r\nTransfer-Encoding: chunked");
        if (sized) add("\r\nContent-Length: ", length);
        add(connection(framing), "\r\n\r\n");
        if (sized && !framing.head) add(body_);
    });
}

KVOLT_INLINE void Response::append_chunk(std::string& out, std::string_view part) {
    Digits size(part.size(), 16);
    append(out, [&](auto add) { add(size, "\r\n", part, "\r\n"); });
}

KVOLT_INLINE std::vector<detail::FilePart> Response::take_parts(bool head) {
    if (parts_.empty() || head || bodiless()) return {};
    return std::exchange(parts_, {});
}

KVOLT_INLINE std::string_view Response::connection(const Framing& framing) const noexcept {
    bool upgrade = !header("Upgrade").empty();  // then Connection must name it (RFC 9110, section 7.8)
    if (!framing.keep_alive) return upgrade ? "\r\nConnection: upgrade, close" : "\r\nConnection: close";
    if (upgrade) return "\r\nConnection: upgrade";
    return framing.http_1_0 ? "\r\nConnection: keep-alive" : "";
}

KVOLT_INLINE bool Response::describes_body(std::string_view name) noexcept {
    for (std::string_view known :
         {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location", "Content-Range",
          "Content-Disposition", "ETag", "Last-Modified", "Cache-Control", "Expires"})
        if (detail::iequals(name, known)) return true;
    return false;
}

KVOLT_INLINE void Response::check_status(int status) {
    if (status < 200 || status > 599)
        throw std::invalid_argument("kvolt: a response status is 200 to 599, not " + std::to_string(status));
}

KVOLT_INLINE void Response::check_value(std::string_view name, std::string_view value) {
    if (!detail::is_field_value(value))
        throw std::invalid_argument("kvolt: a control character in the value of the header field " + std::string(name));
}

KVOLT_INLINE void Response::check(std::string_view name, std::string_view value) {
    if (!detail::is_token(name))
        throw std::invalid_argument("kvolt: not a header field name: \"" + std::string(name) + '"');
    check_value(name, value);
    for (std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Date"})
        if (detail::iequals(name, own))
            throw std::invalid_argument("kvolt: the server itself sets the header field " + std::string(name));
}

}  // namespace kvolt

#endif
