#include "catch.hpp"
#include "certificate.hpp"
#include "client.hpp"
#include "crowd.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include "tls_client.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>
#include <kvolt/server.hpp>
#include <kvolt/tls.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <future>
#include <iterator>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// Many connections at once, and what is left of the server when they are gone or take nothing.

namespace {

using namespace std::chrono_literals;
using kvolt::Context;
using kvolt::HubOptions;
using kvolt::Limits;
using kvolt::SendResult;
using kvolt::SlowPolicy;
using kvolt::Task;
using test::Client;
using test::Crowd;
using test::eventually;
using test::frame;
using test::HubServer;
using test::mebibyte;

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

std::size_t connections(const kvolt::App& app) {
    std::size_t sum = 0;
    for (const auto& loop : *app.loops()) sum += loop->connections();
    return sum;
}

std::size_t queued_bytes(const kvolt::App& app) {
    std::size_t sum = 0;
    for (const auto& loop : *app.loops()) {
        std::promise<std::size_t> bytes;
        boost::asio::post(loop->io(), [&] { bytes.set_value(loop->load().queued_bytes); });
        sum += bytes.get_future().get();
    }
    return sum;
}

/// The server's socket of a client's connection, which is in this process, too.
int other_end(const Client& client) {
    sockaddr_in here{}, there{};
    socklen_t size = sizeof here;
    REQUIRE(::getsockname(client.socket(), reinterpret_cast<sockaddr*>(&here), &size) == 0);
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        int socket = std::stoi(entry.path().filename());
        size = sizeof there;
        bool connected = ::getpeername(socket, reinterpret_cast<sockaddr*>(&there), &size) == 0;
        if (connected && there.sin_family == AF_INET && there.sin_port == here.sin_port) return socket;
    }
    throw std::runtime_error("a client without a server");
}

/// Numbered broadcasts from several threads, no faster than the hub deals with them.
class Storm {
public:
    static constexpr std::size_t threads = 2;

    template <class Hub>
    explicit Storm(Hub& hub) {
        for (std::size_t id = 0; id < threads; ++id)
            threads_.emplace_back([this, &hub, id](std::stop_token over) {
                for (std::size_t number = 0; !over.stop_requested(); ++number) {
                    hub.broadcast(std::to_string(id) + ':' + std::to_string(number));
                    ++sent_;
                    eventually([&] { return over.stop_requested() || hub.stats().messages + 20 > sent_; });
                }
            });
    }

    /// How many there were.
    std::size_t end() {
        threads_.clear();
        return sent_;
    }

private:
    std::atomic<std::size_t> sent_ = 0;
    std::vector<std::jthread> threads_;
};

TEST_CASE("storm: 10,000 come and go in every way while others listen, and leave nothing behind") {
    constexpr std::size_t steady = 10, slots = 20, visits = test::sanitized ? 5000 : 10000;
    enum Way { close, fin, reset, half_a_frame, half_a_handshake, at_once, ways };
    test::raise_descriptor_limit();
    HubServer server({}, 3);
    std::atomic<std::size_t> begun = 0, ended = 0;
    server.app.get("/visit", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        ++begun;
        auto seat = server.hub.join(socket, "visitor");
        socket.send("joined");
        while (co_await socket.read()) {
        }
        ++ended;
    });
    server.go();
    std::size_t descriptors = open_descriptors(), memory = 0;
    {
        std::vector<std::string> order;  // as the first to get each message tells it
        std::vector<std::size_t> got(steady);
        std::size_t joined = 0, wrong = 0;
        std::deque<std::size_t> here;  // visitors who have joined and may go
        Crowd crowd(server.app.port(), [&](std::size_t member, int opcode, std::string_view payload) {
            if (payload == "joined") {
                ++joined;
                if (member >= steady) here.push_back(member);
            } else if (member < steady) {
                std::size_t place = got[member]++;
                if (place == order.size()) order.emplace_back(payload);
                wrong += opcode != test::text || place >= order.size() || order[place] != payload;
            }
        });
        for (std::size_t i = 0; i < steady; ++i) crowd.join("/ws");
        REQUIRE(crowd.run_until([&] { return joined == steady; }));

        Storm storm(server.hub);
        for (std::size_t i = 0; i < slots; ++i) crowd.join("/visit");
        const std::string half = frame(test::text, std::string(1000, 'x')).substr(0, 500);
        for (std::size_t visit = 0; visit < visits; ++visit) {
            REQUIRE(crowd.run_until([&] { return !here.empty(); }));
            std::size_t visitor = here.front();
            here.pop_front();
            auto way = static_cast<Way>(visit % ways);
            if (way == close) {
                crowd.send(visitor, frame(test::close, test::close_payload(1000)));
                REQUIRE(crowd.run_until([&] { return crowd.ended(visitor); }));
            } else if (way == half_a_frame) {
                crowd.send(visitor, half);
            } else if (way == half_a_handshake || way == at_once) {
                auto handshake = test::handshake_request("/visit");
                Client client(server.app.port());
                client.send(way == at_once ? handshake : handshake.substr(0, handshake.size() / 2));
                if (visit % 4 == 0) client.reset();
            }
            crowd.leave(visitor, way == reset || visit % 5 == 0);
            crowd.rejoin(visitor, "/visit");
            if (visit == visits / 4) memory = test::resident_bytes();
        }
        std::size_t sent = storm.end();
        REQUIRE(crowd.run_until([&] { return std::count(got.begin(), got.end(), sent) == steady; }));
        CHECK(wrong == 0);
        CHECK(sent > visits / 10);
        std::vector<std::size_t> next(Storm::threads);
        for (const std::string& message : order)
            REQUIRE(message.substr(2) == std::to_string(next.at(static_cast<std::size_t>(message[0] - '0'))++));
        for (std::size_t i = steady; i < steady + slots; ++i) crowd.leave(i);
        CHECK(eventually([&] { return server.hub.size() == steady; }));
        CHECK(eventually([&] { return connections(server.app) == steady; }));
    }
    CHECK(eventually([&] { return server.hub.size() == 0 && connections(server.app) == 0; }));
    CHECK(eventually([&] { return ended == begun; }));
    CHECK(begun >= visits);
    CHECK(eventually([&] { return open_descriptors() == descriptors; }));
    if (!test::sanitized) CHECK(test::resident_bytes() < memory + 8 * mebibyte);
    auto stats = server.hub.stats();
    CHECK(stats.dropped == 0);
    CHECK(stats.disconnected == 0);
    CHECK(server.log.empty());
}

// Members that take nothing

TEST_CASE("storm: 200 of 1,000 take nothing, and what waits for them stays within the limits") {
    const bool for_all_of_them = GENERATE(true, false);  // is less than for each of them
    const std::size_t size =
        std::min<std::size_t>(test::sanitized ? 100 : 1000, (test::raise_descriptor_limit() - 300) / 2);
    const std::size_t stalled = size / 5, for_one = 128 * 1024, limit = stalled * for_one / (for_all_of_them ? 4 : 1);
    Limits limits;
    if (for_all_of_them) limits.all_backlogs = limit;
    HubServer server(HubOptions().slow(SlowPolicy::drop_newest).backlog(for_one, 1000), for_all_of_them ? 4 : 1,
                     limits);
    server.go();

    std::size_t joined = 0, heard = 0, wrong = 0, sent = 0;
    Crowd crowd(server.app.port(), [&](std::size_t, int, std::string_view payload) {
        if (payload == "joined") {
            ++joined;
        } else {
            ++heard;
            wrong += payload != std::to_string(sent);
        }
    });
    for (std::size_t i = 0; i < size; ++i) crowd.join(i < stalled ? "/ws?room=stalled" : "/ws", i < stalled ? 4096 : 0);
    REQUIRE(crowd.run_until([&] { return joined == size; }));
    for (std::size_t i = 0; i < stalled; ++i) crowd.read(i, false);

    const std::string filler(16 * 1024, 'x');
    std::size_t before = test::resident_bytes(), waited = 0;
    while (server.hub.stats().dropped < 20 * stalled) {
        REQUIRE(sent < 1000);
        heard = 0;
        ++sent;
        server.hub.broadcast(filler, "stalled");
        server.hub.broadcast(std::to_string(sent));
        REQUIRE(crowd.run_until([&] { return heard == size - stalled; }));
        waited = std::max(waited, queued_bytes(server.app));
    }
    CHECK(wrong == 0);
    CHECK(waited <= limit + (for_all_of_them ? limit / 8 : 0));
    CHECK(waited > limit / 2);
    if (!test::sanitized) CHECK(test::resident_bytes() < before + 3 * limit);
    std::size_t left = server.hub.size() - (size - stalled);
    if (for_all_of_them) {
        CHECK(left >= stalled / 5);  // all that there is room for
        CHECK(left <= stalled / 2);
        while (left++ < stalled) CHECK(server.endings.next() == "1013 too slow");
    } else {
        CHECK(left == stalled);
    }
    CHECK(server.endings.empty());
}

/// Sends each of its clients as much as it asks for.
struct Creditor : test::Server {
    Creditor(const Limits& limits, std::size_t threads) : Server(limits, threads) {
        app.get("/ws", [this](Context& c) -> Task<> {
            auto executor = c.executor();
            auto socket = co_await c.upgrade();
            std::string asked;
            while (auto message = co_await socket.read()) {
                asked = message->payload;
                std::size_t left = std::stoul(asked);  // beside what the network takes
                for (auto result = SendResult::queued; left > 0 && result != SendResult::dropped;) {
                    result = socket.send(piece);
                    if (result == SendResult::backpressure) left -= std::min(left, piece.size());
                    co_await boost::asio::post(executor, boost::asio::use_awaitable);  // behind the end of this turn
                }
                filled.add(asked);
            }
            endings.add(asked + ' ' + test::ending(socket));
        });
        app.get("/blob", [](Context& c) { c.text(std::string(8 * mebibyte, 'x')); });
        app.post("/body", [](Context& c) { c.text(std::string(c.body())); });
        secure_port = app.listen_tls("127.0.0.1:0", tls);
        plain_port = app.listen("127.0.0.1:0");
        app.start();
    }

    Client connect(bool secure) {
        Client client = secure ? test::TlsClient(secure_port, 4096) : Client(plain_port, 4096);
        REQUIRE(client.handshake("/ws").status == 101);
        return client;
    }

    /// Let so many bytes wait for a client.
    void fill(Client& client, std::size_t bytes) {
        client.send_frame(test::text, std::to_string(bytes));
        CHECK(filled.next() == std::to_string(bytes));
    }

    const std::string piece = std::string(16 * 1024, 'x');
    test::Certificate certificate;
    kvolt::Tls tls{certificate.file, certificate.key_file};
    unsigned short secure_port = 0, plain_port = 0;
    test::Reports<std::string> filled;
};

TEST_CASE("storm: past what may wait for all, the one for which the most waits is closed, and no other") {
    const bool secure = GENERATE(false, true);
    constexpr std::size_t unit = mebibyte / 2;
    Limits limits;
    limits.backlog = {16 * mebibyte, 100000};
    limits.all_backlogs = 20 * unit;
    Creditor server(limits, GENERATE(1, 4));
    std::vector<Client> clients;
    for (int i = 0; i <= 6; ++i) clients.push_back(server.connect(secure));
    for (std::size_t size : {3u, 6u, 1u, 5u, 2u}) server.fill(clients[size], size * unit);
    CHECK(server.endings.empty());
    CHECK(queued_bytes(server.app) >= 17 * unit);
    server.fill(clients[4], 4 * unit);
    CHECK(server.endings.next() == std::to_string(6 * unit) + " 1013 too slow");
    CHECK(queued_bytes(server.app) >= 15 * unit);
    CHECK(queued_bytes(server.app) < 16 * unit);

    clients[1].send_frame(test::text, std::to_string(16 * unit));
    CHECK(server.endings.next() == std::to_string(16 * unit) + " 1013 too slow");
    CHECK(server.filled.next() == std::to_string(16 * unit));
    server.fill(clients[0], unit);
    CHECK(server.endings.empty());

    for (std::size_t closed : {6u, 1u}) {
        test::Frame next;
        while ((next = clients[closed].read_frame()).opcode == test::binary || next.opcode == test::text)
            REQUIRE(next.payload == server.piece);  // whole messages
        CHECK(test::close_code(next.payload) == 1013);
    }
    for (std::size_t size : {2u, 3u, 4u, 5u})
        for (std::size_t i = 0; i < size * unit / server.piece.size(); ++i)
            REQUIRE(clients[size].read_frame().payload == server.piece);
}

TEST_CASE("storm: a response that nobody takes counts, too") {
    Limits limits;
    limits.backlog = {16 * mebibyte, 100000};
    limits.all_backlogs = 4 * mebibyte;
    Creditor server(limits, 2);
    Client client = server.connect(false), greedy(server.plain_port, 4096);
    server.fill(client, 2 * mebibyte);
    greedy.send("GET /blob HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(eventually([&] { return connections(server.app) == 1; }));
    CHECK(greedy.read_to_end().size() < 8 * mebibyte);
    for (std::size_t i = 0; i < 2 * mebibyte / server.piece.size(); ++i)
        REQUIRE(client.read_frame().payload == server.piece);
    CHECK(server.endings.empty());
}

// Floods of what costs a client little

/// Frames without end, cut into pieces of about 64 KiB.
struct Flood {
    std::string name, begin, piece;

    static Flood of(std::string name, std::string begin, const std::string& unit) {
        Flood flood{std::move(name), std::move(begin), {}};
        while (flood.piece.size() < 64 * 1024) flood.piece += unit;
        return flood;
    }
};

Flood any_flood() {
    return GENERATE(Flood::of("empty pings", "", frame(test::ping, "")),
                    Flood::of("full pings", "", frame(test::ping, std::string(125, 'p'))),
                    Flood::of("pongs", "", frame(test::pong, "")),
                    Flood::of("tiny messages", "", frame(test::text, "x")),
                    Flood::of("empty messages", "", frame(test::binary, "")),
                    Flood::of("empty fragments", frame(test::text, "x", false), frame(test::continuation, "", false)));
}

/// One client floods, another one wants an answer now and then. All on one loop.
struct Flooded : test::Server {
    explicit Flooded(bool secure) : Server(Limits{.message_fragments = 100000000}) {
        app.get("/flood", [](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (co_await socket.read()) {
            }
        });
        app.get("/calm", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) {
                unread = unread_of(flood_end);
                socket.send(*message);
            }
        });
        unsigned short port = secure ? app.listen_tls("127.0.0.1:0", tls) : app.listen("127.0.0.1:0");
        app.start();
        auto connect = [&](std::string_view path, int receive_buffer) {
            Client client = secure ? test::TlsClient(port, receive_buffer) : Client(port, receive_buffer);
            REQUIRE(client.handshake(path).status == 101);
            return client;
        };
        calm.emplace(connect("/calm", 0));
        flood.emplace(connect("/flood", 4096));
        flood_end = other_end(*flood);
    }

    static int unread_of(int socket) {
        int bytes = 0;
        ::ioctl(socket, FIONREAD, &bytes);
        return bytes;
    }

    bool serves_others() { return calm->send_frame(test::text, "me, too") && test::read_text(*calm) == "me, too"; }

    test::Certificate certificate;
    kvolt::Tls tls{certificate.file, certificate.key_file};
    int flood_end = -1;
    std::atomic<int> unread = 0;  // of the flood, when the calm one was answered
    std::optional<Client> calm, flood;
};

TEST_CASE("flood: whatever one client sends takes turns with the others") {
    const bool secure = GENERATE(false, true);
    const Flood flood = any_flood();
    INFO(flood.name << (secure ? " over TLS" : ""));
    Flooded server(secure);
    test::Blocked blocked(*server.app.loops()->front());
    server.flood->send(flood.begin + flood.piece + flood.piece + flood.piece);
    server.calm->send_frame(test::text, "me, too");
    blocked.release();
    CHECK(test::read_text(*server.calm) == "me, too");
    CHECK(server.unread > 0);
}

TEST_CASE("flood: whatever one client sends, and does not read, makes the server no larger") {
    const bool secure = GENERATE(false, true);
    const Flood flood = any_flood();
    INFO(flood.name << (secure ? " over TLS" : ""));
    Flooded server(secure);
    timeval patience{0, 200000};
    ::setsockopt(server.flood->socket(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    std::size_t before = test::resident_bytes();
    server.flood->send(flood.begin);
    bool stopped = false;                           // by TCP
    const bool stops = flood.name == "full pings";  // others make no answers, or short ones
    const std::size_t most = (stops ? 64 : test::sanitized ? 1 : 4) * mebibyte;
    for (std::size_t sent = 0; sent < most && !stopped; sent += flood.piece.size()) {
        try {
            server.flood->send(flood.piece);
        } catch (const std::system_error&) {
            stopped = true;
        }
        REQUIRE(server.serves_others());
    }
    if (stops) CHECK(stopped);
    if (!test::sanitized) CHECK(test::resident_bytes() < before + 2 * mebibyte);
}

// Peers that are gone without a word: the network drops their packets, and ours to them

/// Drop what arrives for a socket from now on before TCP sees it, FIN, RST and acknowledgements included; or, if
/// `data_only`, all that carries data.
void drop_arriving(int socket, bool data_only = false) {
    sock_filter everything[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    sock_filter data[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12),  // the length of the TCP header, in words, by 16
                          BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
                          BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
                          BPF_STMT(BPF_MISC | BPF_TAX, 0),
                          BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
                          BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, 0),
                          BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
    sock_fprog program = data_only ? sock_fprog{std::size(data), data} : sock_fprog{std::size(everything), everything};
    REQUIRE(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}

bool is_established(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

/// The client's machine has vanished.
void vanish(Client& client) {
    int server = other_end(client);
    drop_arriving(client.socket());
    drop_arriving(server);
    client.close();
    CHECK(is_established(server));  // it has heard of nothing
}

const Limits impatient{.header_timeout = 1s,
                       .body_grace = 1s,
                       .idle_timeout = 1s,
                       .write_timeout = 1s,
                       .ping_interval = 300ms,
                       .silence_timeout = 1s,
                       .close_timeout = 300ms};

TEST_CASE("lost packets: a peer that has vanished is dropped, and its seat is free") {
    HubServer server({}, 2, impatient);
    server.go();
    auto lost = server.join("lost"), other = server.join("other");
    vanish(lost);
    auto gone = [&] {
        other.send_frame(test::pong, "");  // a sign of life
        return server.hub.size() == 1 && connections(server.app) == 1;
    };
    CHECK(eventually(gone));
    CHECK(server.endings.next() == "1006");
    CHECK(server.members() == std::vector<std::string>{"other"});
    CHECK(server.endings.empty());
}

TEST_CASE("lost packets: a peer that is heard of, but gets nothing of what is sent, is dropped") {
    HubServer server(HubOptions().slow(SlowPolicy::drop_newest), 2, impatient);
    server.go();
    auto deaf = server.join("deaf");
    drop_arriving(deaf.socket(), true);
    const std::string filler(64 * 1024, 'x');
    while (server.hub.stats().dropped == 0) server.broadcast(filler);
    std::size_t before = server.hub.stats().messages, talks = 0;
    auto gone = [&] {
        talks += deaf.send_frame(test::text, "I am here");
        return server.hub.size() == 0 && connections(server.app) == 0;
    };
    CHECK(eventually(gone));
    CHECK(server.endings.next() == "1006");
    CHECK(talks > 10);  // over all of silence_timeout
    CHECK(server.hub.stats().messages - before > talks / 2);
}

TEST_CASE("lost packets: a peer that has vanished in the closing handshake is forgotten") {
    HubServer server({}, 1, impatient);
    server.go();
    auto lost = server.join("lost", "red");
    vanish(lost);
    server.hub.close_room("red");
    CHECK(server.endings.next() == "1000");
    CHECK(eventually([&] { return server.hub.size() == 0 && connections(server.app) == 0; }));
}

TEST_CASE("lost packets: a kept connection, a request and a response are given up") {
    Creditor server(impatient, 2);
    Client idle(server.plain_port), head(server.plain_port), body(server.plain_port), answered(server.plain_port, 4096);
    CHECK(idle.request("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 404);
    head.send("GET / HTTP/1.1\r\nHost: loc");
    body.send("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc");
    answered.send("GET /blob HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(answered.read(4) == "HTTP");
    CHECK(connections(server.app) == 4);
    for (Client* client : {&idle, &head, &body, &answered}) vanish(*client);
    CHECK(eventually([&] { return connections(server.app) == 0; }));
}

}  // namespace
