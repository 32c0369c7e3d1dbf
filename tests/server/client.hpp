#ifndef KVOLT_TESTS_SERVER_CLIENT_HPP
#define KVOLT_TESTS_SERVER_CLIENT_HPP

// A blocking client that sends exactly the bytes it is told to, and shares no code with the server.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace test {

inline constexpr std::size_t mebibyte = 1024 * 1024;

struct Response {
    int status = 0;
    std::map<std::string, std::string> fields;  ///< Names in lower case; equal ones joined by ", ".
    std::string body;

    std::string field(const std::string& name) const {
        auto found = fields.find(name);
        return found == fields.end() ? std::string() : found->second;
    }
};

enum Opcode { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct Frame {
    bool fin = true;
    int opcode = 0;
    std::string payload;
    bool compressed = false;
};

inline std::string frame(int opcode, std::string_view payload, bool fin = true, bool mask = true) {
    std::string out(1, static_cast<char>((fin ? 0x80 : 0) | opcode));
    std::size_t size = payload.size();
    int more = size < 126 ? 0 : size < 65536 ? 2 : 8;
    out += static_cast<char>((mask ? 0x80 : 0) | (more == 0 ? static_cast<int>(size) : more == 2 ? 126 : 127));
    for (int i = more - 1; i >= 0; --i) out += static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * i));
    if (!mask) return out += payload;
    constexpr std::string_view key = "\x12\x34\x56\x78";
    out += key;
    for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
    return out;
}

inline std::string close_payload(int code, std::string_view reason = {}) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
    return payload += reason;
}

/// 1005 for a close frame without a code.
inline int close_code(std::string_view payload) {
    if (payload.size() < 2) return 1005;
    return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
}

/// The request that asks for a WebSocket; `fields` are further lines, each with its CR LF.
inline std::string handshake_request(std::string_view path, std::string_view fields = {}) {
    return "GET " + std::string(path) +
           " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           std::string(fields) + "\r\n";
}

/// What a client speaks over its socket, such as TLS; like ::send and ::recv.
class Layer {
public:
    virtual ~Layer() = default;
    virtual ssize_t send(const char* bytes, std::size_t size) = 0;
    virtual ssize_t receive(char* bytes, std::size_t size) = 0;

    /// Say that nothing more will be sent; reading goes on.
    virtual void half_close() = 0;

    /// True if the peer has said so.
    virtual bool closed_properly() const = 0;
};

/// Whatever it reads has to come within 5 s, or it throws.
class Client {
public:
    explicit Client(unsigned short port, int receive_buffer = 0) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connect(address, receive_buffer);
    }

    static Client v6(unsigned short port) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        address.sin6_addr = in6addr_loopback;
        Client client;
        client.connect(address, 0);
        return client;
    }

    static Client unix_socket(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        Client client;
        client.connect(address, 0);
        return client;
    }

    /// The other end of a connection that was accepted.
    static Client accepted(int socket) {
        Client client;
        client.socket_ = socket;
        client.set_timeouts();
        return client;
    }

    Client(Client&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)),
          received_(std::move(other.received_)),
          layer_(std::move(other.layer_)) {}
    Client& operator=(Client&&) = delete;
    ~Client() { close(); }

    int socket() const { return socket_; }

    /// Speak by way of this from now on.
    void layer(std::unique_ptr<Layer> layer) { layer_ = std::move(layer); }

    /// False if the peer is gone.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            ssize_t size = layer_ ? layer_->send(bytes.data(), bytes.size())
                                  : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size < 0 && errno == EINTR) continue;
            if (size < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
            if (size < 0) fail("send");
            bytes.remove_prefix(static_cast<std::size_t>(size));
        }
        return true;
    }

    /// Send what the peer has room for now; 0 if it takes nothing for so long.
    std::size_t send_some(std::string_view bytes, int milliseconds) {
        pollfd wait{socket_, POLLOUT, 0};
        if (::poll(&wait, 1, milliseconds) == 0) return 0;
        ssize_t size = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return size > 0 ? static_cast<std::size_t>(size) : 0;
    }

    /// Nothing more will be sent; reading goes on.
    void half_close() {
        if (layer_)
            layer_->half_close();
        else
            ::shutdown(socket_, SHUT_WR);
    }

    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }

    /// Vanish: the peer gets a reset.
    void reset() {
        linger now{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

    /// True once there is something to read, or the peer has closed.
    bool readable(std::chrono::milliseconds within) {
        pollfd wanted{socket_, POLLIN, 0};
        return !received_.empty() || ::poll(&wanted, 1, static_cast<int>(within.count())) > 0;
    }

    /// Read exactly this many bytes.
    std::string read(std::size_t size) {
        while (received_.size() < size)
            if (!receive())
                throw std::runtime_error("the connection ended after " + std::to_string(received_.size()) +
                                         " bytes: " + received_.substr(0, 200));
        std::string bytes = received_.substr(0, size);
        received_.erase(0, size);
        return bytes;
    }

    /// Read until the peer closes, or resets.
    std::string read_to_end() {
        while (receive()) {
        }
        return std::exchange(received_, {});
    }

    /// Whether the connection has ended by a reset.
    bool was_reset() const { return reset_; }

    /// True if the peer closes now, as it should, and sends nothing more.
    bool ended() { return read_to_end().empty() && (!layer_ || layer_->closed_properly()); }

    /// @param head  It answers HEAD: there is no body.
    Response read_response(bool head = false) {
        std::size_t end;
        while ((end = received_.find("\r\n\r\n")) == std::string::npos)
            if (!receive())
                throw std::runtime_error("the connection ended inside a response: " + received_.substr(0, 200));
        std::string lines = read(end + 4);
        lines.resize(end + 2);
        if (!lines.starts_with("HTTP/1.1 ")) throw std::runtime_error("not a response: " + lines);
        Response response;
        response.status = std::stoi(lines.substr(9, 3));
        for (std::size_t at = lines.find("\r\n") + 2; at < lines.size(); at = lines.find("\r\n", at) + 2) {
            std::size_t colon = lines.find(": ", at);
            std::string name = lines.substr(at, colon - at),
                        value = lines.substr(colon + 2, lines.find("\r\n", at) - colon - 2);
            for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            auto [place, first] = response.fields.emplace(name, value);
            if (!first) place->second += ", " + value;
        }
        bool bodiless = head || response.status < 200 || response.status == 204 || response.status == 304;
        if (bodiless) return response;
        if (response.fields.contains("content-length"))
            response.body = read(std::stoul(response.fields.at("content-length")));
        else if (response.field("transfer-encoding") == "chunked")
            while (read_chunk(response.body)) {
            }
        else
            response.body = read_to_end();
        return response;
    }

    /// Append the next chunk of a body; false if it is the last one, which is empty.
    bool read_chunk(std::string& body) {
        std::size_t size = std::stoul(read_line(), nullptr, 16);
        body += read(size);
        if (!read_line().empty()) throw std::runtime_error("a chunk is longer than it says");
        return size > 0;
    }

    std::string read_line() {
        std::size_t end;
        while ((end = received_.find("\r\n")) == std::string::npos)
            if (!receive()) throw std::runtime_error("the connection ended inside a line: " + received_.substr(0, 200));
        std::string line = read(end + 2);
        line.resize(end);
        return line;
    }

    Response request(std::string_view bytes) {
        send(bytes);
        return read_response(bytes.starts_with("HEAD "));
    }

    Response get(std::string_view target, std::string_view fields = {}) {
        return request("GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) +
                       "\r\n");
    }

    Response post(std::string_view target, std::string_view body, std::string_view fields = {}) {
        return request("POST " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" + std::string(body));
    }

    // WebSocket

    Response handshake(std::string_view path, std::string_view fields = {}) {
        return request(handshake_request(path, fields));
    }

    bool send_frame(int opcode, std::string_view payload, bool fin = true, bool mask = true) {
        return send(frame(opcode, payload, fin, mask));
    }

    Frame read_frame() {
        std::string head = read(2);
        std::size_t size = head[1] & 127;
        if (size > 125) {
            std::string length = read(size == 126 ? 2 : 8);
            size = 0;
            for (char c : length) size = size << 8 | static_cast<unsigned char>(c);
        }
        if (head[1] & 0x80) throw std::runtime_error("a masked frame from the server");
        return {(head[0] & 0x80) != 0, head[0] & 15, read(size), (head[0] & 0x40) != 0};
    }

private:
    Client() = default;

    template <class Address>
    void connect(const Address& address, int receive_buffer) {
        auto general = reinterpret_cast<const sockaddr*>(&address);
        socket_ = ::socket(general->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket_ < 0) fail("socket");
        set_timeouts();
        if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        if (::connect(socket_, general, sizeof address) == 0) return;
        int error = errno;
        close();
        throw std::system_error(error, std::generic_category(), "connect");
    }

    void set_timeouts() {
        timeval timeout{5, 0};
        int on = 1;
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    // False at the end.
    bool receive() {
        char bytes[16384];
        ssize_t size;
        do size = layer_ ? layer_->receive(bytes, sizeof bytes) : ::recv(socket_, bytes, sizeof bytes, 0);
        while (size < 0 && errno == EINTR);
        reset_ = size < 0 && errno == ECONNRESET;
        if (size < 0 && !reset_) fail(errno == EAGAIN ? "nothing received for 5 s" : "receive");
        if (size > 0) received_.append(bytes, static_cast<std::size_t>(size));
        return size > 0;
    }

    [[noreturn]] static void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

    int socket_ = -1;
    bool reset_ = false;
    std::string received_;
    std::unique_ptr<Layer> layer_;
};

inline bool refuses_connections(unsigned short port) {
    try {
        Client client(port);
        return false;
    } catch (const std::system_error& error) {
        return error.code() == std::errc::connection_refused;
    }
}

}  // namespace test

#endif
