#include "catch.hpp"
#include <kvolt/detail/files/path.hpp>

#include <string>
#include <vector>

using kvolt::detail::parse_file_path;

TEST_CASE("what a request may name in a folder") {
    struct Case {
        std::string sent, path;
        bool is_folder;
    };
    const std::vector<Case> cases = {
        {"", "", true},
        {"a", "a", false},
        {"a/", "a", true},
        {"a/b.txt", "a/b.txt", false},
        {"a/b/", "a/b", true},
        {"caf%C3%A9.html", "caf\xC3\xA9.html", false},
        {"a%20b", "a b", false},
        {"%61", "a", false},
        {"a..b", "a..b", false},
        {"a.", "a.", false},
        {"...", "...", false},
        {"a/.b", "a/.b", false},
        {"%2Egit", ".git", false},
        {"a%3Fb", "a?b", false},
        {"~root", "~root", false},
    };
    for (const Case& expected : cases) {
        INFO(expected.sent);
        auto path = parse_file_path(expected.sent, true);
        REQUIRE(path);
        CHECK(path->path == expected.path);
        CHECK(path->is_folder == expected.is_folder);
        bool hidden = expected.path.starts_with('.') || expected.path.find("/.") != expected.path.npos;
        CHECK(parse_file_path(expected.sent, false).has_value() == !hidden);
    }
}

TEST_CASE("below the root, .well-known is for everybody") {
    for (std::string sent : {".well-known/", ".well-known/security.txt", "%2Ewell-known/a/b", ".well-known/acme/x"}) {
        INFO(sent);
        CHECK(parse_file_path(sent, false, true));
        CHECK_FALSE(parse_file_path(sent, false, false));
        CHECK(parse_file_path(sent, true, false));
    }
    for (std::string sent : {".well-known", "a/.well-known/x", ".well-known/.htaccess", ".well-known/a/.git/config",
                             ".Well-Known/x", ".well-knowns/x", ".well-known/../x", ".git/x"}) {
        INFO(sent);
        CHECK_FALSE(parse_file_path(sent, false, true));
    }
}

TEST_CASE("what can be no file, also where dot-files can be had") {
    for (std::string sent : {"/",
                             "//",
                             "/a",
                             "a//b",
                             "a//",
                             ".",
                             "..",
                             "../",
                             "./a",
                             "a/.",
                             "a/..",
                             "a/../b",
                             "../../etc/passwd",
                             "%2e",
                             "%2e%2e",
                             "%2E.",
                             ".%2e",
                             "a/%2e%2e/b",
                             "..%2f",
                             "%2e%2e%2fetc",
                             "a%2fb",
                             "a%2Fb",
                             "..%5c",
                             "a%5Cb",
                             "a\\b",
                             "..\\..\\etc",
                             "a%00",
                             "%00",
                             "a%00.html",
                             "a%0d%0a",
                             "a%",
                             "a%2",
                             "a%zz",
                             "%c0%ae%c0%ae%2f"}) {
        INFO(sent);
        CHECK_FALSE(parse_file_path(sent, true));
        CHECK_FALSE(parse_file_path(sent, false));
    }
}
