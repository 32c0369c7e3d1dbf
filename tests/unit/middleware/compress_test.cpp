#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/brotli.hpp>
#include <kvolt/middleware/compress.hpp>

#include <brotli/decode.h>
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
        {"events", [](Context& c) { c.blob(page, "text/event-stream"); }},
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
                             "image/svg+xml", "application/wasm"})
        CHECK(CompressOptions::compressible(type));
    for (const char* type : {"", "image/png", "video/mp4", "application/zip", "text/event-stream; x", "font/woff2",
                             "application/octet-stream"})
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
