#ifndef KVOLT_REQUEST_HPP
#define KVOLT_REQUEST_HPP

#include <kvolt/url.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt {

/// One HTTP request as it was received: a plain value.
///
/// The head lives in one string and the fields are places in it, so that a connection which reuses its Request
/// allocates nothing per request, unless one is larger than 4 KiB. Views stay valid until the request is changed.
class Request {
public:
    std::string_view method() const noexcept { return view(method_); }

    /// The request target as it was sent, such as `/users/7?full=1`.
    std::string_view target() const noexcept { return view(target_); }

    /// The path of the target, not decoded: `/caf%C3%A9`. Also that of the absolute form, `http://host/path`.
    ///
    /// Without the segments `.` and `..`, also escaped ones: `/a/../b` is `/b` here, so that no route and no parameter
    /// means another place than it seems to. A path that climbs above the root stays as it was sent, and the server
    /// refuses it.
    std::string_view raw_path() const noexcept { return view(path_); }

    /// True if the path means what it says: there are no escapes in it, and no dots.
    bool has_plain_path() const noexcept { return plain_path_; }

    /// The host, with its port if there is one, that the request is for: of the absolute form, otherwise of the Host
    /// field (RFC 9112, section 3.2.2).
    std::string_view host() const noexcept;

    /// The query of the target without its `?`, not decoded.
    std::string_view raw_query() const noexcept {
        std::size_t mark = target().find('?');
        return mark == std::string_view::npos ? std::string_view() : target().substr(mark + 1);
    }

    /// 10 for HTTP/1.0, 11 for HTTP/1.1.
    int version() const noexcept { return version_; }

    std::size_t field_count() const noexcept { return fields_.size(); }
    std::string_view field_name(std::size_t index) const { return view(fields_.at(index).name); }
    std::string_view field_value(std::size_t index) const { return view(fields_.at(index).value); }

    /// How many fields have this name; names are compared without case.
    std::size_t count(std::string_view name) const noexcept {
        std::size_t result = 0;
        for (const Field& field : fields_) result += detail::iequals(view(field.name), name);
        return result;
    }

    /// The value of the first field of this name; nothing if there is none.
    std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (const Field& field : fields_)
            if (detail::iequals(view(field.name), name)) return view(field.value);
        return std::nullopt;
    }

    /// The value of the first field of this name; empty if there is none.
    std::string_view header(std::string_view name) const noexcept { return find(name).value_or(std::string_view()); }

    /// True if any field of this name lists the token, as in `Connection: keep-alive, Upgrade` (RFC 9110,
    /// section 5.6.1).
    bool has_token(std::string_view name, std::string_view token) const noexcept;

    std::string_view body() const noexcept { return body_; }

    // What the parser, or a test, fills it with.

    void clear() noexcept {
        if (head_.capacity() > kept_capacity) head_ = std::string();
        head_.clear();
        release();
        fields_.clear();
        if (body_.capacity() > kept_capacity) body_ = std::string();
        body_.clear();
        method_ = target_ = path_ = Place();
        plain_path_ = false;
        version_ = 11;
    }

    /// Keep the raw bytes of a head, for a parser: until release(), start() and add_field() do not copy parts of them.
    void hold(std::string_view head) {
        clear();
        head_ = head;
        held_ = head;
    }
    void release() noexcept { held_ = {}; }

    void start(std::string_view method, std::string_view target, int version = 11) {
        if (!holds(method)) clear();
        method_ = keep(method);
        target_ = keep(target);
        path_ = find_path();
        version_ = version;
    }

    void add_field(std::string_view name, std::string_view value) {
        Place name_place = keep(name);
        fields_.push_back({name_place, keep(value)});
    }

    std::string& body_buffer() noexcept { return body_; }

private:
    struct Place {
        std::uint32_t begin = 0, size = 0;
    };
    struct Field {
        Place name, value;
    };

    // Where a text begins in held_; somewhere beyond its end if it is no part of it.
    std::size_t offset(std::string_view text) const noexcept {
        return reinterpret_cast<std::uintptr_t>(text.data()) - reinterpret_cast<std::uintptr_t>(held_.data());
    }

    bool holds(std::string_view text) const noexcept {
        std::size_t begin = offset(text);
        return begin < held_.size() && text.size() <= held_.size() - begin;
    }

    Place keep(std::string_view text) {
        std::size_t begin = offset(text);
        if (!holds(text)) {
            begin = head_.size();
            head_ += text;
        }
        return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(text.size())};
    }

    // Where the host begins in the absolute form; 0 in the others.
    std::size_t authority_begin() const noexcept;

    Place find_path();

    std::string_view view(Place place) const noexcept { return {head_.data() + place.begin, place.size}; }

    static constexpr std::size_t kept_capacity = 4096;  // of a head and a body, for the next ones

    std::string head_;
    std::string_view held_;  // the bytes that head_ begins with, where they came from
    std::vector<Field> fields_;
    std::string body_;
    Place method_, target_, path_;
    bool plain_path_ = false;
    int version_ = 11;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/request.hpp>
#endif

#endif
