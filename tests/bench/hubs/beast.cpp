// What examples/broadcast.cpp does, by plain Beast.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::use_awaitable;
using asio::ip::tcp;

struct Session : std::enable_shared_from_this<Session> {
    struct Message {
        std::shared_ptr<const std::string> payload;
        bool text;
    };

    explicit Session(beast::tcp_stream stream) : socket(std::move(stream)) {}

    void send(Message message) {
        queue.push_back(std::move(message));
        if (queue.size() == 1) asio::co_spawn(socket.get_executor(), write(shared_from_this()), asio::detached);
    }

    asio::awaitable<void> write(std::shared_ptr<Session>) {
        for (; !queue.empty(); queue.pop_front()) {
            Message message = queue.front();
            socket.text(message.text);
            co_await socket.async_write(asio::buffer(*message.payload), use_awaitable);
        }
    }

    websocket::stream<beast::tcp_stream> socket;
    std::deque<Message> queue;
};

std::set<std::shared_ptr<Session>> members;

asio::awaitable<void> talk(std::shared_ptr<Session> session) {
    try {
        for (beast::flat_buffer buffer;; buffer.clear()) {
            co_await session->socket.async_read(buffer, use_awaitable);
            auto payload = std::make_shared<const std::string>(beast::buffers_to_string(buffer.data()));
            for (const auto& member : members) member->send({payload, session->socket.got_text()});
        }
    } catch (const std::exception&) {
        members.erase(session);
    }
}

asio::awaitable<void> serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    stream.expires_after(std::chrono::seconds(30));
    co_await http::async_read(stream, buffer, request, use_awaitable);
    if (!websocket::is_upgrade(request) || request.target() != "/ws") {
        http::response<http::string_body> response(http::status::not_found, request.version());
        response.prepare_payload();
        co_await http::async_write(stream, response, use_awaitable);
        co_return;
    }
    stream.expires_never();
    auto session = std::make_shared<Session>(std::move(stream));
    session->socket.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    co_await session->socket.async_accept(request, use_awaitable);
    members.insert(session);
    co_await talk(session);
}

asio::awaitable<void> listen(unsigned short port) {
    auto executor = co_await asio::this_coro::executor;
    tcp::acceptor acceptor(executor, {tcp::v6(), port});
    for (;;) {
        beast::tcp_stream stream(co_await acceptor.async_accept(use_awaitable));
        asio::co_spawn(executor, serve(std::move(stream)), asio::detached);
    }
}

int main() {
    asio::io_context io(1);
    asio::co_spawn(io, listen(8080), [](std::exception_ptr error) { std::rethrow_exception(error); });
    io.run();
}
