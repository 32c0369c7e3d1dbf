// What single parts cost in instructions, which micro.py has callgrind count: the same each time, whatever else the
// machine does.
//
// Prints what it was compiled with and then, one line each, `NAME UNITS` of the parts, in the order in which it calls
// measured() for them.

#include "github_routes.hpp"
#include <kvolt/app.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/http/request_check.hpp>
#include <kvolt/detail/http/request_reader.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/outbox.hpp>
#include <kvolt/detail/websocket/client_frame.hpp>
#include <kvolt/detail/websocket/frame_reader.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>
#include <kvolt/router.hpp>
#include <kvolt/testing.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace kvolt::detail;
using kvolt::Request;

using Function = std::function<void()>;

// Not static, and with C's name: callgrind counts what happens in here.
extern "C" [[gnu::noinline]] void measured(const Function& function) { function(); }

namespace {

/// Keep the compiler from leaving out what makes this.
template <class T>
void use(const T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

/// The first time is for what is made once, such as memory that is kept.
void measure(std::string_view name, std::size_t units, const Function& function) {
    function();
    measured(function);
    std::cout << name << ' ' << units << '\n';
}

void require(bool kept, const char* what) {
    if (!kept) throw std::logic_error(std::string("kvolt_micro: ") + what);
}

std::string repeat(std::string_view bytes, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += bytes;
    return all;
}

std::string compiler() {
#ifdef __clang__
    std::string name = "clang++ " + std::to_string(__clang_major__);
#else
    std::string name = "g++ " + std::to_string(__GNUC__);
#endif
#ifdef __x86_64__
    name += ", x86_64";
#elif defined(__aarch64__)
    name += ", aarch64";
#endif
    return name + ", Boost " + std::to_string(BOOST_VERSION / 100000) + '.' +
           std::to_string(BOOST_VERSION / 100 % 1000);
}

// Routes

struct Asked {
    std::string_view method;
    std::string path;
};

template <class Each>
void for_each_method(const bench::Resource& resource, Each each) {
    for (std::string_view methods = resource.methods; !methods.empty();) {
        std::string_view method = methods.substr(0, methods.find(' '));
        methods.remove_prefix(std::min(methods.size(), method.size() + 1));
        each(method);
    }
}

/// A path that a pattern matches: each parameter has its own name as its value.
std::string path_of(std::string_view pattern) {
    std::string path;
    for (char c : pattern)
        if (c != ':' && c != '*') path += c;
    return path;
}

void measure_router() {
    kvolt::Router router;
    std::vector<Asked> all;
    for (const bench::Resource& resource : bench::github)
        for_each_method(resource, [&](std::string_view method) {
            router.add(std::string(method), std::string(resource.pattern), 0, {});
            all.push_back({method, path_of(resource.pattern)});
        });
    for (const Asked& asked : all)
        require(router.find(asked.method, asked.path).route != nullptr, "a route is not found");
    measure("router: GitHub's routes, each once", all.size(), [&] {
        for (const Asked& asked : all) use(router.find(asked.method, asked.path));
    });
    auto measure_one = [&](std::string_view name, std::string_view path) {
        measure(name, 1000, [&] {
            for (int i = 0; i < 1000; ++i) use(router.find("GET", path));
        });
    };
    measure_one("router: text", "/user/repos");
    measure_one("router: two parameters", "/repos/kvolt/kvolt/stargazers");
}

// Requests

constexpr std::string_view plain_request = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

constexpr std::string_view browser_request =
    "GET /users/7?full=1 HTTP/1.1\r\n"
    "Host: chat.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://chat.example.com/users\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n\r\n";

constexpr std::string_view posted_request =
    "POST /users HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n"
    "{\"name\":\"Ann\",\"age\":\"36\"}";

void give(RequestReader& reader, std::string_view bytes) {
    auto room = reader.prepare();
    require(room.size() >= bytes.size(), "the requests are too long");
    std::memcpy(room.data(), bytes.data(), bytes.size());
    reader.commit(bytes.size());
}

/// As a connection does it.
void read_requests(RequestReader& reader, std::string_view bytes, std::size_t count) {
    give(reader, bytes);
    for (std::size_t i = 0; i < count; ++i) {
        require(!reader.parse_head() && !reader.begin_body(1000) && !reader.parse_body(), "a request is refused");
        require(reader.stage() == RequestReader::Stage::done, "a request is not whole");
        use(reader.keep_alive());
        reader.next();
    }
}

void measure_requests() {
    kvolt::Limits limits;
    Request request;
    RequestReader reader(request, limits);
    auto measure_one = [&](std::string_view name, std::string_view bytes) {
        measure(name, 100, [&] {
            for (int i = 0; i < 100; ++i) read_requests(reader, bytes, 1);
        });
    };
    measure_one("request: read plain", plain_request);
    measure_one("request: read a browser's", browser_request);
    measure_one("request: read with a body", posted_request);
    const std::string pipelined = repeat(plain_request, 16);
    measure("request: read 16 pipelined", 160, [&] {
        for (int i = 0; i < 10; ++i) read_requests(reader, pipelined, 16);
    });

    measure("request: read a browser's byte by byte", 1, [&] {
        for (std::size_t i = 0; i + 1 < browser_request.size(); ++i) {
            give(reader, browser_request.substr(i, 1));
            require(!reader.parse_head(), "a request is refused");
        }
        read_requests(reader, browser_request.substr(browser_request.size() - 1), 1);
    });

    give(reader, browser_request);
    require(!reader.parse_head(), "a request is refused");
    std::string_view head = browser_request.substr(0, browser_request.size() - 2);
    measure("request: check a browser's", 100, [&] {
        for (int i = 0; i < 100; ++i) use(check_request(request, head));
    });
}

// Responses

void measure_response() {
    kvolt::Response response;
    response.body("Hello, World!", "text/plain; charset=utf-8");
    std::string out;
    measure("response: write", 100, [&] {
        for (int i = 0; i < 100; ++i) {
            response.append_to(out, {"Sun, 06 Nov 1994 08:49:37 GMT"});
            use(out);
            out.clear();
        }
    });
}

// Frames

void measure_frame_writing() {
    std::string out;
    for (std::size_t size : {64, 1024, 65536}) {
        const std::string payload(size, 'x');
        measure("frame: write " + std::to_string(size) + " bytes", 100, [&] {
            for (int i = 0; i < 100; ++i) {
                append_frame(out, Opcode::text, payload);
                use(out);
                out.clear();
            }
        });
    }
}

std::string masked(Opcode opcode, std::string_view payload) {
    std::string frame;
    append_masked_frame(frame, opcode, payload, Mask{0x12, 0x34, 0x56, 0x78});
    return frame;
}

void measure_frame_reading() {
    FrameReader reader(1 << 20, 1);
    auto measure_one = [&](std::string_view name, Opcode opcode, std::string_view payload, std::size_t count) {
        const std::string frames = repeat(masked(opcode, payload), count);
        std::string input = frames;
        measure(name, count, [&] {
            std::memcpy(input.data(), frames.data(), frames.size());  // the reader takes masks off in place
            std::span<char> rest(input);
            for (std::size_t i = 0; i < count; ++i) {
                require(reader.read(rest) == FrameReader::Result::message, "a frame is no message");
                use(reader.take_message());
            }
        });
    };
    measure_one("message: read 64 bytes of text", Opcode::text, std::string(64, 'x'), 100);
    measure_one("message: read 64 bytes", Opcode::binary, std::string(64, 'x'), 100);
    measure_one("message: read 16 KiB of text", Opcode::text, std::string(16384, 'x'), 10);
    measure_one("message: read 16 KiB of Greek", Opcode::text, repeat("\xCE\xB1", 8192), 10);
    measure_one("message: read 16 KiB", Opcode::binary, std::string(16384, 'x'), 10);
}

// Outboxes

void measure_outbox() {
    std::string outgoing(16 * 66, 'x');
    Outbox outbox;
    auto send_all = [](const auto& buffers) { return boost::asio::buffer_size(buffers); };
    auto send = [&](std::size_t frames, std::size_t step) {
        for (std::size_t i = 0; i < frames; i += step) outbox.add(outgoing, i * 66, i * 66 + 66, Unit::droppable);
        outbox.flush(outgoing, send_all);
        require(outbox.empty(), "an outbox keeps something");
    };
    auto measure_one = [&](std::string_view name, std::size_t frames, std::size_t step) {
        measure(name, 100, [&, frames, step] {
            for (int i = 0; i < 100; ++i) send(frames, step);
        });
    };
    measure_one("outbox: 1 frame and a flush", 1, 1);
    measure_one("outbox: 16 frames in a row and a flush", 16, 1);
    measure_one("outbox: 8 frames with gaps and a flush", 16, 2);
}

// Hubs

/// A connection whose network takes everything at once.
class Sink final : public Link, public Peer {
public:
    explicit Sink(Loop& loop) : Link(loop), Peer(static_cast<Link&>(*this), {}) {}

    std::size_t bytes() const noexcept { return bytes_; }

    // Link

    void flush() override {
        outbox().flush(Link::loop().outgoing(), [this](const auto& buffers) {
            std::size_t size = boost::asio::buffer_size(buffers);
            bytes_ += size;
            return size;
        });
    }
    void shed() override {}
    void shut_down() override {}
    void abort() noexcept override {}
    void abandon() override {}

    // Peer

    kvolt::SendResult send(kvolt::MessageView) override { return kvolt::SendResult::queued; }
    void close(std::uint16_t, std::string_view) override {}
    kvolt::Task<std::optional<kvolt::Message>> read() override { return {}; }
    kvolt::Task<> drained() override { return {}; }

private:
    void on_deadline() override {}

    std::size_t bytes_ = 0;
};

void measure_hub() {
    constexpr std::size_t rooms = 10, members = 500, turns = 10;
    kvolt::App app;
    Loop& loop = *app.loops()->front();
    Loop::OnThisThread scope(loop);
    std::vector<std::shared_ptr<Sink>> sinks;  // before the hub, whose members they are
    kvolt::Hub<> hub(app);
    std::vector<kvolt::Hub<>::Seat> seats;
    auto run_loop = [&] {
        loop.io().restart();
        loop.io().poll();
    };
    for (std::size_t i = 0; i < members; ++i) {
        sinks.push_back(std::make_shared<Sink>(loop));
        seats.push_back(hub.join(kvolt::WebSocket(sinks.back()), {}, "room " + std::to_string(i % rooms)));
    }
    auto measure_one = [&](std::string_view name, std::size_t messages, const std::string& room) {
        const std::string message(64, 'x');
        measure(name, turns * messages * (room.empty() ? members : members / rooms), [&] {
            for (std::size_t turn = 0; turn < turns; ++turn) {
                for (std::size_t i = 0; i < messages; ++i) hub.broadcast(message, room);
                run_loop();
            }
        });
    };
    measure_one("hub: a member, 1 message a turn", 1, "");
    measure_one("hub: a member, 16 messages a turn", 16, "");
    std::size_t before = sinks[0]->bytes();
    measure_one("hub: a member of a room of 50, 1 message a turn", 1, "room 0");
    require(sinks[0]->bytes() == before + 2 * turns * 66, "a member misses something");
    measure("hub: join a room and leave", 100, [&] {
        for (std::size_t i = 0; i < 100; ++i) {
            seats[0].leave();
            seats[0] = hub.join(kvolt::WebSocket(sinks[0]), {}, "room 0");
        }
        run_loop();
    });
    seats.clear();
    sinks.clear();
}

// All together, over connections in memory: what is sent to and taken from those counts, too

void measure_server() {
    kvolt::App app;
    app.get("/plaintext", [](kvolt::Context& c) { c.text("Hello, World!"); });
    app.get("/users/:id", [](kvolt::Context& c) { c.text(std::string(c.param("id"))); });
    app.get("/task", [](kvolt::Context& c) -> kvolt::Task<> {
        c.text("Hello, World!");
        co_return;
    });
    app.get("/echo", [](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        while (auto message = co_await socket.read()) socket.send(*message);
    });
    kvolt::testing::Client client(app);

    auto connection = client.connect();
    auto measure_requests_of = [&](std::string_view name, std::size_t count, std::string_view request) {
        const std::string requests = repeat(request, count);
        connection.send(requests);
        const std::size_t size = connection.read_some().size();
        require(size > 0, "there is no response");
        measure(name, 100 * count, [&] {
            for (int i = 0; i < 100; ++i) {
                connection.send(requests);
                require(connection.read_some().size() == size, "responses differ");
            }
        });
    };
    measure_requests_of("server: plain request", 1, plain_request);
    measure_requests_of("server: a browser's request", 1, browser_request);
    measure_requests_of("server: request for a coroutine", 1, "GET /task HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
    measure_requests_of("server: 16 pipelined requests", 16, plain_request);

    constexpr std::string_view handshake =
        "GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    auto open = [&](kvolt::testing::Connection& one) {
        one.send(handshake);
        require(one.read_some().starts_with("HTTP/1.1 101"), "there is no WebSocket");
    };
    const std::string close = masked(Opcode::close, std::string_view("\x03\xE8", 2));
    measure("server: connect, open a WebSocket and close it", 100, [&] {
        for (int i = 0; i < 100; ++i) {
            auto one = client.connect();
            open(one);
            one.send(close);
            require(one.read_to_end().size() == close.size() - 4, "a close is not answered");
        }
    });
    open(connection);
    auto measure_echo = [&](std::string_view name, std::size_t count, std::size_t size) {
        const std::string frames = repeat(masked(Opcode::text, std::string(size, 'x')), count);
        measure(name, 100 * count, [&] {
            for (int i = 0; i < 100; ++i) {
                connection.send(frames);
                require(connection.read_some().size() == frames.size() - 4 * count, "a message does not come back");
            }
        });
    };
    measure_echo("server: echo of 64 bytes", 1, 64);
    measure_echo("server: 16 echoes of 64 bytes", 16, 64);
    measure_echo("server: echo of 16 KiB", 1, 16384);
}

}  // namespace

int main() try {
    std::cout << compiler() << '\n';
    measure_router();
    measure_requests();
    measure_response();
    measure_frame_writing();
    measure_frame_reading();
    measure_outbox();
    measure_hub();
    measure_server();
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
