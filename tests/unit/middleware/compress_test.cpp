#include "catch.hpp"
#include "folder.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/files.hpp>
#include <kvolt/middleware/brotli.hpp>
#include <kvolt/middleware/compress.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <brotli/decode.h>
#include <fcntl.h>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include <zlib.h>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::brotli;
using kvolt::middleware::compress;
using kvolt::middleware::CompressOptions;
using kvolt::middleware::gzip;
using test::Fixture;

namespace {

const std::string page = [] {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "<li>item " + std::to_string(i) + "</li>\n";
    return text;
}();

std::string gunzip(const std::string& bytes) {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    std::string out(std::size_t{16} << 20, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    inflateEnd(&stream);
    return out;
}

std::string unbrotli(const std::string& bytes) {
    std::string out(std::size_t{16} << 20, '\0');
    std::size_t size = out.size();
    CHECK(BrotliDecoderDecompress(bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()), &size,
                                  reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_DECODER_RESULT_SUCCESS);
    out.resize(size);
    return out;
}

}  // namespace

TEST_CASE("a body is compressed for who takes it") {
    struct Case {
        std::string accepted, coding;
    };
    for (const Case& c : {
             Case{"gzip", "gzip"},
             Case{"gzip, deflate, br", "br"},
             Case{"br;q=0.5, gzip;q=0.8", "gzip"},
             Case{"*", "br"},
             Case{"*;q=0", ""},
             Case{"", ""},
             Case{"deflate", ""},
             Case{"gzip;q=0", ""},
             Case{"identity", ""},
             Case{"identity, gzip;q=0.5", ""},
             Case{"identity;q=0.5, gzip;q=0.5", "gzip"},
             Case{"identity;q=0, gzip;q=0.1", "gzip"},
         }) {
        INFO(c.accepted);
        Fixture f;
        if (!c.accepted.empty()) f.request.add_field("Accept-Encoding", c.accepted);
        f.serve(compress(CompressOptions().codecs({brotli(), gzip()})), [](Context& of) { of.html(page); });
        CHECK(f.response.header("Content-Encoding") == c.coding);
        CHECK(f.response.header("Vary") == "Accept-Encoding");
        CHECK(f.response.content_type() == "text/html; charset=utf-8");
        const std::string& body = f.response.body();
        CHECK((body.size() < page.size() / 2) == !c.coding.empty());
        CHECK((c.coding == "gzip" ? gunzip(body) : c.coding == "br" ? unbrotli(body) : body) == page);
    }
}

TEST_CASE("what gains nothing by it, or must not be touched, goes as it is") {
    std::string noise;
    std::mt19937 random(1);
    for (int i = 0; i < 4000; ++i) noise += static_cast<char>(random());
    const std::pair<const char*, std::function<void(Context&)>> cases[] = {
        {"small", [](Context& c) { c.text(std::string(1023, 'x')); }},
        {"204", [](Context& c) { c.text(page), c.status(204); }},
        {"206", [](Context& c) { c.text(page), c.status(206); }},
        {"304", [](Context& c) { c.text(page), c.status(304); }},
        {"range", [](Context& c) { c.text(page), c.header("Content-Range", "bytes 0-9/10"); }},
        {"coded", [](Context& c) { c.text(page), c.header("Content-Encoding", "zstd"); }},
        {"no-transform", [](Context& c) { c.text(page), c.header("Cache-Control", "public, No-Transform"); }},
        {"image", [](Context& c) { c.blob(page, "image/png"); }},
        {"set type", [](Context& c) { c.text(page), c.header("Content-Type", "video/mp4"); }},
        {"no type", [](Context& c) { c.blob(page, ""); }},
        {"noise", [&](Context& c) { c.text(noise); }},
        {"error", [](Context&) { throw kvolt::HttpError(404, "no"); }},
    };
    for (const auto& [name, handler] : cases) {
        INFO(name);
        Fixture with, without;
        with.request.add_field("Accept-Encoding", "gzip");
        with.serve(compress(), handler);
        without.serve(handler);
        CHECK(with.response.body() == without.response.body());
        CHECK(with.response.header("Content-Encoding") == without.response.header("Content-Encoding"));
    }
}

TEST_CASE("an entity tag becomes weak, and HEAD is told what GET is") {
    for (const auto& [before, after] : {std::pair("\"1\"", "W/\"1\""), std::pair("W/\"1\"", "W/\"1\"")}) {
        std::string sizes[2];
        for (int head = 0; head < 2; ++head) {
            Fixture f("/", head ? "HEAD" : "GET");
            f.request.add_field("Accept-Encoding", "gzip");
            f.serve(compress(), [tag = before](Context& c) {
                c.header("ETag", tag);
                c.json(std::string(5000, ' '));
            });
            CHECK(f.response.header("ETag") == after);
            CHECK(f.response.header("Content-Encoding") == "gzip");
            sizes[head] = std::to_string(f.response.body().size());
        }
        CHECK(sizes[0] == sizes[1]);
    }
}

TEST_CASE("several Accept-Encoding fields are one list") {
    Fixture f;
    f.request.add_field("Accept-Encoding", "deflate");
    f.request.add_field("Accept-Encoding", "gzip");
    f.serve(compress(), [](Context& c) { c.text(page); });
    CHECK(f.response.header("Content-Encoding") == "gzip");
}

TEST_CASE("an upgrade is not compressed") {
    Fixture f;
    f.ask_for_websocket();
    f.request.add_field("Accept-Encoding", "gzip");
    CHECK(f.serve(compress(), [](Context& c) -> Task<> { co_await c.upgrade(); }).empty());
    CHECK(f.response.fields().empty());
}

TEST_CASE("size, types and codecs can be chosen") {
    Fixture small, type;
    small.request.add_field("Accept-Encoding", "gzip");
    small.serve(compress(CompressOptions().min_size(10)), [](Context& c) { c.text(std::string(100, 'x')); });
    CHECK(gunzip(small.response.body()) == std::string(100, 'x'));
    type.request.add_field("Accept-Encoding", "gzip");
    type.serve(compress(CompressOptions().types([](std::string_view name) { return name == "image/png"; })),
               [](Context& c) { c.blob(page, "image/png"); });
    CHECK(type.response.header("Content-Encoding") == "gzip");
    CHECK_THROWS_AS(CompressOptions().codecs({}), std::invalid_argument);
    for (int level : {0, 10, -1}) CHECK_THROWS_AS(gzip(level), std::invalid_argument);
    for (int quality : {-1, 12}) CHECK_THROWS_AS(brotli(quality), std::invalid_argument);
}

TEST_CASE("types that are worth it") {
    for (const char* type : {"text/plain", "TEXT/HTML; charset=utf-8", "application/json", "application/ld+json",
                             "image/svg+xml", "application/wasm", "text/event-stream; x"})
        CHECK(CompressOptions::compressible(type));
    for (const char* type : {"", "image/png", "video/mp4", "application/zip", "font/woff2", "application/octet-stream"})
        CHECK_FALSE(CompressOptions::compressible(type));
}

TEST_CASE("large bodies survive both codings") {
    std::string big;
    std::mt19937 random(2);
    while (big.size() < (std::size_t{4} << 20)) big += std::to_string(random() % 1000) + ' ';
    CHECK(gunzip(*gzip(1).encode(big)) == big);
    CHECK(unbrotli(*brotli(1).encode(big)) == big);
    CHECK(gunzip(*gzip(9).encode("")).empty());
}

TEST_CASE("a 304 says what its 200 says") {
    auto tag = [](std::string accepted, std::string listed, auto handler) {
        Fixture f;
        if (!accepted.empty()) f.request.add_field("Accept-Encoding", accepted);
        if (!listed.empty()) f.request.add_field("If-None-Match", listed);
        f.serve(compress(), handler);
        CHECK(f.response.status() == 304);
        CHECK(f.response.header("Content-Encoding").empty());
        return std::string(f.response.header("ETag")) + ' ' + std::string(f.response.header("Vary"));
    };
    auto known = [](Context& c) { c.header("ETag", "\"1\""), c.status(304); };
    CHECK(tag("gzip", "W/\"1\"", known) == "W/\"1\" Accept-Encoding");
    CHECK(tag("gzip", "\"0\", W/\"1\"", known) == "W/\"1\" Accept-Encoding");
    CHECK(tag("gzip", "", known) == "W/\"1\" Accept-Encoding");
    CHECK(tag("gzip", "\"1\"", known) == "\"1\" Accept-Encoding");  // it has the body as it is
    CHECK(tag("", "\"1\"", known) == "\"1\" Accept-Encoding");
    CHECK(tag("gzip;q=0", "", known) == "\"1\" Accept-Encoding");
    CHECK(tag("gzip", "", [](Context& c) { c.status(304); }) == " Accept-Encoding");
    // What is never compressed needs neither.
    CHECK(tag("gzip", "", [](Context& c) {
              c.header("Content-Type", "image/png").header("ETag", "\"1\"").status(304);
          }) == "\"1\" ");
    CHECK(tag("gzip", "", [](Context& c) { c.text("small"), c.header("ETag", "\"1\"").status(304); }) == "\"1\" ");
    CHECK(tag("gzip", "", [](Context& c) {
              c.header("Cache-Control", "no-transform").header("ETag", "\"1\"").status(304);
          }) == "\"1\" ");
}

TEST_CASE("small files are compressed by type, as their 304 knows, and large ones are not") {
    test::Folder folder;
    std::string text = page;
    while (text.size() < 10000) text += page;
    auto age = [](const std::string& path) {
        timespec times[2] = {{784111777, 0}, {784111777, 0}};
        REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
        return path;
    };
    const std::string css = age(folder.write("a.css", text)), tiny = age(folder.write("tiny.css", "a{}")),
                      large = age(folder.write("large.css", std::string(256 * 1024 + 1, ' '))),
                      image = age(folder.write("a.png", text));
    struct Case {
        std::string path;
        bool compressed;
    };
    for (const Case& c : {Case{css, true}, Case{tiny, false}, Case{large, false}, Case{image, false}})
        for (std::string method : {"GET", "HEAD"}) {
            INFO(method << ' ' << c.path);
            Fixture f("/", method), again("/", method), part("/", method), plain("/", method);
            for (Fixture* each : {&f, &again, &part}) each->request.add_field("Accept-Encoding", "gzip");
            auto handler = [&](Context& of) { of.file(c.path); };
            f.serve(compress(), handler);
            CHECK((f.response.header("Content-Encoding") == "gzip") == c.compressed);
            CHECK((f.response.header("Vary") == "Accept-Encoding") == c.compressed);
            CHECK(f.response.header("ETag").starts_with("W/") == c.compressed);
            CHECK(f.response.header("Accept-Ranges").empty() == c.compressed);
            if (c.compressed) CHECK(gunzip(f.response.body()) == text);
            again.request.add_field("If-None-Match", f.response.header("ETag"));
            again.serve(compress(), handler);
            CHECK(again.response.status() == 304);
            CHECK(again.response.header("ETag") == f.response.header("ETag"));
            CHECK(again.response.header("Vary") == f.response.header("Vary"));
            plain.serve(compress(), handler);
            CHECK(plain.response.header("Content-Encoding").empty());
            CHECK((plain.response.header("Vary") == "Accept-Encoding") == c.compressed);
            if (method == "HEAD") continue;
            part.request.add_field("Range", "bytes=0-1");
            part.serve(compress(), handler);
            CHECK(part.response.status() == 206);
            CHECK(part.response.header("Content-Encoding").empty());
        }
    Fixture off, all;
    for (Fixture* each : {&off, &all}) each->request.add_field("Accept-Encoding", "gzip");
    off.serve(compress(CompressOptions().max_file(0)), [&](Context& c) { c.file(css); });
    CHECK(off.response.header("Content-Encoding").empty());
    all.serve(compress(CompressOptions().max_file(1 << 20)), [&](Context& c) { c.file(large); });
    CHECK(all.response.header("Content-Encoding") == "gzip");
    Fixture cut;
    cut.request.add_field("Accept-Encoding", "gzip");
    cut.serve(compress(), [&](Context& c) {
        c.file(css);
        REQUIRE(::truncate(css.c_str(), 10) == 0);
    });
    CHECK(cut.response.header("Content-Encoding").empty());
    Fixture made_up;
    made_up.request.add_field("Accept-Encoding", "gzip");
    made_up.serve(compress(CompressOptions().min_size(10).types([](std::string_view) { return true; })),
                  [](Context& c) { c.file("/proc/meminfo"); });
    CHECK(gunzip(made_up.response.body()).starts_with("MemTotal:"));
}

TEST_CASE("streams and events are compressed by what can do so") {
    struct Case {
        std::string accepted, coding;
        bool events;
    };
    for (const Case& c : {Case{"gzip", "gzip", false}, Case{"br, gzip;q=0.5", "gzip", false}, Case{"br", "", false},
                          Case{"", "", false}, Case{"gzip;q=0", "", true}, Case{"gzip, br", "gzip", true}})
        for (std::string method : {"GET", "HEAD"}) {
            INFO(c.accepted);
            Fixture f("/", method);
            if (!c.accepted.empty()) f.request.add_field("Accept-Encoding", c.accepted);
            f.serve(compress(CompressOptions().codecs({brotli(), gzip()})), [&](Context& of) {
                of.header("ETag", "\"1\"");
                if (c.events)
                    of.events();
                else
                    of.stream("text/csv");
                CHECK((f.response.encoder() != nullptr) == !c.coding.empty());
                CHECK(f.response.header("Content-Encoding") == c.coding);
                CHECK(f.response.header("ETag") == (c.coding.empty() ? "\"1\"" : "W/\"1\""));
                CHECK(f.response.header("Vary") == "Accept-Encoding");
            });
            CHECK(f.response.header("Content-Encoding") == c.coding);
        }
    const std::pair<const char*, std::function<void(Context&)>> untouched[] = {
        {"image", [](Context& c) { c.stream("image/png"); }},
        {"bytes", [](Context& c) { c.stream(); }},
        {"coded", [](Context& c) { c.header("Content-Encoding", "zstd"), c.stream("text/csv"); }},
        {"no-transform", [](Context& c) { c.header("Cache-Control", "no-transform"), c.events(); }},
        {"206", [](Context& c) { c.status(206), c.stream("text/csv"); }},
        {"failed", [](Context& c) { c.stream("text/csv"), throw std::runtime_error("db"); }},
    };
    for (const auto& [name, handler] : untouched) {
        INFO(name);
        Fixture f;
        f.request.add_field("Accept-Encoding", "gzip");
        f.serve(compress(), handler);
        CHECK(f.response.encoder() == nullptr);
        CHECK(f.response.header("Content-Encoding") == (std::string(name) == "coded" ? "zstd" : ""));
    }
    Fixture off;
    off.request.add_field("Accept-Encoding", "gzip");
    off.serve(compress(CompressOptions().streams(false)), [](Context& c) { c.stream("text/csv"); });
    CHECK(off.response.encoder() == nullptr);
}

TEST_CASE("what was encoded of a stream can be decoded at once, and its end ends it") {
    for (bool small : {false, true}) {
        auto encoder = gzip().stream(small);
        z_stream stream{};
        REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
        auto decode = [&](std::string bytes) {
            std::string out(1 << 20, '\0');
            stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
            stream.avail_in = static_cast<uInt>(bytes.size());
            stream.next_out = reinterpret_cast<Bytef*>(out.data());
            stream.avail_out = static_cast<uInt>(out.size());
            int result = inflate(&stream, Z_SYNC_FLUSH);
            CHECK((result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR));  // of nothing
            out.resize(out.size() - stream.avail_out);
            return out;
        };
        std::string noise;
        std::mt19937 random(3);
        for (int i = 0; i < 200000; ++i) noise += static_cast<char>(random());
        for (const std::string& part : {std::string("a"), page, std::string(), noise, std::string("end")}) {
            std::string out = "before";
            encoder->encode(out, part);
            CHECK(out.starts_with("before"));
            CHECK(decode(out.substr(6)) == part);
        }
        std::string rest;
        encoder->finish(rest);
        CHECK(decode(rest).empty());
        CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
        inflateEnd(&stream);
    }
}
