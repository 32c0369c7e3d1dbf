#include "catch.hpp"
#include "client_of.hpp"
#include "server/client.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>

using kvolt::Context;
using kvolt::Task;

TEST_CASE("upgrade: on a connection that was lost meanwhile it gives a socket whose read() ends at once") {
    kvolt::App app;
    bool ended = false;
    boost::asio::steady_timer gate(app.executor(), boost::asio::steady_timer::time_point::max());
    int code = 0;
    app.get("/page", [](Context& c) { c.text(std::string(100000, 'x')); });
    app.get("/ws", [&](Context& c) -> Task<> {
        c.ignore_disconnect();
        co_await gate.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        auto socket = co_await c.upgrade();
        ended = !co_await socket.read();
        code = socket.close_code();
    });
    auto client = test::client_of(app);
    client.socket_buffer(1000);
    auto connection = client.connect();
    connection.send("GET /page HTTP/1.1\r\nHost: h\r\n\r\n" + test::handshake_request("/ws"));
    CHECK(connection.read(1000).starts_with("HTTP/1.1 200 OK\r\n"));
    connection.reset();
    client.settle();
    gate.cancel();
    client.settle();
    CHECK(ended);
    CHECK(code == 1006);
}
