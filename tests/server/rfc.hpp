#ifndef KVOLT_TESTS_SERVER_RFC_HPP
#define KVOLT_TESTS_SERVER_RFC_HPP

// The machinery of the tables of bytes and answers: a table runs over every kind of transport and number of loops, and
// each of its cases is delivered whole, byte by byte, and behind a good request. Over TLS a half-close is a
// close_notify, and every end has to come with one.

#include "../catch.hpp"
#include "../certificate.hpp"
#include "client.hpp"
#include "socket_path.hpp"
#include "tls_client.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/server.hpp>
#include <kvolt/tls.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace test::rfc {

enum class Transport { tcp, unix_socket, tls };

inline std::string_view name(Transport transport) {
    return transport == Transport::tcp ? "TCP" : transport == Transport::tls ? "TLS" : "Unix socket";
}

/// Echoes what it is sent, at once under `/` and `/echo/`, and a little later under `/later/`.
class RfcServer {
public:
    explicit RfcServer(std::size_t threads = 1, Transport transport = Transport::tcp, const kvolt::Limits& limits = {})
        : transport_(transport) {
        auto echo = [this](kvolt::Context& c) { answer(c); };
        app.threads(threads).limits(limits).logger([](std::string_view) {});
        app.any("/", echo);
        app.any("/echo/*rest", echo);
        app.any("/later/*rest", [this](kvolt::Context& c) -> kvolt::Task<> {
            boost::asio::steady_timer timer(c.executor(), std::chrono::milliseconds(1));
            co_await timer.async_wait(boost::asio::use_awaitable);
            answer(c);
        });
        app.get("/get", echo);
        app.any("/ws", test::echo);
        static const Certificate certificate;
        switch (transport) {
            case Transport::tcp: app.start("127.0.0.1:0"); break;
            case Transport::unix_socket: app.start("unix:" + path_.path); break;
            case Transport::tls: {
                app.listen_tls("127.0.0.1:0", kvolt::Tls(certificate.file, certificate.key_file));
                app.start();
            }; break;
        }
    }

    /// A new connection.
    Client open() const {
        if (transport_ == Transport::unix_socket) return Client::unix_socket(path_.path);
        if (transport_ == Transport::tls) return TlsClient(app.port());
        return Client(app.port());
    }

    Transport transport() const { return transport_; }

    /// True if bytes were taken for a request that are none.
    bool smuggled() const { return smuggled_; }

    kvolt::App app;

private:
    void answer(kvolt::Context& c) {
        if (c.path().find("smuggled") != std::string_view::npos) smuggled_ = true;
        std::string text = std::string(c.method()) + ' ' + std::string(c.path());
        if (!c.query("q").empty()) text += " q=" + std::string(c.query("q"));
        if (c.request().count("X") > 0) text += " X=" + std::string(c.header("X"));
        c.text(text + (c.body().empty() ? "" : ' ' + std::string(c.body())));
    }

    Transport transport_;
    SocketPath path_;
    std::atomic<bool> smuggled_ = false;
};

/// What becomes of a connection.
enum class After { kept, closed };
inline constexpr After kept = After::kept, closed = After::closed;

/// What a case is about: a few are answered otherwise over TLS.
enum class Over { all, plain, tls };

struct Case {
    std::string what, bytes;
    int status;
    After after;
    std::string body = {};   ///< Of the answer; not compared if empty.
    std::string allow = {};  ///< Its Allow field.
    Over over = Over::all;
};

// What requests are made of
inline const std::string get = "GET / HTTP/1.1\r\n", post = "POST / HTTP/1.1\r\n", host = "Host: localhost\r\n",
                         end = "\r\n", good = "GET /echo/good HTTP/1.1\r\n" + host + end,
                         smuggled = "GET /echo/smuggled HTTP/1.1\r\n" + host + end;

/// Sends one byte after the other; of long ones only those at both ends.
inline void send_bytewise(Client& client, std::string_view bytes) {
    constexpr std::size_t most = 400;
    for (std::size_t i = 0; i < bytes.size();) {
        std::size_t size = i == most && bytes.size() > 2 * most ? bytes.size() - 2 * most : 1;
        if (!client.send(bytes.substr(i, size))) return;
        i += size;
    }
}

/// Everything that is wrong with an answer; empty if nothing is.
inline std::string faults(const Response& answer, const Case& expected) {
    std::string found;
    auto check = [&](bool right, const std::string& what) {
        if (!right) found += (found.empty() ? "" : ", ") + what;
    };
    check(answer.status == expected.status, "status " + std::to_string(answer.status));
    if (answer.status == 101) return found;
    const std::string date = answer.field("date");  // Sun, 06 Nov 1994 08:49:37 GMT
    check(date.size() == 29 && date.ends_with(" GMT") && date.substr(3, 2) == ", ", "Date \"" + date + '"');
    check((answer.field("connection").find("close") != std::string::npos) == (expected.after == closed),
          "Connection \"" + answer.field("connection") + '"');
    if (!expected.body.empty()) check(answer.body == expected.body, "body \"" + answer.body + '"');
    check(answer.field("allow") == expected.allow, "Allow \"" + answer.field("allow") + '"');
    if (answer.status >= 400) check(answer.field("content-type") == "application/json", "no JSON");
    bool length = answer.fields.count("content-length") == 1;
    check(length == (answer.status != 204), "Content-Length");
    check(answer.fields.count("transfer-encoding") == 0, "Transfer-Encoding");
    return found;
}

enum class Delivery { whole, bytewise, behind };

inline void run(RfcServer& server, const Case& expected, Delivery delivery) {
    Client client = server.open();
    // Behind what is refused stands what must not be taken for a request.
    std::string bytes = expected.bytes + (expected.after == closed && expected.status != 101 ? smuggled : "");
    switch (delivery) {
        case Delivery::whole: client.send(bytes); break;
        case Delivery::bytewise: send_bytewise(client, bytes); break;
        case Delivery::behind:
            client.send(good + bytes);
            CHECK(client.read_response().body == "GET /echo/good");
            break;
    }
    std::size_t first = expected.bytes.find_first_not_of("\r\n");
    CHECK(faults(client.read_response(first != expected.bytes.npos && expected.bytes.substr(first, 5) == "HEAD "),
                 expected) == "");
    if (expected.status == 101) {
        client.send_frame(text, "hi");
        CHECK(read_text(client) == "hi");
    } else if (expected.after == kept) {
        CHECK(client.request(good).body == "GET /echo/good");
    } else {
        CHECK(client.ended());
    }
    CHECK(server.open().request(good).body == "GET /echo/good");
    CHECK_FALSE(server.smuggled());
}

inline void run(RfcServer& server, const std::vector<Case>& cases) {
    const Over over = server.transport() == Transport::tls ? Over::tls : Over::plain;
    for (const Case& expected : cases) {
        if (expected.over != Over::all && expected.over != over) continue;
        for (Delivery delivery : {Delivery::whole, Delivery::bytewise, Delivery::behind}) {
            INFO(expected.what << (delivery == Delivery::bytewise ? ", byte by byte"
                                   : delivery == Delivery::behind ? ", behind a good request"
                                                                  : ""));
            INFO(expected.bytes.substr(0, 200));
            try {
                run(server, expected, delivery);
            } catch (const std::exception& error) {
                FAIL_CHECK(error.what());
            }
        }
    }
}

/// Do something with servers of 1 and 4 loops, over every kind of transport.
template <class Function>
void on_every_server(Function function, const kvolt::Limits& limits = {}) {
    for (Transport transport : {Transport::tcp, Transport::unix_socket, Transport::tls})
        for (std::size_t threads : {1u, 4u}) {
            INFO(name(transport) << ", " << threads << " loops");
            RfcServer server(threads, transport, limits);
            function(server);
        }
}

inline void run(const std::vector<Case>& cases, const kvolt::Limits& limits = {}) {
    on_every_server([&](RfcServer& server) { run(server, cases); }, limits);
}

}  // namespace test::rfc

#endif
