#include "catch.hpp"
#include <kvolt/detail/http/media_type.hpp>

#include <string>
#include <vector>

using kvolt::detail::is_compressible;
using kvolt::detail::media_type;

TEST_CASE("a file's type by its name") {
    struct Case {
        std::string path, type;
        bool compressible;
    };
    const std::vector<Case> cases = {
        {"index.html", "text/html; charset=utf-8", true},
        {"INDEX.HTM", "text/html; charset=utf-8", true},
        {"a/b.c/style.css", "text/css; charset=utf-8", true},
        {"app.min.js", "text/javascript; charset=utf-8", true},
        {"app.mjs", "text/javascript; charset=utf-8", true},
        {"data.json", "application/json", true},
        {"app.js.map", "application/json", true},
        {"site.webmanifest", "application/manifest+json", true},
        {"feed.xml", "application/xml", true},
        {"logo.svg", "image/svg+xml", true},
        {"favicon.ico", "image/x-icon", true},
        {"photo.JPeG", "image/jpeg", false},
        {"photo.avif", "image/avif", false},
        {"font.woff2", "font/woff2", false},
        {"film.mp4", "video/mp4", false},
        {"module.wasm", "application/wasm", true},
        {"archive.tar.gz", "application/gzip", false},
        {"archive.zip", "application/zip", false},
        {"paper.pdf", "application/pdf", false},
        {"archive.7z", "application/x-7z-compressed", false},
        {"file.zst", "application/zstd", false},
        {"README", "application/octet-stream", false},
        {"a.b/README", "application/octet-stream", false},
        {".html", "application/octet-stream", false},
        {"dot.", "application/octet-stream", false},
        {"x.unknown", "application/octet-stream", false},
        {"x.htmlx", "application/octet-stream", false},
        {"x.htm\xC3\xA9", "application/octet-stream", false},
        {"", "application/octet-stream", false},
        {"a/", "application/octet-stream", false},
    };
    for (const Case& expected : cases) {
        INFO(expected.path);
        CHECK(media_type(expected.path) == expected.type);
        CHECK(is_compressible(expected.type) == expected.compressible);
    }
}
