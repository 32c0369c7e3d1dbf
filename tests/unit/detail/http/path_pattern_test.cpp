#include "catch.hpp"
#include <kvolt/detail/http/path_pattern.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::detail::PathPattern;
using kvolt::detail::segment_equals;
using SegmentKind = PathPattern::Segment::Kind;

namespace {

// The segments in a row: `users` `:id` `*rest`.
std::vector<std::string> taken_apart(std::string_view pattern) {
    std::vector<std::string> result;
    for (const auto& segment : PathPattern::parse(pattern).segments)
        result.push_back((segment.kind == SegmentKind::parameter ? ":"
                          : segment.kind == SegmentKind::rest    ? "*"
                                                                 : "") +
                         segment.text);
    return result;
}

std::string parameters(int count) {
    std::string pattern;
    for (int i = 0; i < count; ++i) pattern += "/:p" + std::to_string(i);
    return pattern;
}

}  // namespace

TEST_CASE("a pattern is taken apart into segments") {
    struct Case {
        std::string_view pattern;
        std::vector<std::string> segments;
    };
    for (const Case& c : {
             Case{"/", {""}},
             Case{"/users", {"users"}},
             Case{"/users/", {"users", ""}},
             Case{"/users/:id", {"users", ":id"}},
             Case{"/auth/:provider/callback", {"auth", ":provider", "callback"}},
             Case{"/:a/:b", {":a", ":b"}},
             Case{"/files/*path", {"files", "*path"}},
             Case{"/*all", {"*all"}},
             Case{"//a", {"", "a"}},
             Case{"/a:b/c*d", {"a:b", "c*d"}},  // only at the beginning of a segment
             Case{"/caf\xC3\xA9", {"caf\xC3\xA9"}},
         }) {
        CAPTURE(c.pattern);
        CHECK(taken_apart(c.pattern) == c.segments);
    }
}

TEST_CASE("the names of a pattern's parameters, in their order") {
    CHECK(PathPattern::parse("/a/:x/b/:y/*z").names() == std::vector<std::string>{"x", "y", "z"});
    CHECK(PathPattern::parse("/a").names().empty());
}

TEST_CASE("a pattern that cannot work is refused at setup, and named") {
    for (const std::string& pattern : std::vector<std::string>{
             "", "users", ":id", "*", "/:", "/*", "/a/:/b", "/*rest/more", "/*a/*b", "/*rest/", "/:id/:id", "/:id/*id",
             "/a?b", "/a#b", "/a b", parameters(17), parameters(16) + "/*rest"}) {
        CAPTURE(pattern);
        try {
            PathPattern::parse(pattern);
            FAIL_CHECK("it was accepted");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find('"' + pattern + '"') != std::string::npos);
        }
    }
    CHECK(PathPattern::parse(parameters(16)).names().size() == 16);
    CHECK(PathPattern::parse(parameters(15) + "/*rest").names().size() == 16);
}

TEST_CASE("a segment as it was sent equals a text if it means the same") {
    struct Case {
        std::string_view sent, text;
        bool equal;
    };
    for (const Case& c : {
             Case{"", "", true},
             Case{"a", "", false},
             Case{"", "a", false},
             Case{"users", "users", true},
             Case{"Users", "users", false},
             Case{"user", "users", false},
             Case{"userss", "users", false},
             Case{"%75sers", "users", true},
             Case{"user%73", "users", true},
             Case{"user%7", "users", false},
             Case{"user%", "users", false},
             Case{"user%zz", "users", false},
             Case{"%75", "users", false},
             Case{"%75%73%65%72%73%73", "users", false},
             Case{"caf%C3%A9", "caf\xC3\xA9", true},
             Case{"caf%c3%a9", "caf\xC3\xA9", true},
             Case{"caf%E9", "caf\xC3\xA9", false},
             Case{"a%2Fb", "a/b", true},
             Case{"%2575", "u", false},  // decoded once
             Case{"%2575", "%75", true},
             Case{"%25", "%", true},
         }) {
        CAPTURE(c.sent, c.text);
        CHECK(segment_equals(c.sent, c.text) == c.equal);
    }
}

TEST_CASE("an escape in a pattern means the character, as it does in a request") {
    auto segments = PathPattern::parse("/caf%C3%A9").segments;
    REQUIRE(segments.size() == 1);
    CHECK(segment_equals("caf%C3%A9", segments[0].text));
}
