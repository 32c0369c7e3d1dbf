// What examples/broadcast.cpp does, by websocketpp.
#include <functional>
#include <memory>
#include <set>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

using Server = websocketpp::server<websocketpp::config::asio>;
using websocketpp::connection_hdl;

int main() {
    Server server;
    std::set<connection_hdl, std::owner_less<connection_hdl>> members;

    server.init_asio();
    server.set_reuse_addr(true);
    server.set_open_handler([&](connection_hdl socket) { members.insert(socket); });
    server.set_close_handler([&](connection_hdl socket) { members.erase(socket); });
    server.set_message_handler([&](connection_hdl, Server::message_ptr message) {
        websocketpp::lib::error_code error;
        for (const auto& member : members) server.send(member, message, error);
    });

    server.listen(8080);
    server.start_accept();
    server.run();
}
