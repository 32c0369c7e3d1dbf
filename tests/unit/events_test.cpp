#include "catch.hpp"
#include <kvolt/events.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using kvolt::Event;

TEST_CASE("an event as EventSource takes it") {
    struct Case {
        Event event;
        std::string text;
    };
    const std::vector<Case> cases = {
        {Event(), "data: \n\n"},
        {Event("hello"), "data: hello\n\n"},
        {Event("23 \xC2\xB0"
               "C")
             .name("temperature")
             .id("7"),
         "event: temperature\nid: 7\ndata: 23 \xC2\xB0"
         "C\n\n"},
        {Event("one\ntwo\r\nthree\rfour"), "data: one\ndata: two\ndata: three\ndata: four\n\n"},
        {Event("\n"), "data: \ndata: \n\n"},
        {Event(" spaces kept: yes"), "data:  spaces kept: yes\n\n"},
        {Event("x").id(""), "id: \ndata: x\n\n"},
        {Event("x").retry(std::chrono::seconds(3)), "retry: 3000\ndata: x\n\n"},
        {Event("x").retry(std::chrono::milliseconds(0)), "retry: 0\ndata: x\n\n"},
    };
    for (const Case& c : cases) CHECK(c.event.text() == c.text);
}

TEST_CASE("a name or an id cannot smuggle in another field") {
    for (std::string value :
         {std::string("a\nb"), std::string("a\rb"), std::string("a\r\ndata: b"), std::string("a\0b", 3)}) {
        CHECK_THROWS_AS(Event("x").name(value), std::invalid_argument);
        CHECK_THROWS_AS(Event("x").id(value), std::invalid_argument);
    }
}
