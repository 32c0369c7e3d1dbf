#ifndef KVOLT_TESTS_SERVER_RAW_SERVER_HPP
#define KVOLT_TESTS_SERVER_RAW_SERVER_HPP

// A server that does exactly what a test tells it to, for the connections of one client after the other.

#include "client.hpp"
#include <kvolt/detail/websocket/handshake.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cerrno>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace test {

/// A port on the loopback that is listened on, where connections wait until somebody accepts them.
class Listening {
public:
    explicit Listening(int backlog = 16) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto general = reinterpret_cast<sockaddr*>(&address);
        if (::bind(socket_, general, size) != 0 || ::listen(socket_, backlog) != 0 ||
            ::getsockname(socket_, general, &size) != 0)
            throw std::system_error(errno, std::generic_category(), "listen");
        port_ = ntohs(address.sin_port);
    }

    ~Listening() { close(); }

    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    unsigned short port() const { return port_; }

    /// -1 once it is shut down.
    int accept() { return ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); }

    /// Let accept() return.
    void shut_down() { ::shutdown(socket_, SHUT_RDWR); }

    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }

private:
    int socket_;
    unsigned short port_ = 0;
};

/// Serves in a thread of its own, one connection at a time.
class RawServer {
public:
    /// @param serve  Called for each connection, which is closed when it returns. What it throws is ignored: the client
    ///               has gone.
    explicit RawServer(std::function<void(Client&)> serve)
        : thread_([this, serve = std::move(serve)] {
              for (int socket = listening_.accept(); socket >= 0; socket = listening_.accept()) try {
                      Client client = Client::accepted(socket);
                      serve(client);
                  } catch (const std::exception&) {
                  }
          }) {}

    ~RawServer() {
        listening_.shut_down();
        thread_.join();
    }

    unsigned short port() const { return listening_.port(); }
    std::string url() const { return "ws://127.0.0.1:" + std::to_string(port()) + "/ws"; }

private:
    Listening listening_;
    std::thread thread_;
};

/// Read a request's head.
inline std::string read_head(Client& client) {
    std::string head;
    for (std::string line = client.read_line(); !line.empty(); line = client.read_line()) head += line + "\r\n";
    return head;
}

/// The value of Sec-WebSocket-Accept that it asks for.
inline std::string accept_for(const std::string& head) {
    constexpr std::string_view name = "Sec-WebSocket-Key: ";
    std::size_t begin = head.find(name) + name.size();
    return kvolt::detail::accept_key(head.substr(begin, head.find("\r\n", begin) - begin));
}

/// A proper answer to a handshake; `fields` are further lines, each with its CR LF.
inline std::string handshake_answer(const std::string& head, std::string_view fields = {}) {
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
           accept_for(head) + "\r\n" + std::string(fields) + "\r\n";
}

/// A frame that a client has sent.
struct MaskedFrame {
    int opcode = 0;
    std::string mask, payload;
    bool compressed = false;
};

inline MaskedFrame read_masked_frame(Client& client) {
    std::string head = client.read(2);
    std::size_t size = head[1] & 127;
    if ((head[1] & 0x80) == 0) throw std::runtime_error("a frame without a mask");
    if (size > 125) {
        std::string length = client.read(size == 126 ? 2 : 8);
        size = 0;
        for (char c : length) size = size << 8 | static_cast<unsigned char>(c);
    }
    MaskedFrame frame{head[0] & 15, client.read(4), {}, (head[0] & 0x40) != 0};
    frame.payload = client.read(size);
    for (std::size_t i = 0; i < size; ++i) frame.payload[i] = static_cast<char>(frame.payload[i] ^ frame.mask[i % 4]);
    return frame;
}

}  // namespace test

#endif
