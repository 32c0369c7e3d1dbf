#include "catch.hpp"
#include <kvolt/detail/files/content_disposition.hpp>

#include <string>
#include <vector>

using kvolt::detail::attachment_disposition;

TEST_CASE("the name to save a file under") {
    struct Case {
        std::string name, value;
    };
    const std::vector<Case> cases = {
        {"report.pdf", "attachment; filename=\"report.pdf\""},
        {"my report (1).pdf", "attachment; filename=\"my report (1).pdf\""},
        {"a;b,c.txt", "attachment; filename=\"a;b,c.txt\""},
        {"\xE2\x82\xAC.txt", "attachment; filename=\"___.txt\"; filename*=UTF-8''%E2%82%AC.txt"},
        {"a\"b\\c.txt", "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"},
        {"100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"},
        {"../x", "attachment; filename=\".._x\"; filename*=UTF-8''..%2Fx"},
        {"a\r\nSet-Cookie: b", "attachment; filename=\"a__Set-Cookie: b\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b"},
        {"caf\xE9.txt", "attachment; filename=\"caf___.txt\"; filename*=UTF-8''caf%EF%BF%BD.txt"},
        {"", "attachment; filename=\"\""},
    };
    for (const Case& expected : cases) CHECK(attachment_disposition(expected.name) == expected.value);
}
