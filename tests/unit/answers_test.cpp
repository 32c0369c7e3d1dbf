// Whatever a handler has answered before: what it says last counts, as a whole.

#include "catch.hpp"
#include "folder.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/files.hpp>

#include <sys/stat.h>

#include <fcntl.h>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Context;
using kvolt::HttpError;
using test::Fixture;

namespace {

struct AnswerFiles : test::Folder {
    AnswerFiles() {
        for (std::string name : {"page.html", "table.csv"}) {
            timespec times[2] = {{784111777, 0}, {784111777, 0}};
            REQUIRE(::utimensat(AT_FDCWD, write(name, name + " 0123456789").c_str(), times, 0) == 0);
        }
    }
};

struct NamedAnswer {
    std::string name;
    std::function<void(Context&)> give;
};

std::vector<NamedAnswer> answers_with(const AnswerFiles& files) {
    auto attempt = [](auto answer) {
        return [answer](Context& c) {
            try {
                answer(c);
            } catch (const std::exception&) {
            }
        };
    };
    std::string page = files.path("page.html"), table = files.path("table.csv"), absent = files.path("absent");
    return {
        {"text", [](Context& c) { c.text("text"); }},
        {"html", [](Context& c) { c.html("html"); }},
        {"json", [](Context& c) { c.json("{}"); }},
        {"empty", [](Context& c) { c.text(""); }},
        {"blob", [](Context& c) { c.blob("blob", "image/png"); }},
        {"file", [page](Context& c) { c.file(page); }},
        {"another file", [table](Context& c) { c.file(table); }},
        {"attachment", [table](Context& c) { c.attachment(table); }},
        {"redirect", [](Context& c) { c.redirect("/there", 301); }},
        {"no file, then text",
         [absent, attempt](Context& c) { attempt([&](Context& of) { of.file(absent); })(c), c.text("sorry"); }},
        {"no attachment, then text",
         [absent, attempt](Context& c) { attempt([&](Context& of) { of.attachment(absent); })(c), c.text("sorry"); }},
        {"no redirect, then text",
         [attempt](Context& c) { attempt([](Context& of) { of.redirect("/a\r\nb"); })(c), c.text("sorry"); }},
        {"stream", [](Context& c) { c.stream("text/csv"); }},
        {"events", [](Context& c) { c.events(); }},
        {"error", [](Context&) { throw HttpError(404, "no such user").header("Retry-After", "1"); }},
        {"fault", [](Context&) { throw std::runtime_error("db"); }},
    };
}

/// What is sent in answer to a request with this field.
std::string answered_with(std::string_view condition, const std::function<void(Context&)>& handler) {
    Fixture f;
    std::string value(condition.substr(condition.find(' ') + 1));
    if (!condition.empty()) f.request.add_field(condition.substr(0, condition.find(':')), value);
    f.serve([&](Context& c) { c.header("X-Kept", "1").header("Set-Cookie", "a=1"); }, handler);
    std::string out;
    bool streamed = f.context().streamed();
    f.response.append_to(out, {"date", true, false, false, streamed});
    for (const auto& part : f.response.take_parts(false))
        out += part.text + '<' + std::to_string(part.offset) + '+' + std::to_string(part.size) + '>';
    return out;
}

}  // namespace

TEST_CASE("every answer takes the place of every other one, and leaves nothing of it") {
    AnswerFiles files;
    std::string tag;
    {
        Fixture f;
        f.serve([&](Context& c) { c.file(files.path("page.html")); });
        tag = f.response.header("ETag");
        REQUIRE_FALSE(tag.empty());
    }
    for (const std::string& condition : {std::string(), "If-None-Match: " + tag, std::string("Range: bytes=2-3")}) {
        auto all = answers_with(files);
        for (const NamedAnswer& first : all)
            for (const NamedAnswer& second : all) {
                if (first.name == "stream" || first.name == "events") continue;  // which cannot be taken back
                if (first.name == "error" || first.name == "fault") continue;    // and these are the end
                INFO(condition << ": " << first.name << ", then " << second.name);
                CHECK(answered_with(condition, [&](Context& c) { first.give(c), second.give(c); }) ==
                      answered_with(condition, second.give));
            }
    }
    // It is no wonder that they are equal if nothing is said at all.
    CHECK(answered_with("If-None-Match: " + tag, [&](Context& c) {
              c.file(files.path("page.html"));
          }).starts_with("HTTP/1.1 304 "));
    CHECK(answered_with("Range: bytes=2-3", [&](Context& c) {
              c.attachment(files.path("table.csv"));
          }).ends_with("<2+2>"));
}

TEST_CASE("a status counts in whatever order it is said, and a file is whole then") {
    AnswerFiles files;
    std::string page = files.path("page.html"), tag;
    {
        Fixture f;
        f.serve([&](Context& c) { c.file(page); });
        tag = f.response.header("ETag");
    }
    for (const std::string& condition :
         {std::string(), "If-None-Match: " + tag, std::string("Range: bytes=2-3"), std::string("Range: bytes=0-0,8-8")})
        for (const NamedAnswer& answer : answers_with(files)) {
            if (answer.name == "error" || answer.name == "fault") continue;
            if (answer.name == "redirect" || answer.name == "stream" || answer.name == "events") continue;
            INFO(condition << ": " << answer.name);
            std::string before = answered_with(condition, [&](Context& c) { c.status(404), answer.give(c); });
            CHECK(answered_with(condition, [&](Context& c) { answer.give(c), c.status(404); }) == before);
            CHECK(before.starts_with("HTTP/1.1 404 Not Found\r\n"));
            CHECK(before.find("ETag") == before.npos);
            CHECK(before.find("Content-Range") == before.npos);
            CHECK(before.find("multipart") == before.npos);
        }
    std::string whole = answered_with("Range: bytes=2-3", [&](Context& c) { c.file(page), c.status(200); });
    CHECK(whole.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(whole.ends_with("<0+20>"));
    std::string moved = answered_with("", [](Context& c) { c.redirect("/there"), c.status(201); });
    CHECK(moved.starts_with("HTTP/1.1 201 Created\r\n"));
    CHECK(moved.find("\r\nLocation: /there\r\n") != moved.npos);
    // The status stays when the answer is another one.
    CHECK(answered_with("", [](Context& c) {
              c.status(202), c.redirect("/there"), c.text("no");
          }).starts_with("HTTP/1.1 202 Accepted\r\n"));
}

TEST_CASE("what a handler says in the header wins over what a file says of itself, and stays") {
    AnswerFiles files;
    for (bool before : {true, false}) {
        std::string out = answered_with("", [&](Context& c) {
            if (before) c.header("X-Content-Type-Options", "other").header("Content-Type", "text/plain");
            c.file(files.path("page.html"));
            if (!before) c.header("X-Content-Type-Options", "other").header("Content-Type", "text/plain");
        });
        INFO(out);
        CHECK(out.find("\r\nX-Content-Type-Options: other\r\n") != out.npos);
        CHECK(out.find("nosniff") == out.npos);
        CHECK(out.find("\r\nContent-Type: text/plain\r\n") != out.npos);
        CHECK(out.find("html") == out.npos);
    }
    std::string own = answered_with("", [&](Context& c) {
        c.file(files.path("page.html"));
        c.header("ETag", "\"mine\"");
        c.text("text");
    });
    CHECK(own.find("\r\nETag: \"mine\"\r\n") != own.npos);
    std::string events = answered_with("", [](Context& c) { c.header("Cache-Control", "no-store"), c.events(); });
    CHECK(events.find("\r\nCache-Control: no-store\r\n") != events.npos);
    CHECK(events.find("no-cache") == events.npos);
}

TEST_CASE("cookies add up, and other fields where that is asked for") {
    std::string out = answered_with("", [](Context& c) {
        c.header("Set-Cookie", "b=2").header("set-cookie", "c=3").header("Link", "</a>").add_header("Link", "</b>");
        c.text("text");
    });
    for (std::string line : {"Set-Cookie: a=1", "Set-Cookie: b=2", "set-cookie: c=3", "Link: </a>", "Link: </b>"})
        CHECK(out.find("\r\n" + line + "\r\n") != out.npos);
}

TEST_CASE("a stream begins once") {
    Fixture f;
    CHECK(f.serve([](Context& c) { c.stream(), c.events(); }) ==
          "kvolt: stream() or events() of a request that was streamed or upgraded already");
    CHECK(f.response.status() == 500);
    CHECK(f.response.header("X-Accel-Buffering").empty());
}
