// A client for websocket_client_test.py: it sends back what it gets until that is "bye", and then closes. Prints how it
// went, in one line.

#include <kvolt/deflate.hpp>
#include <kvolt/run.hpp>
#include <kvolt/tls_client.hpp>
#include <kvolt/websocket_client.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <string_view>

namespace {

kvolt::Task<> echo(std::string url, kvolt::ConnectOptions options) {
    kvolt::WebSocketClient client(url, options);
    kvolt::WebSocket socket = co_await client.connect();
    while (auto message = co_await socket.read()) {
        if (message->payload == "bye") {
            socket.close(4001, "by the client");
            break;
        }
        socket.send(*message);
        co_await socket.drained();
    }
    std::cout << "protocol \"" << socket.protocol() << "\", closed " << socket.close_code() << ' '
              << socket.close_reason() << '\n';
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::cerr << "usage: " << argv[0] << " URL [ca=FILE] [deflate | takeover=WINDOW_BITS]\n";
        return 2;
    }
    kvolt::Limits limits;
    limits.message_size = 16 * 1024 * 1024;
    limits.backlog.bytes = 32 * 1024 * 1024;
    kvolt::ConnectOptions options;
    options.protocols({"chat.v2", "chat.v1"}).header("Authorization", "Bearer 7").limits(limits);
    kvolt::TlsClient tls;
    for (int i = 2; i < argc; ++i) {
        std::string_view argument = argv[i], value = argument.substr(argument.find('=') + 1);
        if (argument.starts_with("ca=")) tls.ca_file(std::string(value));
        if (argument == "deflate") options.compression(kvolt::deflate());
        if (argument.starts_with("takeover=")) {
            kvolt::DeflateOptions deflate;
            deflate.context_takeover().min_size(1).window_bits(std::stoi(std::string(value)));
            options.compression(kvolt::deflate(deflate));
        }
    }
    options.tls(tls);
    kvolt::run(echo(argv[1], options));
} catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
}
