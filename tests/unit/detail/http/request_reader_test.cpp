#include "catch.hpp"
#include <kvolt/detail/http/request_reader.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Limits;
using kvolt::Request;
using kvolt::detail::RequestReader;
using Stage = RequestReader::Stage;

namespace {

const std::string post = "POST /a HTTP/1.1\r\nHost: h\r\n";

struct ReaderFixture {
    explicit ReaderFixture(const Limits& its_limits = {}) : limits(its_limits) {}

    // As a connection does: hand over bytes as there is room, and parse. Returns the bytes that found none.
    std::string_view feed(std::string_view bytes, std::uint64_t body_limit = RequestReader::unlimited) {
        do {
            auto room = reader.prepare();
            std::size_t size = std::min(room.size(), bytes.size());
            std::memcpy(room.data(), bytes.data(), size);
            reader.commit(size);
            bytes.remove_prefix(size);
            parse(body_limit);
        } while (!bytes.empty() && status == 0 && reader.stage() != Stage::done);
        return bytes;
    }

    void parse(std::uint64_t body_limit = RequestReader::unlimited) {
        auto judge = [&](const auto& refusal) { status = refusal ? refusal->status : 0; };
        if (reader.stage() == Stage::idle || reader.stage() == Stage::head) {
            judge(reader.parse_head());
            if (status != 0 || reader.stage() == Stage::idle || reader.stage() == Stage::head) return;
            judge(reader.begin_body(body_limit));
        }
        if (status == 0) judge(reader.parse_body());
    }

    Limits limits;
    Request request;
    RequestReader reader{request, limits};
    int status = 0;
};

}  // namespace

TEST_CASE("a reader tells how far a request has come") {
    ReaderFixture f;
    CHECK(f.reader.stage() == Stage::idle);
    for (std::string_view nothing : {"\r\n", "\r", "\n", "\r\n"}) {
        f.feed(nothing);
        CHECK(f.reader.stage() == Stage::idle);
    }
    f.feed("P");
    CHECK(f.reader.stage() == Stage::head);
    f.feed(post.substr(1) + "Content-Length: 4\r\n\r");
    CHECK(f.reader.stage() == Stage::head);
    f.feed("\n");
    CHECK(f.reader.stage() == Stage::body);
    f.feed("he");
    CHECK(f.request.body() == "he");
    CHECK(f.reader.body_received() == 2);
    CHECK(f.reader.stage() == Stage::body);
    f.feed("re");
    CHECK(f.reader.stage() == Stage::done);
    CHECK(f.request.body() == "here");
    CHECK(f.reader.keep_alive());
    f.reader.next();
    CHECK(f.reader.stage() == Stage::idle);
    CHECK(f.status == 0);
}

TEST_CASE("requests that come at once are made one by one") {
    ReaderFixture f;
    std::string all;
    for (int i = 0; i < 15; ++i)
        all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    std::string_view rest = all;
    for (int i = 0; i < 15; ++i) {
        if (i == 0)
            rest = f.feed(rest);
        else
            f.parse();
        REQUIRE(f.reader.stage() == Stage::done);
        CHECK(f.request.target() == "/" + std::to_string(i));
        CHECK(f.request.body() == "abc");
        f.reader.next();
    }
    CHECK(rest.empty());
}

TEST_CASE("a body of any size takes little room if it is taken part by part") {
    const std::string text(100000, 'x');
    for (bool chunked : {false, true}) {
        ReaderFixture f;
        f.feed(post + (chunked ? "Transfer-Encoding: chunked\r\n\r\n186a0\r\n" : "Content-Length: 100000\r\n\r\n"));
        REQUIRE(f.reader.stage() == Stage::body);
        std::string wire = text + (chunked ? "\r\n0\r\n\r\n" : ""), body;
        std::string_view rest = wire;
        while (!rest.empty()) {
            f.request.body_buffer().clear();
            rest = f.feed(rest.substr(0, 5000)).empty() ? rest.substr(std::min<std::size_t>(5000, rest.size())) : rest;
            CHECK(f.request.body().size() <= 5000);
            body += f.request.body();
        }
        CHECK(f.reader.stage() == Stage::done);
        CHECK(body == text);
    }
}

TEST_CASE("a body past its limit is refused, when it is announced or when it comes") {
    struct Case {
        std::string bytes;
        int status;
    };
    const std::vector<Case> cases = {
        {post + "Content-Length: 10\r\n\r\n0123456789", 0},
        {post + "Content-Length: 11\r\n\r\n", 413},
        {post + "Content-Length: 18446744073709551615\r\n\r\n", 413},
        {post + "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", 0},
        {post + "Transfer-Encoding: chunked\r\n\r\nb\r\n", 413},
        {post + "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n", 413},
        {post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413},
    };
    for (const Case& c : cases) {
        INFO(c.bytes);
        ReaderFixture f;
        f.feed(c.bytes, 10);
        CHECK(f.status == c.status);
    }
}

TEST_CASE("the body is invited once, if the client waits for that") {
    struct Case {
        std::string fields, behind;
        bool invited;
        std::string version = "1.1";
    };
    const std::vector<Case> cases = {
        {"Content-Length: 2\r\nExpect: 100-continue\r\n", "", true},
        {"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", "", true},
        {"Content-Length: 2\r\n", "", false},
        {"Content-Length: 2\r\nExpect: 100-continue\r\n", "a", false},  // it has not waited
        {"Content-Length: 2\r\nExpect: 100-continue\r\n", "ab", false},
        {"Content-Length: 0\r\nExpect: 100-continue\r\n", "", false},
        {"Content-Length: 2\r\nExpect: 100-continue\r\n", "", false, "1.0"},
    };
    for (const Case& c : cases) {
        INFO(c.fields << c.behind);
        ReaderFixture f;
        f.feed("POST / HTTP/" + c.version + "\r\nHost: h\r\n" + c.fields + "\r\n" + c.behind);
        CHECK(f.status == 0);
        CHECK(f.reader.invite() == c.invited);
        CHECK_FALSE(f.reader.invite());
    }
}

TEST_CASE("a head or a chunk's head without end is refused within the limit") {
    Limits limits;
    limits.header_size = 1000;
    ReaderFixture head(limits), chunk(limits);
    head.feed("GET / HTTP/1.1\r\nX: " + std::string(100000, 'x'));
    CHECK(head.status == 431);
    chunk.feed(post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100000, 'x'));
    CHECK(chunk.status == 400);
}

TEST_CASE("a version is judged when it is whole, however the line is cut") {
    for (std::string version : {"0.9", "1.2", "2.0", "9.9", "1.x", "x.1", "10.0"}) {
        const std::string request = "GET / HTTP/" + version + "\r\nHost: h\r\n\r\n";
        const int status = version.size() == 3 && version.find('x') == version.npos ? 505 : 400;
        for (std::size_t cut = 1; cut < request.size(); ++cut) {
            INFO(version << " cut at " << cut);
            ReaderFixture f;
            f.feed(request.substr(0, cut));
            CHECK((f.status == 0 || f.status == status));
            if (f.status == 0) f.feed(request.substr(cut));
            CHECK(f.status == status);
        }
    }
}

TEST_CASE("what comes behind a request can be taken out") {
    ReaderFixture f;
    f.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\nframes");
    REQUIRE(f.reader.stage() == Stage::done);
    CHECK(f.reader.take_rest() == "frames");
    CHECK(f.request.target() == "/");
    CHECK(f.reader.stage() == Stage::idle);
}

TEST_CASE("an empty chunked body may come in any pieces") {
    // Beast 1.81 ended the process, where asserts are on.
    for (const std::string end : {"0\r\n\r\n", "00\r\n\r\n", "0;a=b\r\nX: y\r\n\r\n"}) {
        ReaderFixture f;
        for (char byte : post + "Transfer-Encoding: chunked\r\n\r\n" + end) f.feed({&byte, 1});
        CHECK(f.reader.stage() == Stage::done);
        CHECK(f.request.body().empty());
    }
}

TEST_CASE("a head is refused before its end has come, if it cannot become a good one") {
    ReaderFixture f;
    std::string junk = GENERATE("\x16\x03\x01", "GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nX: a\r\n b");
    for (char byte : junk)
        if (f.status == 0) f.feed({&byte, 1});
    CHECK(f.status == 400);
}

TEST_CASE("a HEAD is known as one as soon as it can be, however it is cut") {
    ReaderFixture f;
    for (char byte : std::string_view("HEAD ")) {
        CHECK(f.request.method().empty());
        f.feed({&byte, 1});
    }
    CHECK(f.request.method() == "HEAD");
}

TEST_CASE("a head is as large as its limit allows, however it is cut") {
    for (std::size_t step : {1u, 100u, 100000u})
        for (std::size_t size : {1024u, 1025u}) {
            ReaderFixture f;
            f.limits.header_size = 1024;
            std::string bytes = post + "X: ";
            bytes += std::string(size - bytes.size() - 4, 'x') + "\r\n\r\n";
            for (std::string_view rest = bytes; !rest.empty() && f.status == 0;
                 rest.remove_prefix(std::min(step, rest.size())))
                f.feed(rest.substr(0, step));
            CAPTURE(step, size);
            CHECK(f.status == (size == 1024 ? 0 : 431));
        }
}
