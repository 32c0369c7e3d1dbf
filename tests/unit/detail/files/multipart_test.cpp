#include "catch.hpp"
#include <kvolt/detail/files/multipart.hpp>

#include <memory>

using namespace kvolt::detail;

TEST_CASE("multipart/byteranges as RFC 9110, section 14.6 frames it") {
    auto file = std::make_shared<File>();
    file->size = 10000;
    auto parts = multipart(file, {{500, 999}, {7000, 7999}}, "application/pdf", "THIS");
    REQUIRE(parts.size() == 3);
    CHECK(parts[0].text == "--THIS\r\nContent-Type: application/pdf\r\nContent-Range: bytes 500-999/10000\r\n\r\n");
    CHECK(parts[0].file == file);
    CHECK(parts[0].offset == 500);
    CHECK(parts[0].size == 500);
    CHECK(parts[1].text ==
          "\r\n--THIS\r\nContent-Type: application/pdf\r\nContent-Range: bytes 7000-7999/10000\r\n\r\n");
    CHECK(parts[1].offset == 7000);
    CHECK(parts[1].size == 1000);
    CHECK(parts[2].text == "\r\n--THIS--\r\n");
    CHECK(parts[2].file == nullptr);
}
