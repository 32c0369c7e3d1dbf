#ifndef KVOLT_DETAIL_HTTP_ORIGIN_LIST_HPP
#define KVOLT_DETAIL_HTTP_ORIGIN_LIST_HPP

#include <kvolt/detail/http/host_pattern.hpp>
#include <kvolt/url.hpp>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// The origins that a program allows, for CORS and for upgrades.
class OriginList {
public:
    using Predicate = std::function<bool(std::string_view origin)>;

    /// Allow `https://example.com`, `https://*.example.com`, `capacitor://localhost` or `null`.
    ///
    /// @throws std::invalid_argument  that names what no browser can send.
    void allow(std::string_view text) {
        if (text == "null") {
            null_ = true;
            return;
        }
        auto origin = Origin::parse(text);
        auto host = origin && !origin->host.empty() ? HostPattern::parse(origin->host) : HostPattern();
        bool socket = origin && (origin->scheme == "ws" || origin->scheme == "wss");  // of a page it is http or https
        if (!origin || !host || socket)
            throw std::invalid_argument(
                "kvolt: not an origin such as https://example.com, https://*.example.com or null: \"" +
                std::string(text) + '"');
        entries_.push_back({*std::move(origin), *std::move(host)});
    }

    void allow_if(Predicate predicate) { predicate_ = std::move(predicate); }

    bool empty() const noexcept { return entries_.empty() && !null_ && !predicate_; }

    /// @param sent  The value of an Origin field.
    bool allows(std::string_view sent) const {
        if (predicate_ && predicate_(sent)) return true;
        if (sent == "null") return null_;
        if (entries_.empty()) return false;
        auto origin = Origin::parse(sent);
        if (!origin) return false;
        for (const Entry& entry : entries_)
            if (entry.origin.scheme == origin->scheme && entry.origin.port == origin->port &&
                entry.host.matches(origin->host))
                return true;
        return false;
    }

private:
    struct Entry {
        Origin origin;
        HostPattern host;
    };

    std::vector<Entry> entries_;
    Predicate predicate_;
    bool null_ = false;
};

}  // namespace kvolt::detail

#endif
