// Who has much to do takes turns with the others on its loop.

#include "catch.hpp"
#include "client.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace {

using kvolt::Context;
using kvolt::Task;
using test::Client;
using namespace std::chrono_literals;

constexpr auto work = 500us;  // each request's, or message's
constexpr int many = 200;     // of them at once, by each of those who flood
constexpr int floods = 20;

struct Busy : test::Server {
    Busy() {
        app.get("/", [this](Context& c) {
            toil();
            c.text("done");
        });
        app.get("/later", [this](Context& c) -> Task<> {
            toil();
            c.text("done");
            co_return;
        });
        app.get("/ws", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) {
                toil();
                socket.send(*message);
            }
        });
        app.get("/calm", [this](Context& c) { c.text(std::to_string(done)); });
        start();
    }

    void toil() {
        ++done;
        auto end = std::chrono::steady_clock::now() + work;
        while (std::chrono::steady_clock::now() < end) {
        }
    }

    std::atomic<int> done{0};
};

std::string repeated(const std::string& text) {
    std::string all;
    for (int i = 0; i < many; ++i) all += text;
    return all;
}

}  // namespace

TEST_CASE("fairness: floods of requests and messages, from however many, delay others by a few turns only") {
    Busy t;
    std::string bytes;
    std::vector<Client> flooding;
    SECTION("requests") {
        bytes = repeated("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        for (int i = 0; i < floods; ++i) flooding.push_back(t.client());
    }
    SECTION("requests for a coroutine") {
        bytes = repeated("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
        for (int i = 0; i < floods; ++i) flooding.push_back(t.client());
    }
    SECTION("messages") {
        bytes = repeated(test::frame(test::text, "hello"));
        for (int i = 0; i < floods; ++i) flooding.push_back(t.connect());
    }
    Client calm = t.client();
    calm.get("/calm");
    for (Client& client : flooding) client.send(bytes);
    while (t.done < 10 * floods) std::this_thread::yield();  // all have had a turn
    for (int i = 0; i < 5; ++i) {
        int before = t.done, then = std::stoi(calm.get("/calm").body);
        CHECK(then - before < floods * many / 20);
    }
    CHECK(t.done < floods * many);
}
