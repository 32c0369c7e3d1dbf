#ifndef KVOLT_REQUEST_HPP
#define KVOLT_REQUEST_HPP

#include <kvolt/url.hpp>

#include <algorithm>
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
/// allocates nothing per request. Views stay valid until the request is changed.
class Request {
public:
    std::string_view method() const noexcept { return view(method_); }

    /// The request target as it was sent, such as `/users/7?full=1`.
    std::string_view target() const noexcept { return view(target_); }

    /// The path of the target, not decoded: `/caf%C3%A9`. Also that of the absolute form, `http://host/path`.
    std::string_view raw_path() const noexcept {
        std::string_view path = target().substr(0, target().find('?'));
        if (path.starts_with('/')) return path;
        std::size_t colon = path.find("://");
        if (colon == path.npos ||
            !(detail::iequals(path.substr(0, colon), "http") || detail::iequals(path.substr(0, colon), "https")))
            return path;
        std::size_t slash = path.find('/', colon + 3);
        return slash == path.npos ? std::string_view("/") : path.substr(slash);
    }

    /// The host, with the port if it was given: of the target's absolute form, else of the Host field (RFC 9112,
    /// section 3.2.2).
    std::string_view host() const noexcept {
        std::size_t colon = target().find("://");
        if (target().starts_with('/') || colon > target().find_first_of("/?")) return header("Host");
        std::string_view rest = target().substr(colon + 3);
        return rest.substr(0, rest.find_first_of("/?"));
    }

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
    bool has_token(std::string_view name, std::string_view token) const noexcept {
        for (const Field& field : fields_)
            if (detail::iequals(view(field.name), name) && list_has(view(field.value), token)) return true;
        return false;
    }

    std::string_view body() const noexcept { return body_; }

    // What the parser, or a test, fills it with.

    void clear() noexcept {
        head_.clear();
        fields_.clear();
        if (body_.capacity() > kept_capacity) body_ = std::string();
        body_.clear();
        method_ = target_ = Place();
        version_ = 11;
    }

    void start(std::string_view method, std::string_view target, int version = 11) {
        clear();
        method_ = keep(method);
        target_ = keep(target);
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

    Place keep(std::string_view text) {
        Place place{static_cast<std::uint32_t>(head_.size()), static_cast<std::uint32_t>(text.size())};
        head_ += text;
        return place;
    }

    std::string_view view(Place place) const noexcept {
        return std::string_view(head_).substr(place.begin, place.size);
    }

    static bool list_has(std::string_view list, std::string_view token) noexcept {
        while (!list.empty()) {
            std::string_view item = list.substr(0, list.find(','));
            list.remove_prefix(std::min(list.size(), item.size() + 1));
            while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
            while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
            if (detail::iequals(item, token)) return true;
        }
        return false;
    }

    static constexpr std::size_t kept_capacity = 4096;  // of a body, for the next one

    std::string head_;
    std::vector<Field> fields_;
    std::string body_;
    Place method_, target_;
    int version_ = 11;
};

}  // namespace kvolt

#endif
