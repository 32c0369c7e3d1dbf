#include "catch.hpp"
#include <kvolt/detail/http/fields.hpp>

#include <string_view>
#include <vector>

using kvolt::Request;
using kvolt::detail::joined_fields;
using kvolt::detail::list_items;

using ItemViews = std::vector<std::string_view>;

namespace {

Request make() {
    Request request;
    request.start("GET", "/");
    request.add_field("A", "1, 2");
    request.add_field("B", "x");
    request.add_field("a", ", 3 ,");
    request.add_field("Q", "\"4,5\"");
    request.add_field("Q", "\"6,7");
    return request;
}

}  // namespace

TEST_CASE("fields of one name are one list") {
    Request request = make();
    CHECK(joined_fields(request, "a") == "1, 2, , 3 ,");
    CHECK(joined_fields(request, "b") == "x");
    CHECK_FALSE(joined_fields(request, "C"));
    CHECK(list_items(request, "A") == ItemViews{"1", "2", "3"});
    CHECK(list_items(request, "C").empty());
}

TEST_CASE("a quoted string that a client leaves open swallows nothing") {
    Request request = make();
    CHECK(list_items(request, "Q", true) == ItemViews{"\"4,5\"", "\"6", "7"});
    CHECK(list_items(request, "Q") == ItemViews{"\"4", "5\"", "\"6", "7"});
}
