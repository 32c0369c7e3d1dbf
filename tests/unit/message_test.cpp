#include "catch.hpp"
#include <kvolt/message.hpp>

#include <string>
#include <string_view>
#include <type_traits>

using kvolt::Message;
using kvolt::MessageView;
using namespace std::string_literals;

namespace {

std::string kind(MessageView message) { return (message.binary ? "binary:" : "text:") + std::string(message.payload); }

}  // namespace

TEST_CASE("strings are text messages, bytes() makes binary ones, a received message keeps its kind") {
    std::string string = "string";
    std::string_view view = "view";
    const char* pointer = "pointer";
    Message text{"text", false}, binary{"binary", true};
    CHECK(kind("literal") == "text:literal");
    CHECK(kind(pointer) == "text:pointer");
    CHECK(kind(string) == "text:string");
    CHECK(kind(view) == "text:view");
    CHECK(kind(text) == "text:text");
    CHECK(kind(binary) == "binary:binary");
    CHECK(kind(MessageView::bytes("bytes")) == "binary:bytes");
    CHECK(kind("") == "text:");
}

TEST_CASE("a view of a string with zeroes has all of it") {
    CHECK(MessageView("a\0b"s).payload.size() == 3);
    CHECK(MessageView::bytes(std::string_view("\0\0", 2)).payload.size() == 2);
}

TEST_CASE("a view refers, it does not copy") {
    std::string string = "before";
    MessageView view(string);
    string[0] = 'B';
    CHECK(view.payload == "Before");
}

TEST_CASE("text is valid if it is UTF-8, and binary messages always are") {
    CHECK(MessageView("caf\xC3\xA9").is_valid());
    CHECK_FALSE(MessageView("caf\xE9").is_valid());
    CHECK_FALSE(MessageView("caf\xC3").is_valid());
    CHECK(MessageView::bytes("caf\xE9").is_valid());
    CHECK(MessageView("").is_valid());
}

TEST_CASE("a number is no message") { STATIC_REQUIRE_FALSE(std::is_convertible_v<int, MessageView>); }
