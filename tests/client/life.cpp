// A server for life_test.py, which ends it in every way: life WHERE HOW THREADS
//
// WHERE the app is: local, static, heap. HOW it runs: run, start. Prints its port, and then does what it is told, by
// its clients and by the lines of its input. What it uses meanwhile says so if it is used after its end.

#include <kvolt.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <memory>
#include <pthread.h>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using kvolt::Context;
using kvolt::Task;

namespace {

// What programs keep in static objects. It still has its bytes when it is destroyed, so that it can tell.
class Ledger {
public:
    ~Ledger() { gone_ = true; }

    void use() {
        if (!gone_) return;
        std::cerr << "a static object is used behind its end" << std::endl;
        std::_Exit(66);
    }

private:
    std::atomic<bool> gone_ = false;
};

Ledger older;

// Made by a handler that uses it. Where main() or a handler calls exit(), this makes no difference.
Ledger& newer() {
    static Ledger ledger;
    return ledger;
}

struct World {
    World() {
        kvolt::Limits limits;
        limits.drain_timeout = std::chrono::milliseconds(300);
        app.limits(limits);
        app.get("/", [](Context& c) { c.text("hello"); });
        app.get("/spin", [this](Context& c) -> Task<> {  // for ever
            for (;;) {
                older.use();
                if (c.query("newer") == "1") newer().use();
                hub.broadcast("hi");
                boost::asio::steady_timer timer(c.executor(), std::chrono::microseconds(100));
                co_await timer.async_wait(boost::asio::use_awaitable);
            }
        });
        app.get("/socket", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket);
            while (auto message = co_await socket.read())
                if (message->payload == "exit") std::exit(7);
        });
        hub.on_join([](const auto& presence) {
            if (presence.room == "exit") std::exit(7);
        });
        app.get("/hook", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, {}, "exit");
            co_await socket.read();
        });
        app.get("/exit", [](Context&) { std::exit(7); });
        app.get("/exit-later", [](Context& c) -> Task<> {
            boost::asio::steady_timer timer(c.executor(), std::chrono::milliseconds(10));
            co_await timer.async_wait(boost::asio::use_awaitable);
            std::exit(7);
        });
        app.get("/fork", [](Context& c) {  // a child that does not exec leaves its parent alone
            pid_t child = ::fork();
            if (child == 0) std::exit(0);
            c.text(std::to_string(child));
        });
        app.get("/system", [](Context& c) {
            c.text(std::to_string(std::system("sleep 60 >/dev/null 2>&1 & echo $! >life.pid")));
        });
        app.get("/stop", [this](Context& c) {
            app.stop();
            c.text("stopping");
        });
        app.get("/destroy", [this](Context& c) {
            c.text("destroyed");
            destroy();
        });
        app.get("/destroy-later", [this](Context& c) -> Task<> {
            co_await boost::asio::steady_timer(c.executor(), std::chrono::milliseconds(10))
                .async_wait(boost::asio::use_awaitable);
            c.text("destroyed");
            destroy();
        });
    }

    kvolt::App app;
    kvolt::Hub<> hub{app};
    void (*destroy)() = [] {};
};

World* on_heap = nullptr;

World& make_static() {
    static World world;
    return world;
}

// What a line of the input says.
void obey(const std::string& line) {
    if (line.starts_with("exit ")) std::exit(std::stoi(line.substr(5)));
    if (line.starts_with("exit-in-thread ")) {
        std::thread([&] { std::exit(std::stoi(line.substr(15))); }).join();
    }
    if (line == "end-thread") ::pthread_exit(nullptr);
    if (line == "descriptors") {  // that a program would inherit
        std::string inherited;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            int number = std::stoi(entry.path().filename());
            int flags = ::fcntl(number, F_GETFD);
            if (number > 2 && flags >= 0 && (flags & FD_CLOEXEC) == 0) inherited += ' ' + std::to_string(number);
        }
        std::cout << "inherited:" << inherited << std::endl;
    }
}

int serve(World& world, bool runs) {
    auto tell = [&] { std::cout << world.app.port() << std::endl; };
    if (runs) {
        world.app.run("127.0.0.1:0", [&](auto) { tell(); });
        return 5;
    }
    world.app.start("127.0.0.1:0");
    tell();
    for (std::string line; std::getline(std::cin, line) && line != "return";) obey(line);
    return 5;
}

// Start with what there is, then with less.
int start_poor(std::size_t threads, bool runs) {
    kvolt::App app;
    app.get("/", [](Context& c) { c.text("hello"); });
    app.threads(threads);
    for (int i = 0; i < 3; ++i) try {
            runs ? app.run("127.0.0.1:0") : app.start("127.0.0.1:0");
            std::cout << "started" << std::endl;
            return 1;
        } catch (const std::exception& error) {
            std::cout << error.what() << ", port " << app.port() << std::endl;
        }
    app.threads(1);
    app.use([](Context& c) { c.header("X-Late", "yes"); });
    if (runs)
        app.run("127.0.0.1:0", [&](auto) { std::cout << app.port() << std::endl; });
    else
        app.start("127.0.0.1:0");
    std::cout << app.port() << std::endl;
    std::string line;
    std::getline(std::cin, line);
    return 5;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    std::string where = argv[1];
    bool runs = std::string_view(argv[2]) == "run";
    std::size_t threads = std::stoul(argv[3]);
    if (where == "poor") return start_poor(threads, runs);
    if (where == "static") {
        make_static().app.threads(threads);
        return serve(make_static(), runs);
    }
    if (where == "heap") {
        on_heap = new World;
        on_heap->app.threads(threads);
        on_heap->destroy = [] { delete std::exchange(on_heap, nullptr); };
        return serve(*on_heap, runs);
    }
    World world;
    world.app.threads(threads);
    return serve(world, runs);
}
