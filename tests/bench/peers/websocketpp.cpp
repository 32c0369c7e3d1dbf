// websocketpp, as its examples have it: kvolt_bench_websocketpp PORT THREADS [CERTIFICATE KEY]
// No compression, and HTTP is not what it is for. It compiles as C++17 at most.

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include <websocketpp/config/asio.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

namespace {

using websocketpp::connection_hdl;
using Context = websocketpp::lib::asio::ssl::context;

/// The library's own log is off, as its benchmarks have it.
template <class Config>
class Server {
public:
    using Endpoint = websocketpp::server<Config>;

    Server() {
        endpoint_.clear_access_channels(websocketpp::log::alevel::all);
        endpoint_.clear_error_channels(websocketpp::log::elevel::all);
        endpoint_.init_asio();
        endpoint_.set_reuse_addr(true);
        endpoint_.set_listen_backlog(4096);
        endpoint_.set_tcp_post_init_handler([this](connection_hdl handle) {
            websocketpp::lib::asio::error_code error;
            endpoint_.get_con_from_hdl(handle)->get_raw_socket().set_option(
                websocketpp::lib::asio::ip::tcp::no_delay(true), error);
        });
        endpoint_.set_open_handler([this](connection_hdl handle) { join(handle); });
        endpoint_.set_close_handler([this](connection_hdl handle) { leave(handle); });
        endpoint_.set_message_handler(
            [this](connection_hdl handle, typename Endpoint::message_ptr message) { on_message(handle, message); });
    }

    Endpoint& endpoint() { return endpoint_; }

    void run(unsigned short port, int threads) {
        endpoint_.listen(
            websocketpp::lib::asio::ip::tcp::endpoint(websocketpp::lib::asio::ip::address_v4::loopback(), port));
        endpoint_.start_accept();
        for (int i = 1; i < threads; ++i) std::thread([this] { endpoint_.run(); }).detach();
        endpoint_.run();
    }

private:
    using Members = std::set<connection_hdl, std::owner_less<connection_hdl>>;

    std::string path(connection_hdl handle) { return endpoint_.get_con_from_hdl(handle)->get_resource(); }

    void join(connection_hdl handle) {
        std::lock_guard lock(mutex_);
        rooms_[path(handle)].insert(handle);
    }

    void leave(connection_hdl handle) {
        std::lock_guard lock(mutex_);
        rooms_[path(handle)].erase(handle);
    }

    void on_message(connection_hdl handle, typename Endpoint::message_ptr message) {
        websocketpp::lib::error_code error;
        std::string room = path(handle);
        if (room == "/echo") return endpoint_.send(handle, message->get_payload(), message->get_opcode(), error);
        std::lock_guard lock(mutex_);
        for (const connection_hdl& member : rooms_[room]) endpoint_.send(member, message, error);
    }

    Endpoint endpoint_;
    std::mutex mutex_;
    std::map<std::string, Members> rooms_;
};

void serve(const std::vector<std::string>& arguments) {
    auto port = static_cast<unsigned short>(std::stoul(arguments.at(0)));
    int threads = std::stoi(arguments.at(1));
    if (arguments.size() == 2) return Server<websocketpp::config::asio>().run(port, threads);
    Server<websocketpp::config::asio_tls> server;
    server.endpoint().set_tls_init_handler([&](connection_hdl) {
        auto context = std::make_shared<Context>(Context::tls_server);
        context->use_certificate_chain_file(arguments.at(2));
        context->use_private_key_file(arguments.at(3), Context::pem);
        return context;
    });
    server.run(port, threads);
}

}  // namespace

int main(int argc, char** argv) try {
    std::signal(SIGTERM, [](int) { std::_Exit(0); });
    serve({argv + 1, argv + argc});
} catch (const std::exception& error) {
    std::cerr << "usage: kvolt_bench_websocketpp PORT THREADS [CERTIFICATE KEY]\n" << error.what() << '\n';
    return 1;
}
