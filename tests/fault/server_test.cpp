#include "catch.hpp"
#include "memory.hpp"
#include "server/client.hpp"
#include "server/eventually.hpp"
#include "server/websocket_server.hpp"
#include <kvolt/hub.hpp>

#include <boost/asio/post.hpp>

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using test::Client;
using test::Memory;

namespace {

// A server on sockets with a hub over two loops, of which each runs out of memory when told to.
struct FailingServer : test::Server {
    FailingServer() : Server({}, 2), hub(app, kvolt::HubOptions().history(3)) {
        app.logger([](std::string_view) {});
        app.get("/hello", [](kvolt::Context& c) { c.text("hello, whoever you are"); });
        app.get("/hub", [this](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, {}, "lobby");
            socket.send("joined");
            while (auto message = co_await socket.read()) hub.broadcast(*message, "lobby");
        });
        start();
    }

    /// Run `function` on each loop, and wait until that has been.
    template <class Function>
    void on_loops(Function function) {
        for (const auto& loop : *app.loops()) {
            std::promise<void> done;
            boost::asio::post(loop->io(), [&] {
                function();
                done.set_value();
            });
            done.get_future().wait();
        }
    }

    Client join() {
        Client client = connect("/hub");
        while (test::read_text(client) != "joined") {
        }
        return client;
    }

    kvolt::Hub<> hub;
};

// False if the server has closed instead; what hangs throws.
template <class Function>
bool unless_closed(Function function) {
    try {
        function();
        return true;
    } catch (const std::system_error&) {
        throw;
    } catch (const std::runtime_error&) {
        return false;
    }
}

void visit(FailingServer& server) {
    unless_closed([&] {
        Client client = server.client();
        client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        auto response = client.read_response();
        bool right = response.status == 200 ? response.body == "hello, whoever you are" : response.status == 500;
        CHECK(right);
    });
    unless_closed([&] {
        Client client = server.join();
        client.send(test::frame(test::text, "a message for the whole lobby"));
        client.send(test::frame(test::close, test::close_payload(1000)));
        while (client.read_frame().opcode != test::close) {  // its own message is dropped for all, or for nobody
        }
        client.read_to_end();
    });
}

}  // namespace

TEST_CASE("a server whose loops run out of memory goes on, and nobody sees a gap") {
    FailingServer server;
    std::vector<std::optional<Client>> friends(2);  // one on each loop
    for (bool lasting : {false, true})
        for (std::uint64_t n = 1;; ++n) {
            INFO("allocation " << n << (lasting ? " and all that follow" : ""));
            for (auto& each : friends)
                if (!each) each.emplace(server.join());
            server.hub.broadcast("first", "lobby");
            server.on_loops([&] {
                Memory::fail(n, lasting);
                Memory::arm(true);
            });
            visit(server);
            std::size_t failed = 0;
            server.on_loops([&] {
                Memory::arm(false);
                failed += Memory::failed();
            });
            server.hub.broadcast("last", "lobby");
            std::vector<std::vector<std::string>> got;
            for (auto& each : friends) {
                std::vector<std::string> texts;
                bool open = unless_closed([&] {
                    std::string text;
                    bool begun = false;
                    do {
                        text = test::read_text(*each);
                        begun = begun || text == "first";
                        if (begun) texts.push_back(text);
                    } while (text != "last");
                });
                if (open)
                    got.push_back(std::move(texts));
                else
                    each.reset();
            }
            if (got.size() == 2) CHECK(got[0] == got[1]);
            CHECK(test::eventually([&] { return server.hub.size("lobby") == got.size(); }));
            Client client = server.client();
            client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
            CHECK(client.read_response().body == "hello, whoever you are");
            if (failed == 0) break;
            REQUIRE(n < 2000);
        }
}
