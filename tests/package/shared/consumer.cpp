#include "greeter.hpp"
#include <kvolt/connect_error.hpp>
#include <kvolt/run.hpp>
#include <kvolt/websocket_client.hpp>

#include <stdexcept>
#include <string>

namespace {

kvolt::Task<bool> is_greeted(std::string url) {
    kvolt::WebSocketClient client(url);
    auto socket = co_await client.connect();
    socket.send("consumer");
    auto message = co_await socket.read();
    co_return message && message->payload == "hello, consumer";
}

bool names_the_file() {
    try {
        load_certificate("/nowhere/certificate.pem");
    } catch (const std::runtime_error& error) {
        return std::string(error.what()).find("/nowhere/certificate.pem") != std::string::npos;
    }
    return false;
}

// What one of the two throws, the other can catch.
bool catches_errors() {
    try {
        connect("ws://127.0.0.1:1/");
    } catch (const kvolt::ConnectError& error) {
        return error.reason() == kvolt::ConnectError::Reason::network;
    }
    return false;
}

}  // namespace

int main() {
    Greeter greeter;
    bool greeted = kvolt::run(is_greeted("ws://127.0.0.1:" + std::to_string(greeter.port()) + "/ws"));
    return greeted && names_the_file() && catches_errors() ? 0 : 1;
}
