#include "catch.hpp"
#include <kvolt/detail/files/answer.hpp>

#include <ctime>
#include <memory>
#include <string>

using namespace kvolt::detail;

namespace {

File file_state(std::uint64_t size, std::time_t modified, long nanoseconds) {
    File result;
    result.size = size;
    result.modified = modified;
    result.modified_ns = nanoseconds;
    return result;
}

}  // namespace

TEST_CASE("a file's entity tag is that of its copies on other machines: size and second") {
    constexpr std::time_t modified = 784111777, later = modified + 1000;
    CHECK(entity_tag(file_state(10, modified, 123456789), later) == "\"a-2ebc98a1\"");
    CHECK(entity_tag(file_state(10, modified, 0), later) == "\"a-2ebc98a1\"");
    CHECK(entity_tag(file_state(10, modified, 0), later, "br") == "\"a-2ebc98a1-br\"");
    CHECK(entity_tag(file_state(11, modified, 0), later) != entity_tag(file_state(10, modified, 0), later));
    CHECK(entity_tag(file_state(10, modified + 1, 0), later) != entity_tag(file_state(10, modified, 0), later));
}

TEST_CASE("within the second of its last change, a file may change again: its tag is weak, and soon another one") {
    constexpr std::time_t modified = 784111777;
    for (std::time_t now : {modified - 1000, modified, modified + 1}) {
        CHECK(entity_tag(file_state(10, modified, 7), now) == "W/\"a-2ebc98a1-7\"");
        CHECK(entity_tag(file_state(10, modified, 8), now, "gzip") == "W/\"a-2ebc98a1-8-gzip\"");
    }
    CHECK(entity_tag(file_state(10, modified, 7), modified + 2) == "\"a-2ebc98a1\"");

    // So what was asked for in that second is asked for again, and gives no ranges.
    kvolt::Request request;
    request.start("GET", "/");
    request.add_field("If-None-Match", "W/\"a-2ebc98a1-7\"");
    request.add_field("If-Range", "W/\"a-2ebc98a1-7\"");
    Validators fresh{"W/\"a-2ebc98a1-7\"", modified}, settled{"\"a-2ebc98a1\"", modified};
    CHECK(evaluate_preconditions(request, fresh) == Precondition::not_modified);
    CHECK(evaluate_preconditions(request, settled) == Precondition::holds);
    CHECK_FALSE(if_range_holds(request, fresh, modified));
    CHECK_FALSE(if_range_holds(request, settled, modified + 2));
}

TEST_CASE("what the system makes up is sent as it was read, without validators and ranges") {
    auto made_up = std::make_shared<File>();
    made_up->made_up = "0-3\n";
    made_up->size = 4096;
    kvolt::Request request;
    request.start("GET", "/");
    request.add_field("Range", "bytes=0-0");
    request.add_field("If-None-Match", "*");
    kvolt::Response response;
    answer_file(request, response, made_up, {"text/plain"});
    CHECK(response.status() == 200);
    CHECK(response.body_size() == 4);
    CHECK(response.header("ETag").empty());
    CHECK(response.header("Last-Modified").empty());
    CHECK(response.header("Accept-Ranges").empty());
    CHECK(response.take_parts(false).front().text == "0-3\n");
}
