#include "catch.hpp"
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/protocol.hpp>
#include <kvolt/detail/net/wire.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <chrono>
#include <memory>
#include <new>
#include <utility>

using kvolt::detail::Loop;
using kvolt::detail::Protocol;
using kvolt::detail::Wire;

namespace {

struct NoMemory final : Protocol {
    void on_backlog() override {}
    void on_drained() override {}
    void on_lost() override {}
    void on_late() override {}
    void on_overload() override { throw std::bad_alloc(); }
    void on_shut_down() override { throw std::bad_alloc(); }
};

struct Quiet final : Protocol {
    void on_backlog() override {}
    void on_drained() override {}
    void on_lost() override {}
    void on_late() override {}
    void on_overload() override {}
    void on_shut_down() override {}
};

}  // namespace

TEST_CASE(
    "a wire whose protocol has no memory to make way, or to shut down, is closed, and nobody else answers for it") {
    const bool overload = GENERATE(true, false);
    Loop loop;
    NoMemory protocol;
    auto wire =
        std::make_shared<Wire<boost::asio::ip::tcp::socket>>(loop, boost::asio::ip::tcp::socket(loop.io()), protocol);
    wire->owner(wire);
    CHECK_NOTHROW(overload ? wire->shed() : wire->shut_down());
    CHECK(wire->closed());
}

TEST_CASE("a wire that finishes leaves its peer the time for that, whatever it was woken for before") {
    Loop loop;
    Loop::OnThisThread scope(loop);
    Quiet protocol;
    boost::asio::local::stream_protocol::socket peer(loop.io());
    boost::asio::local::stream_protocol::socket socket(loop.io());
    boost::asio::local::connect_pair(socket, peer);
    auto wire = std::make_shared<Wire<boost::asio::local::stream_protocol::socket>>(loop, std::move(socket), protocol);
    wire->owner(wire);
    wire->arm(std::chrono::milliseconds(1));
    loop.wake(*wire);
    wire->finish(std::chrono::hours(1));
    loop.io().poll();
    CHECK_FALSE(wire->closed());
    peer.close();
    loop.io().restart();
    loop.io().poll();
    CHECK(wire->closed());
}
