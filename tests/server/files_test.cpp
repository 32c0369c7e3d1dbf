#include "../catch.hpp"
#include "../folder.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include <kvolt.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using kvolt::Context;
using kvolt::FilesOptions;
using kvolt::Limits;
using test::Client;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

std::string numbers(std::size_t size) {
    std::string text;
    text.reserve(size + 8);
    for (unsigned i = 0; text.size() < size; ++i) text += std::to_string(10000000 + i % 89999999);
    text.resize(size);
    return text;
}

// Times as files have them that were not just made.
void age(const std::string& path, std::time_t modified = 784111777) {
    timespec times[2] = {{modified, 0}, {modified, 123456789}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

const std::string page = "<!doctype html><title>x</title>", script = "let x = 1;";
const std::string big = numbers(5 * 1024 * 1024 + 7);

struct Site : test::Folder {
    Site() {
        for (std::string name : {"site/index.html", "site/sub/index.html"}) age(write(name, page));
        age(write("site/app.js", script));
        age(write("site/app.js.br", "as brotli"));
        age(write("site/app.js.gz", "as gzip"));
        age(write("site/only.css", "plain"));
        age(write("site/only.css.gz", "as gzip"));
        age(write("site/photo.jpg", "jpeg"));
        write("site/photo.jpg.gz", "not looked for");
        age(write("site/10.txt", "0123456789"));
        write("site/empty.txt", "");
        write("site/big.bin", big);
        write("site/no_index/a.txt", "a");
        write("site/caf\xC3\xA9 1.html", page);
        write("site/.env", "secret");
        write("site/.git/config", "secret");
        write("site/sub/.htaccess", "secret");
        write("secret.txt", "secret");
        write("site2/secret.txt", "secret");
        link("site/in.txt", "10.txt");
        link("site/out.txt", "../secret.txt");
        link("site/out_absolute.txt", path("secret.txt"));
        link("site/out", "..");
        link("site/root", "/");
        link("site/null", "/dev/null");
        REQUIRE(::mkfifo(path("site/pipe").c_str(), 0644) == 0);
    }
};

struct FileServer : kvolt::App {
    explicit FileServer(const FilesOptions& options = {}, const Limits& wanted = {}) {
        limits(wanted);
        threads(GENERATE(1u, 4u));
        files("/assets", site.path("site"), options);
        get("/small", [](Context& c) { c.text("small"); });
    }

    Site site;
};

std::string get_request(std::string_view target) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

}  // namespace

TEST_CASE("a file with all that is to be said about it") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    auto response = client.get("/assets/10.txt");
    CHECK(response.status == 200);
    CHECK(response.body == "0123456789");
    CHECK(response.field("content-type") == "text/plain; charset=utf-8");
    CHECK(response.field("last-modified") == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(response.field("accept-ranges") == "bytes");
    CHECK(response.field("x-content-type-options") == "nosniff");
    CHECK(response.field("etag") == "\"a-2ebc98a1\"");
    CHECK(response.fields.count("cache-control") == 0);
    CHECK(response.fields.count("vary") == 0);
    CHECK(response.fields.count("content-encoding") == 0);

    auto head = client.request("HEAD /assets/10.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=0-3\r\n\r\n");
    CHECK(head.status == 200);
    for (std::string name : {"content-length", "content-type", "etag", "last-modified", "accept-ranges"})
        CHECK(head.field(name) == response.field(name));
    CHECK(client.request("HEAD /assets/big.bin HTTP/1.1\r\nHost: h\r\n\r\n").field("content-length") ==
          std::to_string(big.size()));

    auto empty = client.get("/assets/empty.txt", "Range: bytes=0-\r\n");
    CHECK(empty.status == 200);
    CHECK(empty.field("content-length") == "0");

    auto post = client.post("/assets/10.txt", "x");
    CHECK(post.status == 405);
    CHECK(post.field("allow") == "GET, HEAD, OPTIONS");
    CHECK(client.get("/small").body == "small");
}

TEST_CASE("a large file arrives whole, also among others in a pipeline, and the connection is kept") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    std::string requests;
    for (std::string target : {"/assets/big.bin", "/assets/10.txt", "/small", "/assets/big.bin", "/assets/empty.txt",
                               "/assets/absent", "/assets/in.txt"})
        requests += get_request(target);
    client.send(requests);
    CHECK(client.read_response().body == big);
    CHECK(client.read_response().body == "0123456789");
    CHECK(client.read_response().body == "small");
    CHECK(client.read_response().body == big);
    CHECK(client.read_response().body.empty());
    CHECK(client.read_response().status == 404);
    CHECK(client.read_response().body == "0123456789");
    CHECK(client.get("/assets/big.bin").body == big);

    client.send("GET /assets/big.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client.half_close();
    CHECK(client.read_response().body == big);
    CHECK(client.ended());
    Client old(app.port());
    old.send("GET /assets/big.bin HTTP/1.0\r\n\r\n");
    CHECK(old.read_response().body == big);
    CHECK(old.ended());
}

TEST_CASE("nothing but the files of the folder can be had") {
    FileServer app;
    app.start("127.0.0.1:0");
    std::vector<std::string> targets;
    for (std::string up :
         {"..",    ".%2e",       "%2e.",     "%2e%2e",       "%2E%2E", ".",     "%2e",   "...",   "..;",
          "..%00", "%252e%252e", "..%c0%af", "%c0%ae%c0%ae", "..\\",   "..%5c", "%5c..", "..%2f", "%2f..",
          "out",   "root",       "~",        "%e2%80%a5"})
        for (std::string slash : {"/", "%2f", "%2F", "//", "\\", "%5c", "/./", "%252f"})
            for (std::string rest : {"secret.txt", "site2/secret.txt", "etc/passwd", "site/10.txt"})
                for (std::string start : {"", "/", "sub/", "sub/../"})
                    for (int times : {1, 2, 5}) {
                        std::string target = "/assets/" + start;
                        for (int i = 0; i < times; ++i) target += up + slash;
                        bool plain = slash == "/" || slash == "/./";
                        if (up == "out" && plain && times == 1 && rest == "site/10.txt") continue;  // is inside
                        if (up == "out" && times > 1 && start.empty()) continue;
                        targets.push_back(target + rest);
                    }
    for (std::string target : {"/assets../secret.txt",
                               "/assets../site2/secret.txt",
                               "/assets/.env",
                               "/assets/%2eenv",
                               "/assets/.git/config",
                               "/assets/.git/",
                               "/assets/.git",
                               "/assets/sub/.htaccess",
                               "/assets/out.txt",
                               "/assets/out_absolute.txt",
                               "/assets/out/",
                               "/assets/root/",
                               "/assets/null",
                               "/assets/pipe",
                               "/assets/pipe/",
                               "/assets//10.txt",
                               "/assets//",
                               "/assets/10.txt/",
                               "/assets/10.txt%00",
                               "/assets/10.txt%00.jpg",
                               "/assets/10.txt%2f",
                               "/assets/10.txt\\",
                               "/assets/10.txt::$DATA",
                               "/assets/no_index",
                               "/assets/no_index/",
                               "/assets/absent",
                               "/assets/absent/",
                               "/assets/secret.txt",
                               "http://h/assets/../secret.txt",
                               "/secret.txt",
                               "/assets/10.txt%20",
                               "/assets/10.TXT",
                               "/assets/C:/x",
                               "/assets/proc/self/environ"})
        targets.push_back(target);
    targets.push_back("/assets/" + std::string(255, 'a'));
    targets.push_back("/assets/" + std::string(4000, 'a'));
    targets.push_back("/assets/" + std::string(7000, 'a'));
    std::string deep = "/assets";
    while (deep.size() < 7000) deep += "/sub";
    targets.push_back(deep);

    std::optional<Client> client(std::in_place, app.port());
    std::size_t wrong = 0;
    for (const std::string& target : targets) {
        auto response = client->get(target);
        bool right = response.status == 404 || response.status == 400;
        if (response.field("connection") == "close") client.emplace(app.port());
        if (right && response.body.find("secret") == std::string::npos) continue;
        ++wrong;
        FAIL_CHECK(target.substr(0, 200) << " was answered with " << response.status << ' ' << response.body);
    }
    CHECK(wrong == 0);
    CHECK(targets.size() > 5000);
    CHECK(client->get("/assets/10.txt").status == 200);
    CHECK(client->get("/assets/sub/..").body == page);  // RFC 3986, section 5.2.4
    CHECK(client->get("/assets/in.txt").body == "0123456789");
    CHECK(client->get("/assets/out/site/10.txt").body == "0123456789");
    CHECK(client->get("/assets/%61pp.js").body == script);
    CHECK(client->get("/assets/caf%C3%A9%201.html").body == page);
}

TEST_CASE("dot-files are served where that is wanted, and still nothing else") {
    FileServer app(FilesOptions().dot_files());
    app.start("127.0.0.1:0");
    Client client(app.port());
    CHECK(client.get("/assets/.env").body == "secret");
    CHECK(client.get("/assets/.git/config").body == "secret");
    for (std::string target : {"/assets/..", "/assets/../secret.txt", "/assets/%2e%2e/secret.txt",
                               "/assets/.git/../../secret.txt", "/assets/out.txt"}) {
        INFO(target);
        CHECK(client.get(target).status == 404);
    }
}

TEST_CASE("folders are answered by their index, behind a slash") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    for (std::string target : {"/assets/", "/assets/sub/", "/assets/index.html", "/assets/?x=1"}) {
        INFO(target);
        CHECK(client.get(target).body == page);
        CHECK(client.get(target).field("content-type") == "text/html; charset=utf-8");
    }
    struct Case {
        std::string target, location;
    };
    for (const Case& expected : std::vector<Case>{{"/assets", "./assets/"},
                                                  {"/assets?a=1&b=/", "./assets/?a=1&b=/"},
                                                  {"/assets/sub", "./sub/"},
                                                  {"/assets/s%75b?x", "./s%75b/?x"},
                                                  {"http://other/assets/sub", "./sub/"}}) {
        INFO(expected.target);
        auto response = client.get(expected.target);
        CHECK(response.status == 301);
        CHECK(response.field("location") == expected.location);
    }
}

TEST_CASE("other names for the index, or none") {
    Site site;
    kvolt::App app;
    app.files("/text", site.path("site"), FilesOptions().index("10.txt"));
    app.files("/none/", site.path("site"), FilesOptions().index(""));
    app.files("/", site.path("site"));
    app.get("/10.txt", [](Context& c) { c.text("a route of its own"); });
    app.group("/group").files("", site.path("site"));
    app.start("127.0.0.1:0");
    Client client(app.port());
    CHECK(client.get("/text/").body == "0123456789");
    CHECK(client.get("/text/sub").status == 404);
    CHECK(client.get("/none/").status == 404);
    CHECK(client.get("/none/sub").status == 404);
    CHECK(client.get("/none/10.txt").status == 200);
    CHECK(client.get("/").body == page);
    CHECK(client.get("/sub").field("location") == "./sub/");
    CHECK(client.get("//sub").status == 404);
    CHECK(client.get("/10.txt").body == "a route of its own");
    CHECK(client.get("/group").field("location") == "./group/");
    CHECK(client.get("/group/10.txt").body == "0123456789");
}

TEST_CASE("a page answers for what an application shows by itself") {
    FileServer app(FilesOptions().fallback("index.html").max_age(1h));
    app.start("127.0.0.1:0");
    Client client(app.port());
    const std::string browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n",
                      navigation = browser + "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
                      script_fetch = "Accept: */*\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
    for (std::string target : {"/assets/users/7", "/assets/users/", "/assets/no_index", "/assets/no_index/"})
        for (std::string fields : {std::string(), std::string("Accept: */*\r\n"), browser, navigation}) {
            INFO(target << ' ' << fields);
            auto response = client.get(target, fields);
            CHECK(response.status == 200);
            CHECK(response.body == page);
            CHECK(response.field("cache-control") == "no-cache");
        }
    for (std::string fields : {std::string("Accept: application/json\r\n"), script_fetch,
                               std::string("Accept: application/json, text/plain, */*\r\n")}) {
        INFO(fields);
        auto response = client.get("/assets/users/7", fields);
        CHECK(response.status == 404);
        CHECK(response.body == R"({"error":"Not Found"})");
        CHECK(response.fields.count("cache-control") == 0);
    }
    CHECK(client.request("HEAD /assets/users/7 HTTP/1.1\r\nHost: h\r\n\r\n").status == 200);
    CHECK(client.post("/assets/users/7", "").status == 405);
    CHECK(client.get("/assets/index.html").field("cache-control") == "public, max-age=3600");
    CHECK(client.get("/assets/john.doe").status == 404);
    CHECK(client.get("/assets/john.doe", "Accept: text/html,*/*\r\n").body == page);
    CHECK(client.get("/assets/gone.js", "Accept: */*\r\n").status == 404);
    CHECK(client.get("/assets/.env", "Accept: text/html\r\n").status == 404);
    CHECK(client.get("/assets/../secret.txt", "Accept: text/html\r\n").status == 404);
}

TEST_CASE("files and their fallback hide no 405 of a route for other methods") {
    Site site;
    site.write("site/form/index.html", page);
    kvolt::App app;
    bool fallback = GENERATE(true, false);
    app.files("/", site.path("site"), fallback ? FilesOptions().fallback("index.html") : FilesOptions());
    app.post("/api/items", [](Context& c) { c.text("made"); });
    app.del("/api/items", [](Context& c) { c.text("gone"); });
    app.post("/form/", [](Context& c) { c.text("sent"); });
    app.post("/10.txt", [](Context& c) { c.text("sent"); });
    app.start("127.0.0.1:0");
    Client client(app.port());
    for (std::string fields : {"", "Accept: */*\r\n", "Accept: application/json\r\n"}) {
        INFO(fields);
        auto response = client.get("/api/items", fields);
        CHECK(response.status == 405);
        CHECK(response.field("allow") == "POST, DELETE, OPTIONS");
        CHECK(response.body == R"({"error":"Method Not Allowed"})");
    }
    // A view of the application may have the path of what it sends its forms to.
    CHECK(client.get("/api/items", "Accept: text/html\r\n").status == (fallback ? 200 : 405));
    CHECK(client.get("/form/").body == page);
    CHECK(client.get("/10.txt").body == "0123456789");
    CHECK(client.get("/api/other").status == (fallback ? 200 : 404));
    CHECK(client.request("PUT /api/items HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").status == 405);
}

TEST_CASE("only what gets another name with its content is immutable") {
    Site site;
    site.write("site/.well-known/security.txt", "Contact: x");
    site.write("site/.well-known/.htaccess", "secret");
    site.write("site/page.xhtml", page);
    kvolt::App app;
    auto options = FilesOptions().max_age(24h * 365).immutable();
    app.files("/", site.path("site"), options);
    app.files("/assets", site.path("site"), options);
    app.files("/text", site.path("site"), FilesOptions(options).index("10.txt"));
    app.start("127.0.0.1:0");
    Client client(app.port());
    const std::string forever = "public, max-age=31536000, immutable";
    for (const auto& [target, value] :
         {std::pair("/app.js", forever), std::pair("/10.txt", forever), std::pair("/photo.jpg", forever),
          std::pair("/assets/app.js", forever), std::pair("/", "no-cache"s), std::pair("/index.html", "no-cache"s),
          std::pair("/sub/", "no-cache"s), std::pair("/page.xhtml", "no-cache"s), std::pair("/text/", "no-cache"s),
          std::pair("/.well-known/security.txt", "no-cache"s)}) {
        INFO(target);
        auto response = client.get(target);
        CHECK(response.status == 200);
        CHECK(response.field("cache-control") == value);
    }
    for (std::string target : {"/.well-known/.htaccess", "/.well-known/", "/.well-known", "/.env", "/.git/config",
                               "/assets/.well-known/security.txt", "/.well-known/../.env"}) {
        INFO(target);
        CHECK(client.get(target).status == 404);
    }
}

TEST_CASE("what the system makes up is served as it is") {
    kvolt::App app;
    app.get("/version", [](Context& c) { c.file("/proc/version"); });
    app.start("127.0.0.1:0");
    Client client(app.port());
    auto response = client.get("/version", "Range: bytes=0-1\r\n");
    CHECK(response.status == 200);
    CHECK(response.body.starts_with("Linux version "));
    CHECK(response.field("content-length") == std::to_string(response.body.size()));
    CHECK(response.fields.count("etag") == 0);
    CHECK(client.request("HEAD /version HTTP/1.1\r\nHost: h\r\n\r\n").field("content-length") ==
          std::to_string(response.body.size()));
    CHECK(client.get("/version").body == response.body);
}

TEST_CASE("an encoded file for those who understand it") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    struct Case {
        std::string target, accepted, encoding, body, vary;
    };
    const std::vector<Case> cases = {
        {"app.js", "", "", script, "Accept-Encoding"},
        {"app.js", "gzip", "gzip", "as gzip", "Accept-Encoding"},
        {"app.js", "gzip, deflate, br", "br", "as brotli", "Accept-Encoding"},
        {"app.js", "br;q=0, *", "gzip", "as gzip", "Accept-Encoding"},
        {"app.js", "gzip;q=0, br;q=0", "", script, "Accept-Encoding"},
        {"app.js", "deflate", "", script, "Accept-Encoding"},
        {"only.css", "gzip, br", "gzip", "as gzip", "Accept-Encoding"},
        {"only.css", "br", "", "plain", "Accept-Encoding"},
        {"10.txt", "gzip, br", "", "0123456789", ""},
        {"photo.jpg", "gzip, br", "", "jpeg", ""},
    };
    for (const Case& expected : cases) {
        INFO(expected.target << " for " << expected.accepted);
        std::string field = expected.accepted.empty() ? "" : "Accept-Encoding: " + expected.accepted + "\r\n";
        auto response = client.get("/assets/" + expected.target, field);
        CHECK(response.body == expected.body);
        CHECK(response.field("content-encoding") == expected.encoding);
        CHECK(response.field("vary") == expected.vary);
        if (!expected.encoding.empty()) CHECK(response.field("etag").ends_with('-' + expected.encoding + '"'));
        auto again =
            client.get("/assets/" + expected.target, field + "If-None-Match: " + response.field("etag") + "\r\n");
        CHECK(again.status == 304);
        CHECK(again.field("etag") == response.field("etag"));
        CHECK(again.field("vary") == expected.vary);
    }
    CHECK(client.get("/assets/app.js").field("content-type") == "text/javascript; charset=utf-8");
    CHECK(client.get("/assets/app.js", "Accept-Encoding: br\r\n").field("content-type") ==
          "text/javascript; charset=utf-8");
    auto plain = client.get("/assets/app.js").field("etag");
    CHECK(client.get("/assets/app.js", "Accept-Encoding: gzip\r\nIf-None-Match: " + plain + "\r\n").status == 200);
    auto part = client.get("/assets/app.js", "Accept-Encoding: gzip\r\nRange: bytes=3-\r\n");
    CHECK(part.status == 206);
    CHECK(part.body == "gzip");
    CHECK(part.field("content-range") == "bytes 3-6/7");
}

TEST_CASE("conditions on a file") {
    FileServer app(FilesOptions().max_age(24h).immutable());
    app.start("127.0.0.1:0");
    Client client(app.port());
    std::string etag = client.get("/assets/10.txt").field("etag");
    std::string same = "Sun, 06 Nov 1994 08:49:37 GMT", before = "Sun, 06 Nov 1994 08:49:36 GMT";
    struct Case {
        std::string fields;
        int status;
    };
    const std::vector<Case> cases = {
        {"If-None-Match: " + etag, 304},
        {"If-None-Match: W/" + etag, 304},
        {"If-None-Match: \"x\", " + etag, 304},
        {"If-None-Match: \"x\"\r\nIf-None-Match: " + etag, 304},
        {"If-None-Match: *", 304},
        {"If-None-Match: \"x\"", 200},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " + same, 200},
        {"If-Modified-Since: " + same, 304},
        {"If-Modified-Since: " + before, 200},
        {"If-Modified-Since: never", 200},
        {"If-Match: " + etag, 200},
        {"If-Match: *", 200},
        {"If-Match: \"x\"", 412},
        {"If-Unmodified-Since: " + same, 200},
        {"If-Unmodified-Since: " + before, 412},
        {"If-Match: \"x\"\r\nIf-None-Match: " + etag, 412},
        {"If-None-Match: " + etag + "\r\nRange: bytes=0-3", 304},
        {"If-Match: \"x\"\r\nRange: bytes=0-3", 412},
        {"If-Match: " + etag + "\r\nRange: bytes=0-3", 206},
        {"If-Range: " + etag + "\r\nRange: bytes=0-3", 206},
        {"If-Range: " + same + "\r\nRange: bytes=0-3", 206},
        {"If-Range: \"x\"\r\nRange: bytes=0-3", 200},
        {"If-Range: " + before + "\r\nRange: bytes=0-3", 200},
        {"If-Range: W/" + etag + "\r\nRange: bytes=0-3", 200},
        {"If-Range: \"x\"\r\nRange: bytes=99-", 200},
    };
    for (const Case& expected : cases)
        for (bool head : {false, true}) {
            INFO((head ? "HEAD " : "GET ") << expected.fields);
            auto response = client.request((head ? "HEAD" : "GET") + " /assets/10.txt HTTP/1.1\r\nHost: h\r\n"s +
                                           expected.fields + "\r\n\r\n");
            CHECK(response.status == (head && expected.status == 206 ? 200 : expected.status));
            if (response.status == 412) continue;
            CHECK(response.field("etag") == etag);
            CHECK(response.field("cache-control") == "public, max-age=86400, immutable");
            CHECK((response.field("content-length") == "") == (response.status == 304));
            if (!head)
                CHECK(response.body == (response.status == 206 ? "0123" : response.status == 304 ? "" : "0123456789"));
        }
}

TEST_CASE("ranges of a file") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    struct Case {
        std::string range;
        int status;
        std::string content_range, body;
    };
    const std::vector<Case> cases = {
        {"bytes=0-3", 206, "bytes 0-3/10", "0123"}, {"bytes=4-", 206, "bytes 4-9/10", "456789"},
        {"bytes=-3", 206, "bytes 7-9/10", "789"},   {"bytes=-99", 206, "bytes 0-9/10", "0123456789"},
        {"bytes=9-99", 206, "bytes 9-9/10", "9"},   {"bytes=0-3,4-5", 206, "bytes 0-5/10", "012345"},
        {"bytes=10-", 416, "bytes */10", ""},       {"bytes=-0", 416, "bytes */10", ""},
        {"bytes=3-2", 200, "", "0123456789"},       {"chars=0-3", 200, "", "0123456789"},
        {"bytes=x", 200, "", "0123456789"},         {"bytes=0-1\r\nRange: bytes=2-3", 200, "", "0123456789"},
    };
    for (const Case& expected : cases) {
        INFO(expected.range);
        auto response = client.get("/assets/10.txt", "Range: " + expected.range + "\r\n");
        CHECK(response.status == expected.status);
        CHECK(response.field("content-range") == expected.content_range);
        if (expected.status == 416) {
            CHECK(response.fields.count("etag") == 0);
            CHECK(response.field("content-type") == "application/json");
        } else {
            CHECK(response.body == expected.body);
        }
    }
    auto middle = client.get("/assets/big.bin", "Range: bytes=1000000-4000000\r\n");
    CHECK(middle.body == big.substr(1000000, 3000001));

    auto several = client.get("/assets/big.bin", "Range: bytes=0-4,2000000-4000000,-5\r\n");
    CHECK(several.status == 206);
    CHECK(several.fields.count("content-range") == 0);
    std::string type = several.field("content-type"), start = "multipart/byteranges; boundary=";
    REQUIRE(type.starts_with(start));
    std::string delimiter = "--" + type.substr(start.size()), size = std::to_string(big.size());
    auto part = [&](std::size_t first, std::size_t last) {
        return delimiter + "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes " +
               std::to_string(first) + '-' + std::to_string(last) + '/' + size + "\r\n\r\n" +
               big.substr(first, last - first + 1) + "\r\n";
    };
    CHECK((several.body ==
           part(0, 4) + part(2000000, 4000000) + part(big.size() - 5, big.size() - 1) + delimiter + "--\r\n"));
    std::string many = "Range: bytes=0-0";
    for (int i = 1; i < 100; ++i) many += ',' + std::to_string(i * 1000) + '-' + std::to_string(i * 1000);
    CHECK(client.get("/assets/big.bin", many + "\r\n").body == big);
    auto head = client.request("HEAD /assets/big.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0,-1\r\n\r\n");
    CHECK(head.status == 200);
}

TEST_CASE("middleware guards files, and adds to what is said") {
    Site site;
    kvolt::App app;
    app.use([](Context& c) { c.header("Vary", "Origin").header("Cache-Control", "private"); });
    auto group = app.group("/members");
    group.use([](Context& c) {
        if (c.header("Authorization").empty()) throw kvolt::HttpError(401, "log in first");
    });
    group.use([](Context& c, kvolt::Next next) -> kvolt::Task<> {
        co_await next();
        c.header("X-Size", std::to_string(c.response().body_size()));
    });
    group.files("/files", site.path("site"), FilesOptions().max_age(1h));
    app.start("127.0.0.1:0");
    Client client(app.port());
    for (std::string target :
         {"/members/files/app.js", "/members/files", "/members/files/", "/members/files/../files/x"}) {
        INFO(target);
        CHECK(client.get(target).status == 401);
    }
    auto response = client.get("/members/files/app.js", "Authorization: x\r\n");
    CHECK(response.body == script);
    CHECK(response.field("vary") == "Accept-Encoding, Origin");
    CHECK(response.field("cache-control") == "private");
    CHECK(response.field("x-size") == std::to_string(script.size()));
}

TEST_CASE("a folder may be replaced while it is served") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    CHECK(client.get("/assets/10.txt").body == "0123456789");
    std::string etag = client.get("/assets/10.txt").field("etag");
    app.site.write("site/10.txt.new", "9876543210");
    std::filesystem::rename(app.site.path("site/10.txt.new"), app.site.path("site/10.txt"));
    age(app.site.path("site/10.txt"));
    // Neither its size nor its time tells: it is taken for a copy of the first one.
    CHECK(client.get("/assets/10.txt", "If-None-Match: " + etag + "\r\n").status == 304);
    age(app.site.path("site/10.txt"), 784111778);
    CHECK(client.get("/assets/10.txt", "If-None-Match: " + etag + "\r\n").body == "9876543210");
    std::filesystem::rename(app.site.path("site"), app.site.path("old"));
    CHECK(client.get("/assets/10.txt").status == 404);
    app.site.write("site/10.txt", "new");
    CHECK(client.get("/assets/10.txt").body == "new");
    app.site.write("site/future.txt", "x");
    age(app.site.path("site/future.txt"), 4107542400);
    auto future = client.get("/assets/future.txt");
    CHECK(future.field("last-modified") == future.field("date"));
}

TEST_CASE("what is wrong with a folder is said at setup") {
    Site site;
    kvolt::App app;
    struct Case {
        std::string folder, message;
    };
    for (const Case& expected :
         std::vector<Case>{{"absent", "No such file or directory"}, {"secret.txt", "Not a directory"}}) {
        std::string message, folder = site.path(expected.folder);
        try {
            app.files("/a", folder);
        } catch (const std::system_error& error) {
            message = error.what();
        }
        CHECK(message == "kvolt: files(\"" + folder + "\"): the folder \"" + folder + "\": " + expected.message);
    }
    CHECK_THROWS_AS(app.files("/a", site.path("site"), FilesOptions().fallback("absent.html")), std::system_error);
    CHECK_THROWS_AS(app.files("/a", site.path("site"), FilesOptions().fallback("../secret.txt")), std::system_error);
    CHECK(app.routes().empty());
    app.files("/a", site.path("site"));
    CHECK_THROWS_AS(app.files("/a", site.path("site")), std::invalid_argument);
}

TEST_CASE("one file of the server's choice") {
    Site site;
    kvolt::App app;
    std::mutex mutex;
    std::string logged;
    app.logger([&](std::string_view line) {
        std::lock_guard lock(mutex);
        logged += line;
    });
    app.get("/one", [&](Context& c) { c.file(site.path("site/app.js")); });
    app.get("/later", [&](Context& c) -> kvolt::Task<> {
        c.file(site.path("site/big.bin"));
        co_return;
    });
    app.get("/absent", [&](Context& c) { c.file(site.path("absent")); });
    app.get("/folder", [&](Context& c) { c.file(site.path("site")); });
    app.get("/pipe", [&](Context& c) { c.file(site.path("site/pipe")); });
    app.get("/nul", [&](Context& c) { c.file(site.path("site/app.js") + "\0x"s); });
    app.get("/lost", [&](Context& c) { c.status(404).file(site.path("site/index.html")); });
    app.get("/save", [&](Context& c) { c.attachment(site.path("site/10.txt")); });
    app.get("/named", [&](Context& c) { c.attachment(site.path("site/10.txt"), "caf\xC3\xA9 \"1\".txt"); });
    app.get("/typed", [&](Context& c) { c.header("Content-Type", "text/x-mine").file(site.path("site/10.txt")); });
    app.start("127.0.0.1:0");
    Client client(app.port());
    auto one = client.get("/one", "Accept-Encoding: br\r\n");
    CHECK(one.body == script);
    CHECK(one.field("content-type") == "text/javascript; charset=utf-8");
    CHECK(client.get("/one", "If-None-Match: " + one.field("etag") + "\r\n").status == 304);
    CHECK(client.get("/one", "Range: bytes=0-2\r\n").body == "let");
    CHECK(client.get("/later").body == big);
    for (std::string target : {"/absent", "/folder", "/pipe", "/nul"}) {
        INFO(target);
        CHECK(client.get(target).status == 404);
    }
    auto lost = client.get("/lost", "Range: bytes=0-2\r\nIf-None-Match: *\r\n");
    CHECK(lost.status == 404);
    CHECK(lost.body == page);
    CHECK(lost.fields.count("etag") == 0);
    CHECK(client.get("/save").field("content-disposition") == "attachment; filename=\"10.txt\"");
    CHECK(client.get("/named").field("content-disposition") ==
          "attachment; filename=\"caf__ _1_.txt\"; filename*=UTF-8''caf%C3%A9%20%221%22.txt");
    CHECK(client.get("/typed").field("content-type") == "text/x-mine");
    std::lock_guard lock(mutex);
    CHECK(logged.empty());
}

TEST_CASE("a client that takes its time gets all, and costs the others nothing") {
    Limits limits;
    limits.write_timeout = 1500ms;
    FileServer app({}, limits);
    constexpr std::size_t size = 32 * 1024 * 1024;
    app.site.write("site/huge.bin", "");
    std::filesystem::resize_file(app.site.path("site/huge.bin"), size);
    app.get("/memory", [](Context& c) { c.blob(std::string(size, '\0'), "application/octet-stream"); });
    app.start("127.0.0.1:0");
    Client file(app.port(), 64 * 1024), memory(app.port(), 64 * 1024);
    file.send(get_request("/assets/huge.bin"));
    memory.send(get_request("/memory"));
    // Much slower than a third of a socket's buffer in write_timeout, which is when it says that there is room.
    std::size_t taken = 0;
    for (auto end = std::chrono::steady_clock::now() + 4s; std::chrono::steady_clock::now() < end; taken += 16384) {
        file.read(16384);
        memory.read(16384);
        Client other(app.port());
        CHECK(other.get("/assets/10.txt").status == 200);
        std::this_thread::sleep_for(50ms);
    }
    for (; taken < size; taken += 16384) {
        file.read(16384);
        memory.read(16384);
    }
    CHECK(Client(app.port()).get("/assets/big.bin").body == big);
}

TEST_CASE("a client that takes nothing is cut off, one that vanishes harms nobody") {
    Limits limits;
    limits.write_timeout = 300ms;
    FileServer app({}, limits);
    app.site.write("site/huge.bin", "");
    std::filesystem::resize_file(app.site.path("site/huge.bin"), 64 * 1024 * 1024);
    app.start("127.0.0.1:0");
    Client stuck(app.port(), 4096);
    stuck.send(get_request("/assets/huge.bin"));
    for (int i = 0; i < 20; ++i) {
        Client vanishing(app.port(), 4096);
        vanishing.send(get_request("/assets/huge.bin"));
        vanishing.read(static_cast<std::size_t>(1 + i * 10000));
        i % 2 == 0 ? vanishing.reset() : vanishing.close();
    }
    auto connections = [&] {
        std::size_t count = 0;
        for (const auto& loop : *app.loops()) count += loop->connections();
        return count;
    };
    CHECK(test::eventually([&] { return connections() == 0; }));
    CHECK(stuck.read_to_end().size() < 1024 * 1024);  // what it had in its own buffers
    CHECK(Client(app.port()).get("/assets/big.bin").body == big);
}

TEST_CASE("a file that becomes shorter while it is sent ends the connection, not the truth") {
    FileServer app;
    std::string path = app.site.write("site/shrinking.bin", "");
    constexpr std::size_t size = 64 * 1024 * 1024;
    std::filesystem::resize_file(path, size);
    app.start("127.0.0.1:0");
    Client client(app.port(), 4096);
    client.send(get_request("/assets/shrinking.bin") + get_request("/small"));
    client.read(1000);
    std::filesystem::resize_file(path, 10);
    std::string rest = client.read_to_end();
    CHECK(rest.size() < size);
    CHECK(rest.find("small") == std::string::npos);
    CHECK(Client(app.port()).get("/small").body == "small");
}

TEST_CASE("what is being sent when the server stops is sent to its end") {
    FileServer app;
    app.start("127.0.0.1:0");
    Client client(app.port(), 4096);
    client.send(get_request("/assets/big.bin"));
    CHECK(client.read(1) == "H");
    std::thread stopper([&] { app.stop(); });
    std::string rest = client.read_to_end();
    stopper.join();
    CHECK(rest.ends_with(big));
}

TEST_CASE("files over a Unix socket") {
    FileServer app;
    std::string path = app.site.path("socket");
    app.start("unix:" + path);
    Client client = Client::unix_socket(path);
    CHECK(client.get("/assets/big.bin").body == big);
    CHECK(client.get("/assets/big.bin", "Range: bytes=-5\r\n").body == big.substr(big.size() - 5));
    CHECK(client.get("/small").body == "small");
}

TEST_CASE("curl") {
    FileServer app;
    app.site.write("site/zipped.txt", "as it is");
    std::string file = app.site.path("zipped.txt"), out = app.site.path("out"), headers = app.site.path("headers");
    app.site.write("zipped.txt", "encoded");
    REQUIRE(std::system(("gzip -c " + file + " > " + app.site.path("site/zipped.txt.gz")).c_str()) == 0);
    app.start("127.0.0.1:0");
    std::string base = " http://127.0.0.1:" + std::to_string(app.port()) + "/assets/";
    auto curl = [&](const std::string& arguments) {
        std::string command = "curl -sS --max-time 60 -D " + headers + " -o " + out + ' ' + arguments;
        INFO(command);
        CHECK(std::system(command.c_str()) == 0);
        std::ifstream file_stream(out, std::ios::binary), headers_stream(headers);
        std::string body(std::istreambuf_iterator<char>(file_stream), {}), status;
        std::getline(headers_stream, status);
        return std::pair(status.substr(9, 3), body);
    };
    using Answer = std::pair<std::string, std::string>;
    CHECK((curl(base + "big.bin") == Answer{"200", big}));
    CHECK((curl("-r 5-9" + base + "10.txt") == Answer{"206", "56789"}));
    CHECK((curl("-r -3" + base + "10.txt") == Answer{"206", "789"}));
    CHECK((curl(base + "zipped.txt") == Answer{"200", "as it is"}));
    CHECK((curl("--compressed" + base + "zipped.txt") == Answer{"200", "encoded"}));
    CHECK((curl("-L" + base + "sub").second == page));
    std::filesystem::remove(out);
    CHECK((curl("-z 'Sun, 06 Nov 1994 08:49:37 GMT'" + base + "10.txt") == Answer{"304", ""}));
    CHECK((curl("-z 'Sat, 05 Nov 1994 08:49:37 GMT'" + base + "10.txt") == Answer{"200", "0123456789"}));
    std::ofstream(out, std::ios::binary) << big.substr(0, 1000000);
    CHECK((curl("-C -" + base + "big.bin") == Answer{"206", big}));
}
