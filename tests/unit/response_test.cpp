#include "catch.hpp"
#include <kvolt/response.hpp>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Response;
using namespace std::string_literals;

namespace {

constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string written(const Response& response, const Response::Framing& framing = {date}) {
    std::string out;
    response.append_to(out, framing);
    return out;
}

bool has_line(const std::string& head, const std::string& line) {
    return head.find("\r\n" + line + "\r\n") != head.npos;
}

}  // namespace

TEST_CASE("a response as RFC 9112 writes it") {
    Response response;
    response.body("hi", "text/plain");
    CHECK(written(response) ==
          "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: "
          "2\r\n\r\nhi");
}

TEST_CASE("a response is appended behind what is there") {
    Response response;
    std::string out = "before";
    response.append_to(out, {date});
    CHECK(out.starts_with("beforeHTTP/1.1 200 OK\r\n"));
}

TEST_CASE("an empty answer has a length and no type") {
    std::string out = written(Response());
    CHECK(has_line(out, "Content-Length: 0"));
    CHECK(out.find("Content-Type") == out.npos);
    CHECK(out.ends_with("\r\n\r\n"));
}

TEST_CASE("the statuses that have no body") {
    Response response;
    response.body("must not be seen", "text/plain");
    for (int status : {204, 304}) {
        response.status(status);
        std::string out = written(response);
        CAPTURE(out);
        CHECK(out.find("Content-Length") == out.npos);
        CHECK(out.ends_with("\r\n\r\n"));
    }
}

TEST_CASE("the answer to HEAD has the length of the body, without the body") {
    Response response;
    response.body("0123456789", "text/plain");
    std::string out = written(response, {date, true, false, true});
    CHECK(has_line(out, "Content-Length: 10"));
    CHECK(out.ends_with("\r\n\r\n"));
}

TEST_CASE("what the connection does next is said where it must be") {
    Response response;
    CHECK(written(response).find("Connection") == std::string::npos);
    CHECK(has_line(written(response, {date, false}), "Connection: close"));
    CHECK(has_line(written(response, {date, false, true}), "Connection: close"));
    CHECK(has_line(written(response, {date, true, true}), "Connection: keep-alive"));
    response.header("Upgrade", "websocket");
    CHECK(has_line(written(response), "Connection: upgrade"));
    CHECK(has_line(written(response, {date, false}), "Connection: upgrade, close"));
}

TEST_CASE("a status line for every final status") {
    Response response;
    for (int status = 200; status <= 599; ++status) {
        response.status(status);
        std::string out = written(response);
        CHECK(out.starts_with("HTTP/1.1 " + std::to_string(status) + ' '));
    }
    response.status(299);
    CHECK(written(response).starts_with("HTTP/1.1 299 \r\n"));
    response.status(404);
    CHECK(written(response).starts_with("HTTP/1.1 404 Not Found\r\n"));
    for (int status : {-1, 0, 99, 100, 101, 199, 600, 1000})
        CHECK_THROWS_AS(response.status(status), std::invalid_argument);
    CHECK(response.status() == 404);
}

TEST_CASE("header replaces, add_header adds, whatever the case") {
    Response response;
    response.header("X-A", "1");
    response.add_header("x-a", "2");
    response.add_header("Set-Cookie", "a=1");
    response.add_header("Set-Cookie", "b=2");
    CHECK(response.header("X-A") == "1");
    response.header("X-a", "3");
    std::string out = written(response);
    CHECK(has_line(out, "X-a: 3"));
    CHECK(out.find("X-A: 1") == out.npos);
    CHECK(out.find("x-a: 2") == out.npos);
    CHECK(out.find("Set-Cookie: a=1\r\nSet-Cookie: b=2") != out.npos);
    CHECK(response.header("Absent").empty());
}

TEST_CASE("a field's value may be a view of the value that it replaces") {
    Response response;
    response.header("X", "a value that is too long to be stored within a std::string");
    response.header("X", response.header("X"));
    CHECK(response.header("X") == "a value that is too long to be stored within a std::string");
}

TEST_CASE("a Content-Type that was set wins over that of the body") {
    Response response;
    response.header("content-type", "text/csv");
    response.body("a,b", "text/plain");
    std::string out = written(response);
    CHECK(has_line(out, "content-type: text/csv"));
    CHECK(out.find("text/plain") == out.npos);
}

TEST_CASE("nothing that would split the response gets into a header") {
    Response response;
    for (const std::string& value : {"a\r\nSet-Cookie: b"s, "a\n"s, "\r"s, "a\0b"s, "a\x01"s, "\x1B[2K"s, "\x7F"s}) {
        CHECK_THROWS_AS(response.header("X", value), std::invalid_argument);
        CHECK_THROWS_AS(response.add_header("X", value), std::invalid_argument);
    }
    for (const std::string& name : {""s, "a b"s, "a:"s, "a\r\nb"s, "\xC3\xA9"s, "a\0"s, "(a)"s, "a\t"s}) {
        CHECK_THROWS_AS(response.header(name, "x"), std::invalid_argument);
        CHECK_THROWS_AS(response.add_header(name, "x"), std::invalid_argument);
    }
    CHECK(response.header("X").empty());
    CHECK_NOTHROW(response.header("!#$%&'*+-.^_`|~09AZaz", "any \t byte \x80\xFF but those"));
}

TEST_CASE("the server's own fields cannot be set") {
    Response response;
    for (std::string_view name : {"Content-Length", "content-length", "Transfer-Encoding", "CONNECTION", "Date"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(response.header(name, "x"), std::invalid_argument);
        CHECK_THROWS_AS(response.add_header(name, "x"), std::invalid_argument);
    }
}

TEST_CASE("what belongs to an answer goes with it, what was said stays") {
    Response response;
    response.status(203);
    response.header("X", "1");
    response.header("ETag", "\"said\"");
    response.answer({206, {{"ETag", "\"own\""}, {"Content-Range", "bytes 0-1/2"}}, {}, "text/css", nullptr});
    CHECK(response.status() == 206);
    CHECK(response.said_status() == 203);
    CHECK(response.header("ETag") == "\"own\"");
    CHECK_FALSE(response.has_set("ETag"));
    CHECK(response.has_set("x"));
    response.header("Content-Range", "bytes 0-1/9");
    response.body("text", "text/plain");
    CHECK(response.status() == 203);
    CHECK(response.header("ETag").empty());
    CHECK(response.header("Content-Range") == "bytes 0-1/9");
    CHECK(response.header("X") == "1");
    CHECK(written(response).find("text/css") == std::string::npos);
}

TEST_CASE("an answer that cannot be given changes nothing") {
    Response response;
    response.answer({301, {{"Location", "/a"}}, {}, {}, nullptr});
    std::string before = written(response);
    CHECK_THROWS_AS(response.answer({302, {{"Location", "/b\r\n"}}, {}, {}, nullptr}), std::invalid_argument);
    CHECK_THROWS_AS(response.answer({302, {{"Date", "now"}}, {}, {}, nullptr}), std::invalid_argument);
    CHECK_THROWS_AS(response.answer({100, {}, {}, {}, nullptr}), std::invalid_argument);
    CHECK_THROWS_AS(response.answer({0, {}, {}, "a\nb", nullptr}), std::invalid_argument);
    CHECK_THROWS_AS(response.body("x", "a\nb"), std::invalid_argument);
    CHECK(written(response) == before);
}

TEST_CASE("another answer may wait for another status") {
    for (int status : {206, 404}) {
        Response response;
        auto otherwise = std::make_shared<Response::Answer>();
        otherwise->fields = {{"X", "otherwise"}};
        response.answer({206, {{"X", "first"}}, {}, {}, otherwise});
        response.status(status);
        CHECK(response.status() == status);
        CHECK(response.header("X") == (status == 206 ? "first" : "otherwise"));
        response.status(500);
        CHECK(response.header("X") == "otherwise");
    }
}

TEST_CASE("a body may be sent in another coding, which goes with it") {
    struct Nothing final : kvolt::BodyEncoder {
        void encode(std::string&, std::string_view) override {}
        void finish(std::string&) override {}
    };
    bool clear = GENERATE(true, false);
    for (bool stream : {false, true}) {
        Response response;
        response.header("ETag", "\"1\"");
        response.answer({0, {{"Accept-Ranges", "bytes"}}, {}, "text/css", nullptr});
        if (stream)
            response.encode(std::make_shared<Nothing>(), "gzip");
        else
            response.encode("smaller", "gzip");
        CHECK(response.header("Content-Encoding") == "gzip");
        CHECK(response.header("ETag") == "W/\"1\"");
        CHECK(response.header("Accept-Ranges").empty());
        CHECK(response.content_type() == "text/css");
        CHECK(response.body() == (stream ? "" : "smaller"));
        CHECK((response.encoder() != nullptr) == stream);
        response.header("Content-Encoding", "own");
        if (clear)
            response.clear();
        else
            response.body("another", "text/plain");
        CHECK(response.encoder() == nullptr);
    }
}

TEST_CASE("a response that is used again has nothing left of the last one") {
    Response response;
    response.status(404);
    response.header("X", "1");
    response.body("gone", "text/plain");
    response.answer({206, {{"ETag", "\"1\""}}, {}, {}, std::make_shared<Response::Answer>()});
    response.clear();
    CHECK(written(response) == written(Response()));
    response.status(200);
    CHECK(written(response) == written(Response()));
}

TEST_CASE("a body in files is counted, and handed out to be sent behind the head") {
    constexpr std::uint64_t huge = std::uint64_t(5) << 32;
    std::vector<kvolt::detail::FilePart> parts;
    parts.push_back({"head", std::make_shared<kvolt::detail::File>(), 7, huge});
    parts.push_back({"tail", nullptr, 0, 0});
    Response response;
    response.body("forgotten", "text/plain");
    response.answer({0, {}, parts, "text/css", nullptr});
    CHECK(response.body().empty());
    CHECK(response.body_size() == huge + 8);

    std::string out = written(response, {date, true, false, true});
    CHECK(has_line(out, "Content-Length: " + std::to_string(huge + 8)));
    CHECK(response.take_parts(true).empty());
    out = written(response);
    CHECK(has_line(out, "Content-Length: " + std::to_string(huge + 8)));
    CHECK(has_line(out, "Content-Type: text/css"));
    CHECK(out.ends_with("\r\n\r\n"));
    CHECK(response.take_parts(false).size() == 2);
    CHECK(response.take_parts(false).empty());

    response.answer({0, {}, parts, "text/css", nullptr});
    response.status(304);
    CHECK(response.take_parts(false).empty());
    response.clear_body();
    response.status(200);
    CHECK(response.body_size() == 0);
    CHECK(response.take_parts(false).empty());
    response.answer({0, {}, parts, "text/css", nullptr});
    response.body("an error", "text/plain");
    CHECK(response.body_size() == 8);
    CHECK(response.take_parts(false).empty());
}
