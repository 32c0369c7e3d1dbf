#include "bare_app.hpp"
#include "catch.hpp"
#include <kvolt/detail/net/loop.hpp>

#include <memory>
#include <string>

using kvolt::detail::Loop;

TEST_CASE("a peer calls those who wait for it to be drained once, but for those who have let go of that") {
    Loop loop;
    test::FakeConnection connection(loop);
    auto& peer = *connection.peer;
    auto token = std::make_shared<int>();
    std::string called;
    const char whose[] = "abc";
    auto wait = [&](const char* who) { peer.when_drained(who, [&called, token, who] { called += *who; }); };
    for (const char* who : {whose, whose + 1, whose + 2, whose + 1}) wait(who);
    CHECK(token.use_count() == 5);
    peer.let_go(whose + 1);
    CHECK(token.use_count() == 3);
    peer.let_go(&token);
    CHECK(token.use_count() == 3);
    CHECK(called.empty());
    for (int i = 0; i < 2; ++i) {
        peer.tell_drained();
        loop.io().poll();
        CHECK(called == "ac");
        CHECK(token.use_count() == 1);
    }
}
