#ifndef KVOLT_DETAIL_HTTP_HOST_PATTERN_HPP
#define KVOLT_DETAIL_HTTP_HOST_PATTERN_HPP

#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/url.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// True if all labels between the dots of a name are there, and are made of letters, digits, hyphens and underscores.
inline bool has_good_labels(std::string_view name) noexcept {
    static constexpr CharacterSet characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_");
    while (true) {
        std::string_view label = name.substr(0, name.find('.'));
        if (label.empty() || !characters.has_all(label)) return false;
        if (label.size() == name.size()) return true;
        name.remove_prefix(label.size() + 1);
    }
}

/// A host that is allowed: `example.com`, or `*.example.com` for those that are one or more labels below it, which it
/// is not itself.
class HostPattern {
public:
    /// @returns  nothing for a star that is not all of the first label, or has no name of two labels behind it.
    static std::optional<HostPattern> parse(std::string_view text) {
        HostPattern result;
        result.below_ = text.starts_with("*.");
        result.name_ = lowered(text.substr(result.below_ ? 2 : 0));
        if (result.name_.empty() || result.name_.find('*') != std::string::npos) return std::nullopt;
        if (!result.below_) return result;
        char last = result.name_[result.name_.rfind('.') + 1];  // nothing is below an IPv4 address
        bool good = has_good_labels(result.name_) && result.name_.find('.') != std::string::npos;
        if (!good || (last >= '0' && last <= '9')) return std::nullopt;
        return result;
    }

    bool matches(std::string_view host) const noexcept {
        if (!below_) return iequals(host, name_);
        if (host.size() < name_.size() + 2) return false;
        std::string_view front = host.substr(0, host.size() - name_.size() - 1);
        return host[front.size()] == '.' && iequals(host.substr(front.size() + 1), name_) && has_good_labels(front);
    }

private:
    std::string name_;  // lower case
    bool below_ = false;
};

}  // namespace kvolt::detail

#endif
