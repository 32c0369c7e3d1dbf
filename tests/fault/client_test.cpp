#include "catch.hpp"
#include "certificate.hpp"
#include "deflate_peer.hpp"
#include "fail_each.hpp"
#include "memory.hpp"
#include "server/raw_server.hpp"
#include "server/tls_client.hpp"
#include <kvolt/app.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/detail/testing/memory_server.hpp>
#include <kvolt/detail/tls/session.hpp>
#include <kvolt/run.hpp>
#include <kvolt/tls_client.hpp>
#include <kvolt/websocket_client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using test::demand;
using test::Memory;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> messages = {"a short one", test::words(3000), test::words(30000, 2),
                                           test::noise(20000, 3)};

// Says all that a server can say: messages in fragments, compressed and not, with pings between, and whatever the
// client has sent must come back as it was. It waits for a ping, and then closes if the URL says so.
class Server {
public:
    explicit Server(bool tls) : raw_([this](test::Client& client) { serve(client); }) {
        if (!tls) return;
        std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the client has closed
        test::Certificate certificate;
        context_.reset(SSL_CTX_new(TLS_server_method()));
        SSL_CTX_use_certificate_chain_file(context_.get(), certificate.file.c_str());
        SSL_CTX_use_PrivateKey_file(context_.get(), certificate.key_file.c_str(), SSL_FILETYPE_PEM);
    }

    std::string url(std::string_view target, std::string_view host = "127.0.0.1") const {
        return (context_ ? "wss://" : "ws://") + std::string(host) + ':' + std::to_string(raw_.port()) +
               std::string(target);
    }

    /// True once something has come that nobody has sent.
    bool garbled() const { return garbled_; }

private:
    static std::string part(int opcode, std::string_view payload, bool last, bool compressed = false) {
        std::string bytes = test::frame(opcode, payload, last, false);
        if (compressed) bytes[0] = static_cast<char>(bytes[0] | 0x40);
        return bytes;
    }

    static std::string fragments(int opcode, std::string_view payload, bool compressed) {
        std::size_t third = payload.size() / 3;
        return part(opcode, payload.substr(0, third), false, compressed) + part(test::ping, "between", true) +
               part(test::continuation, payload.substr(third, third), false) +
               part(test::continuation, payload.substr(2 * third), true);
    }

    void serve(test::Client& client) {
        if (context_) client.layer(std::make_unique<test::TlsLayer>(client.socket(), context_.get()));
        std::string head = test::read_head(client);
        if (head.starts_with("GET /gone")) return client.reset();
        client.send(test::handshake_answer(head,
                                           "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                                           "client_no_context_takeover\r\n"));
        test::DeflatePeer peer;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            int opcode = i + 1 < messages.size() ? test::text : test::binary;
            client.send(i % 2 == 0 ? fragments(opcode, messages[i], false)
                                   : fragments(opcode, peer.deflate(messages[i]), true));
        }
        for (std::size_t echoes = 0;;) {
            test::MaskedFrame frame = test::read_masked_frame(client);
            if (frame.opcode == test::text || frame.opcode == test::binary) {
                std::string message = frame.compressed ? peer.inflate(frame.payload) : frame.payload;
                while (echoes < messages.size() && messages[echoes] != message) ++echoes;  // what was dropped
                if (echoes++ >= messages.size()) garbled_ = true;
            } else if (frame.opcode == test::ping) {
                client.send(part(test::pong, frame.payload, true));
                if (head.starts_with("GET /closing"))
                    client.send(part(test::close, test::close_payload(4001, "the server's reason to close"), true));
                else
                    client.send(part(test::text, "bye", true));
            } else if (frame.opcode == test::close) {
                if (!head.starts_with("GET /closing")) client.send(part(test::close, frame.payload, true));
                return;
            } else if (frame.opcode != test::pong || frame.payload != "between") {
                garbled_ = true;
            }
        }
    }

    std::unique_ptr<SSL_CTX, kvolt::detail::SslDeleter> context_;
    std::atomic<bool> garbled_{false};
    test::RawServer raw_;
};

// A loop whose memory runs out, in the test's own thread, and what clients do on it.
class Clients {
public:
    /// What became of a coroutine.
    struct Talk {
        bool idle = false, over = false, lost = true;
        std::exception_ptr failure;
        std::vector<std::string> got;
        int code = 0;
    };

    Clients() {
        app.logger([](std::string_view) {});
    }
    ~Clients() { loop_->end(); }

    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;

    void start() {
        loop_ = std::make_shared<kvolt::detail::MemoryServer>(app.core(), kvolt::detail::MemoryServer::Begin());
        app.serve_by(loop_);
    }

    /// Run a coroutine of a client to its end. What it finds out must be right, and if it has failed for lack of memory
    /// that must have been told.
    template <class Connect>
    void talk(Connect connect, bool refused = false) {
        auto talk = std::make_shared<Talk>();
        boost::asio::co_spawn(app.executor(), speak(std::move(connect), talk), boost::asio::detached);
        {
            Memory::Armed on(armed_);
            run_until([&] { return talk->over || talk->idle; });
            if (!talk->over) loop_->advance(26s);  // a ping
            run_until([&] { return talk->over; });
        }
        bool excused = refused || (armed_ && Memory::failed());
        demand(!talk->lost, "a coroutine is lost");
        demand(talk->got.size() <= messages.size(), "more has come than was sent");
        for (std::size_t i = 0; i < talk->got.size(); ++i)
            demand(talk->got[i] == messages[i], "another message has come");
        if (talk->failure) {
            demand(excused, "it failed without a reason");
            try {
                std::rethrow_exception(talk->failure);
            } catch (const std::bad_alloc&) {
            } catch (const kvolt::ConnectError&) {
            }
        } else {
            bool proper = talk->got.size() == messages.size() && (talk->code == 4000 || talk->code == 4001);
            demand(proper || excused, "it ended early, with " + std::to_string(talk->code));
            demand(proper || talk->code == 1006 || talk->code == 1011 || talk->code == 4000,
                   "it ended with " + std::to_string(talk->code));
        }
    }

    /// All that must hold once there is memory again.
    void check() {
        armed_ = false;
        auto& load = *app.loops()->front();
        run_until([&] { return load.load().connections == 0; }, "a connection is left");
        demand(!server().garbled() && !server(true).garbled(), "the server got something that was not sent");
    }

    static Server& server(bool tls = false) {
        static Server plain(false), secure(true);
        return tls ? secure : plain;
    }

    kvolt::App app;

private:
    static kvolt::Task<> use(kvolt::WebSocket socket, Talk& talk) {
        while (auto message = co_await socket.read()) {
            if (message->payload == "bye") {
                socket.close(4000, "a reason that is somewhat long");
                continue;
            }
            socket.send(*message);
            Memory::Armed off(false);
            talk.got.push_back(std::move(message->payload));
            talk.idle = talk.got.size() == messages.size();
        }
        talk.code = socket.close_code();
    }

    template <class Connect>
    static kvolt::Task<> speak(Connect connect, std::shared_ptr<Talk> talk) {
        struct Ending {
            Talk& talk;
            ~Ending() { talk.over = true; }
        } ending{*talk};
        try {
            co_await use(co_await connect(), *talk);
        } catch (...) {
            talk->failure = std::current_exception();
        }
        talk->lost = false;
    }

    template <class Done>
    void run_until(Done done, std::string_view what = "it hangs") {
        auto why = loop_->run_until(done);
        Memory::Armed off(false);
        if (why) throw test::Wrong(std::string(what) + ": " + why);
    }

    std::shared_ptr<kvolt::detail::MemoryServer> loop_;
    bool armed_ = true;
};

kvolt::ConnectOptions options() {
    kvolt::ConnectOptions options;
    options.compression(kvolt::deflate()).header("X-A-Field-Of-Ours", "a value that needs memory");
    options.backoff({.first = 1ms, .most = 1ms, .attempts = 3});
    return options;
}

void nothing_more(Clients&) {}

}  // namespace

TEST_CASE("a client without memory says so, and connects again once there is some") {
    SECTION("by itself") {
        auto target = GENERATE("/", "/closing");
        bool tls = GENERATE(false, true);
        auto how = options();
        if (tls) how.tls(kvolt::TlsClient().trust_anyone());
        test::fail_each<Clients>(nothing_more, [&](Clients& clients) {
            const kvolt::WebSocketClient client(Clients::server(tls).url(target), how);
            clients.talk([&] { return client.connect(); });
            clients.check();
            clients.talk([&] { return client.connect(); });
        });
    }
    SECTION("after a wait") {
        test::fail_each<Clients>(nothing_more, [&](Clients& clients) {
            kvolt::WebSocketClient client(Clients::server().url("/"), options());
            for (int i = 0; i < 2; ++i) clients.talk([&] { return client.reconnect(); });
            clients.check();
            clients.talk([&] { return client.reconnect(); });
        });
    }
    SECTION("by name") {
        test::fail_each<Clients>(nothing_more, [&](Clients& clients) {
            kvolt::WebSocketClient client(Clients::server().url("/", "localhost"), options());
            clients.talk([&] { return client.connect(); });
            clients.check();
            clients.talk([&] { return client.connect(); });
        });
    }
    SECTION("when it is refused") {
        test::fail_each<Clients>(nothing_more, [&](Clients& clients) {
            kvolt::WebSocketClient gone(Clients::server().url("/gone"), options());
            clients.talk([&] { return gone.reconnect(); }, true);
            clients.check();
        });
    }
}

TEST_CASE("a loop of its own ends when its coroutine has no memory to go on") {
    struct Run {
        void start() {}
        void check() {}
    };
    test::fail_each<Run>([](Run&) {},
                         [](Run&) {
                             auto talk = [](const kvolt::WebSocketClient& client) -> kvolt::Task<std::string> {
                                 auto executor = co_await boost::asio::this_coro::executor;
                                 boost::asio::steady_timer timer(executor, 1us);
                                 co_await timer.async_wait(boost::asio::use_awaitable);
                                 auto socket = co_await client.connect();
                                 auto message = co_await socket.read();
                                 co_return message ? message->payload : "";
                             };
                             const kvolt::WebSocketClient client(Clients::server().url("/"), options());
                             std::string got = messages[0];
                             bool failed = false;
                             try {
                                 Memory::Armed on;
                                 got = kvolt::run(talk(client));
                             } catch (const std::bad_alloc&) {
                                 failed = true;
                             }
                             demand(!failed || Memory::failed(), "it failed without a reason");
                             demand(got == messages[0] || (got.empty() && Memory::failed()), "another message came");
                         });
}
