// Plain Beast, as its own examples have it: kvolt_bench_beast PORT THREADS [CERTIFICATE KEY]
// A session is a class with a handler for each step, on a strand of its own, with Beast's timeouts; a broadcast is
// shared by all of a room's sessions, each of which queues it and writes one message after the other.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/optional.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using Error = beast::error_code;
using Plain = beast::tcp_stream;
using Secure = beast::ssl_stream<beast::tcp_stream>;
using Text = std::shared_ptr<const std::string>;

constexpr std::size_t mebibyte = 1024 * 1024;
constexpr std::chrono::seconds patience{30};

struct Member : std::enable_shared_from_this<Member> {
    virtual ~Member() = default;
    virtual void send(const Text& message) = 0;
};

class Room {
public:
    void join(Member* member) {
        std::lock_guard lock(mutex_);
        members_.insert(member);
    }

    void leave(Member* member) {
        std::lock_guard lock(mutex_);
        members_.erase(member);
    }

    void broadcast(std::string message) {
        auto shared = std::make_shared<const std::string>(std::move(message));
        std::vector<std::weak_ptr<Member>> members;
        {
            std::lock_guard lock(mutex_);
            members.reserve(members_.size());
            for (Member* member : members_) members.push_back(member->weak_from_this());
        }
        for (const auto& weak : members)
            if (auto member = weak.lock()) member->send(shared);
    }

private:
    std::mutex mutex_;
    std::unordered_set<Member*> members_;
};

class Rooms {
public:
    Room& find(std::string_view name) {
        std::lock_guard lock(mutex_);
        return rooms_[std::string(name)];
    }

private:
    std::mutex mutex_;
    std::map<std::string, Room> rooms_;
};

std::string_view std_view(beast::string_view text) { return {text.data(), text.size()}; }

template <class Stream>
class WebSocketSession final : public Member {
public:
    WebSocketSession(Stream&& stream, Rooms& rooms) : socket_(std::move(stream)), rooms_(rooms) {}
    ~WebSocketSession() override {
        if (room_) room_->leave(this);
    }

    void run(http::request<http::string_body> request) {
        beast::get_lowest_layer(socket_).expires_never();
        socket_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
        socket_.read_message_max(mebibyte);
        std::string_view path = std_view(request.target());
        if (path.starts_with("/deflate/")) {
            websocket::permessage_deflate compression;
            compression.server_enable = true;
            compression.server_no_context_takeover = true;
            compression.client_no_context_takeover = true;
            compression.compLevel = 1;
            socket_.set_option(compression);
        }
        if (path != "/echo") room_ = &rooms_.find(path);
        request_ = std::move(request);
        socket_.async_accept(request_, beast::bind_front_handler(&WebSocketSession::on_accept, self()));
    }

    void send(const Text& message) override {
        asio::post(socket_.get_executor(), beast::bind_front_handler(&WebSocketSession::on_send, self(), message));
    }

private:
    std::shared_ptr<WebSocketSession> self() { return std::static_pointer_cast<WebSocketSession>(shared_from_this()); }

    void on_accept(Error error) {
        if (error) return;
        if (room_) room_->join(this);
        read();
    }

    void read() { socket_.async_read(buffer_, beast::bind_front_handler(&WebSocketSession::on_read, self())); }

    void on_read(Error error, std::size_t) {
        if (error) return;
        std::string message = beast::buffers_to_string(buffer_.data());
        buffer_.consume(buffer_.size());
        socket_.text(socket_.got_text());
        if (room_)
            room_->broadcast(std::move(message));
        else
            on_send(std::make_shared<const std::string>(std::move(message)));
        read();
    }

    void on_send(const Text& message) {
        queue_.push_back(message);
        if (queue_.size() == 1) write();
    }

    void write() {
        socket_.async_write(asio::buffer(*queue_.front()),
                            beast::bind_front_handler(&WebSocketSession::on_write, self()));
    }

    void on_write(Error error, std::size_t) {
        if (error) return;
        queue_.erase(queue_.begin());
        if (!queue_.empty()) write();
    }

    websocket::stream<Stream> socket_;
    Rooms& rooms_;
    Room* room_ = nullptr;
    beast::flat_buffer buffer_;
    http::request<http::string_body> request_;
    std::vector<Text> queue_;
};

http::response<http::string_body> respond(const http::request<http::string_body>& request) {
    http::response<http::string_body> response(http::status::ok, request.version());
    std::string_view path = std_view(request.target());
    response.set(http::field::server, BOOST_BEAST_VERSION_STRING);
    response.set(http::field::content_type, path == "/json" ? "application/json" : "text/plain");
    if (path == "/plaintext")
        response.body() = "Hello, World!";
    else if (path == "/json")
        response.body() = R"({"message":"Hello, World!"})";
    else if (path.starts_with("/users/"))
        response.body() = path.substr(7);
    else
        response.result(http::status::not_found);
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    return response;
}

template <class Stream>
class HttpSession : public std::enable_shared_from_this<HttpSession<Stream>> {
public:
    HttpSession(Stream&& stream, Rooms& rooms) : stream_(std::move(stream)), rooms_(rooms) {}

    void run() {
        if constexpr (std::is_same_v<Stream, Secure>) {
            beast::get_lowest_layer(stream_).expires_after(patience);
            stream_.async_handshake(asio::ssl::stream_base::server,
                                    beast::bind_front_handler(&HttpSession::on_handshake, this->shared_from_this()));
        } else {
            read();
        }
    }

private:
    void on_handshake(Error error) {
        if (!error) read();
    }

    void read() {
        parser_.emplace();
        parser_->body_limit(mebibyte);
        beast::get_lowest_layer(stream_).expires_after(patience);
        http::async_read(stream_, buffer_, *parser_,
                         beast::bind_front_handler(&HttpSession::on_read, this->shared_from_this()));
    }

    void on_read(Error error, std::size_t) {
        if (error) return;
        if (websocket::is_upgrade(parser_->get())) {
            std::make_shared<WebSocketSession<Stream>>(std::move(stream_), rooms_)->run(parser_->release());
            return;
        }
        response_ = respond(parser_->get());
        http::async_write(stream_, response_,
                          beast::bind_front_handler(&HttpSession::on_write, this->shared_from_this()));
    }

    void on_write(Error error, std::size_t) {
        if (!error && response_.keep_alive()) read();
    }

    Stream stream_;
    Rooms& rooms_;
    beast::flat_buffer buffer_;
    boost::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
};

class Listener {
public:
    /// @param tls  Or nullptr.
    Listener(asio::io_context& io, unsigned short port, asio::ssl::context* tls)
        : io_(io), acceptor_(io, {asio::ip::address_v4::loopback(), port}), tls_(tls) {
        acceptor_.listen(4096);
        accept();
    }

private:
    void accept() {
        acceptor_.async_accept(asio::make_strand(io_), beast::bind_front_handler(&Listener::on_accept, this));
    }

    void on_accept(Error error, tcp::socket socket) {
        if (error) return accept();
        socket.set_option(tcp::no_delay(true), error);
        if (tls_)
            std::make_shared<HttpSession<Secure>>(Secure(Plain(std::move(socket)), *tls_), rooms_)->run();
        else
            std::make_shared<HttpSession<Plain>>(Plain(std::move(socket)), rooms_)->run();
        accept();
    }

    asio::io_context& io_;
    tcp::acceptor acceptor_;
    asio::ssl::context* const tls_;
    Rooms rooms_;
};

void serve(const std::vector<std::string>& arguments) {
    int threads = std::stoi(arguments.at(1));
    asio::io_context io(threads);
    asio::ssl::context tls(asio::ssl::context::tls_server);
    if (arguments.size() > 2) {
        tls.use_certificate_chain_file(arguments.at(2));
        tls.use_private_key_file(arguments.at(3), asio::ssl::context::pem);
    }
    Listener listener(io, static_cast<unsigned short>(std::stoul(arguments.at(0))),
                      arguments.size() > 2 ? &tls : nullptr);
    asio::signal_set stop(io, SIGTERM);
    stop.async_wait([&](Error, int) { std::_Exit(0); });
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back([&] { io.run(); });
    io.run();
}

}  // namespace

int main(int argc, char** argv) try { serve({argv + 1, argv + argc}); } catch (const std::exception& error) {
    std::cerr << "usage: kvolt_bench_beast PORT THREADS [CERTIFICATE KEY]\n" << error.what() << '\n';
    return 1;
}
