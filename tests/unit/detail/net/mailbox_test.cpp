#include "catch.hpp"
#include <kvolt/detail/net/mailbox.hpp>

#include <memory>
#include <string>
#include <thread>

using kvolt::detail::Mailbox;

TEST_CASE("what is posted runs on the loop, later and in order") {
    boost::asio::io_context io;
    Mailbox mailbox(io);
    std::string ran;
    CHECK(mailbox.post([&] { ran += 'a'; }));
    CHECK(mailbox.post([&] { ran += 'b'; }));
    CHECK(ran.empty());
    io.run();
    CHECK(ran == "ab");
}

TEST_CASE("once the loop is gone nothing is taken, and nothing is kept") {
    auto mailbox = [] {
        boost::asio::io_context io;
        auto box = std::make_shared<Mailbox>(io);
        box->close();
        return box;
    }();
    auto held = std::make_shared<int>(1);
    CHECK_FALSE(mailbox->post([held] { FAIL("it ran"); }));
    CHECK(held.use_count() == 1);
    mailbox->close();
}

TEST_CASE("a mailbox may be closed while others post") {
    boost::asio::io_context io;
    Mailbox mailbox(io);
    int taken = 0, ran = 0;
    std::thread poster([&] {
        while (mailbox.post([&] { ++ran; })) ++taken;
    });
    std::this_thread::yield();
    CHECK_FALSE(mailbox.closed());
    mailbox.close();
    CHECK(mailbox.closed());
    poster.join();
    io.run();
    CHECK(ran == taken);
}
