#include "catch.hpp"
#include <kvolt/detail/files/entity_tag.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace kvolt::detail;

TEST_CASE("entity tags are compared strongly and weakly, as the table of RFC 9110, section 8.8.3.2") {
    CHECK_FALSE(equal_strongly("W/\"1\"", "W/\"1\""));
    CHECK(equal_weakly("W/\"1\"", "W/\"1\""));
    CHECK_FALSE(equal_weakly("W/\"1\"", "W/\"2\""));
    CHECK_FALSE(equal_strongly("W/\"1\"", "\"1\""));
    CHECK(equal_weakly("W/\"1\"", "\"1\""));
    CHECK(equal_strongly("\"1\"", "\"1\""));
}

TEST_CASE("lists of entity tags") {
    struct Case {
        std::string list;
        std::vector<std::string_view> tags;
    };
    const std::vector<Case> cases = {
        {"", {}},
        {"\"a\"", {"\"a\""}},
        {"\"a\", W/\"b\",\"c\"", {"\"a\"", "W/\"b\"", "\"c\""}},
        {" , ,\"a\" ,, \"b\" ,", {"\"a\"", "\"b\""}},
        {"\"a,b\", \"c\\\"", {"\"a,b\"", "\"c\\\""}},
        {"\"\"", {"\"\""}},
        {"\"\xC3\xA9\"", {"\"\xC3\xA9\""}},
        {"a", {}},
        {"\"a", {}},
        {"w/\"a\"", {}},
        {"W/a", {}},
        {"W/", {}},
        {"\"a\"x, \"b\"", {}},
        {"\"a b\"", {}},
        {"\"a\", b, \"c\"", {"\"a\""}},
        {"\"a\" \"b\"", {}},
    };
    for (const Case& expected : cases) {
        INFO(expected.list);
        std::string_view list = expected.list;
        std::vector<std::string_view> tags;
        while (auto tag = next_entity_tag(list)) tags.push_back(*tag);
        CHECK(tags == expected.tags);
    }
}

TEST_CASE("a list names what there is") {
    CHECK(lists_entity_tag("*", "\"a\"", equal_strongly));
    CHECK(lists_entity_tag(" * ", "\"a\"", equal_weakly));
    CHECK(lists_entity_tag("\"b\", \"a\"", "\"a\"", equal_strongly));
    CHECK(lists_entity_tag("W/\"a\"", "\"a\"", equal_weakly));
    CHECK_FALSE(lists_entity_tag("W/\"a\"", "\"a\"", equal_strongly));
    CHECK_FALSE(lists_entity_tag("\"b\"", "\"a\"", equal_weakly));
    CHECK_FALSE(lists_entity_tag("", "\"a\"", equal_weakly));
    CHECK_FALSE(lists_entity_tag("a", "\"a\"", equal_weakly));
}
