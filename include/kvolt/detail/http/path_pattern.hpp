#ifndef KVOLT_DETAIL_HTTP_PATH_PATTERN_HPP
#define KVOLT_DETAIL_HTTP_PATH_PATTERN_HPP

#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/url.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A route pattern taken apart: `/users/:id/files/*path`.
///
/// `:name` stands for one segment that is not empty, `*name` for all that is left, also nothing; it must come last.
struct PathPattern {
    struct Segment {
        enum class Kind { text, parameter, rest } kind;
        std::string text;  // of a text segment, or the parameter's name
    };

    std::vector<Segment> segments;

    /// @throws std::invalid_argument  that names the pattern and what is wrong with it.
    static PathPattern parse(std::string_view pattern) {
        auto fail = [&](std::string_view why) {
            throw std::invalid_argument("kvolt: route pattern \"" + std::string(pattern) + "\": " + std::string(why));
        };
        if (!pattern.starts_with('/')) fail("it must begin with '/'");
        if (pattern.find_first_of("?# ") != pattern.npos) fail("it is a path, without query, fragment or space");
        PathPattern result;
        std::vector<std::string_view> names;
        std::string_view rest = pattern;
        while (!rest.empty()) {
            rest.remove_prefix(1);
            std::string_view text = rest.substr(0, rest.find('/'));
            rest.remove_prefix(text.size());
            using Kind = Segment::Kind;
            Kind kind = text.starts_with(':') ? Kind::parameter : text.starts_with('*') ? Kind::rest : Kind::text;
            if (kind != Kind::text) {
                text.remove_prefix(1);
                if (text.empty()) fail("':' and '*' need a name behind them");
                for (std::string_view name : names)
                    if (name == text) fail("the parameter \"" + std::string(text) + "\" stands twice");
                names.push_back(text);
                if (names.size() > PathMatch::max_parameters) fail("more than 16 parameters");
                if (kind == Kind::rest && !rest.empty()) fail("'*' takes all that is left, so it must come last");
            }
            std::optional<std::string> decoded = percent_decode(text);  // as the segments of requests are compared
            if (!decoded) fail("a broken escape");
            result.segments.push_back({kind, std::move(*decoded)});
        }
        return result;
    }

    std::vector<std::string> names() const {
        std::vector<std::string> result;
        for (const Segment& segment : segments)
            if (segment.kind != Segment::Kind::text) result.push_back(segment.text);
        return result;
    }
};

/// True if a segment as it was sent, escapes and all, means this text.
inline bool segment_equals(std::string_view sent, std::string_view text) {
    if (sent.find('%') == sent.npos) return sent == text;
    std::size_t at = 0;
    for (std::size_t i = 0; i < sent.size(); ++i, ++at) {
        char c = sent[i];
        if (c == '%') {
            if (sent.size() - i < 3) return false;
            int high = hex_digit(sent[i + 1]), low = hex_digit(sent[i + 2]);
            if (high < 0 || low < 0) return false;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (at >= text.size() || text[at] != c) return false;
    }
    return at == text.size();
}

}  // namespace kvolt::detail

#endif
