#include "catch.hpp"
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/protocol.hpp>
#include <kvolt/detail/net/wire.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <new>

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
