// The floor: kvolt_bench_floor PORT, the least that a server of one thread can do for these protocols on this kernel,
// to measure the others against. It checks nothing, has no limits and no time-outs, and is not a server to use.

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Room {
    std::vector<int> members;
    std::string turn;  // what they are all sent at its end
};

struct Connection {
    bool websocket = false;
    Room* room = nullptr;  // or it echoes
    std::string in, out;   // that could not be read or written yet
};

std::string accept_key(std::string_view key) {
    std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
    std::array<unsigned char, 32> base64{};
    EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(hash.size()));
    return reinterpret_cast<const char*>(base64.data());
}

std::string respond(std::string_view path) {
    std::string_view body = path == "/json" ? R"({"message":"Hello, World!"})" : "Hello, World!";
    if (path.starts_with("/users/")) body = path.substr(7);
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
}

/// Eight bytes at once, as far as they go.
void unmask(char* bytes, std::size_t size, const char* mask) {
    std::uint64_t key = 0, word = 0;
    std::memcpy(&key, mask, 4);
    key |= key << 32;
    std::size_t i = 0;
    for (; i + sizeof word <= size; i += sizeof word) {
        std::memcpy(&word, bytes + i, sizeof word);
        word ^= key;
        std::memcpy(bytes + i, &word, sizeof word);
    }
    for (; i < size; ++i) bytes[i] = static_cast<char>(bytes[i] ^ mask[i & 3]);
}

void append_frame(std::string& out, char opcode, const char* payload, std::size_t size, const char* mask) {
    out += static_cast<char>(0x80 | opcode);
    std::size_t bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
    out += static_cast<char>(bytes == 0 ? size : bytes == 2 ? 126 : 127);
    while (bytes > 0) out += static_cast<char>(size >> (8 * --bytes));
    std::size_t begin = out.size();
    out.append(payload, size);
    unmask(out.data() + begin, size, mask);
}

class Floor {
public:
    explicit Floor(unsigned short port) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        connections_.resize(limit.rlim_cur);

        int on = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 4096) != 0)
            throw std::runtime_error("the port is taken");
        watch(listener_, EPOLLIN);
    }

    void run() {
        for (epoll_event events[1024];;) {
            int count = epoll_wait(epoll_, events, 1024, -1);
            for (int i = 0; i < count; ++i) {
                int fd = events[i].data.fd;
                if (fd == listener_) {
                    accept();
                    continue;
                }
                Connection& connection = connections_[static_cast<std::size_t>(fd)];
                if ((events[i].events & EPOLLOUT) != 0 && !connection.out.empty())
                    send(fd, std::exchange(connection.out, {}));
                if ((events[i].events & EPOLLIN) != 0) receive(fd, connection);
            }
            for (Room* room : busy_) {
                for (int member : room->members) send(member, room->turn);
                room->turn.clear();
            }
            busy_.clear();
        }
    }

private:
    void watch(int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    void accept() {
        int on = 1;
        for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            connections_[static_cast<std::size_t>(fd)] = {};
            watch(fd, EPOLLIN | EPOLLOUT | EPOLLET);
        }
    }

    void send(int fd, std::string_view bytes) {
        Connection& connection = connections_[static_cast<std::size_t>(fd)];
        if (!connection.out.empty()) {
            connection.out += bytes;
            return;
        }
        ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        bytes.remove_prefix(sent < 0 ? 0 : static_cast<std::size_t>(sent));
        connection.out = bytes;
    }

    void receive(int fd, Connection& connection) {
        for (ssize_t size = static_cast<ssize_t>(buffer_.size()); size == static_cast<ssize_t>(buffer_.size());) {
            size = recv(fd, buffer_.data(), buffer_.size(), 0);
            if (size == 0 || (size < 0 && errno != EAGAIN)) return close(fd, connection);
            if (size < 0) return;
            std::string_view bytes(buffer_.data(), static_cast<std::size_t>(size));
            if (!connection.in.empty()) bytes = connection.in += bytes;
            reply_.clear();
            std::string_view rest = bytes;
            if (!connection.websocket) rest = take_requests(fd, connection, rest);
            if (connection.websocket) rest = take_frames(connection, rest);
            connection.in = std::string(rest);
            if (!reply_.empty()) send(fd, reply_);
        }
    }

    void close(int fd, Connection& connection) {
        if (connection.room) std::erase(connection.room->members, fd);
        connection = {};
        ::close(fd);
    }

    std::string_view take_requests(int fd, Connection& connection, std::string_view bytes) {
        constexpr std::string_view key = "Sec-WebSocket-Key: ";
        for (std::size_t end; !connection.websocket && (end = bytes.find("\r\n\r\n")) != bytes.npos;) {
            std::string_view head = bytes.substr(0, end);
            bytes.remove_prefix(end + 4);
            std::string_view path = head.substr(4, head.find(' ', 4) - 4);
            std::size_t field = head.find(key);
            if (field == head.npos) {
                reply_ += respond(path);
                continue;
            }
            reply_ +=
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: " +
                accept_key(head.substr(field + key.size(), 24)) + "\r\n\r\n";
            connection.websocket = true;
            if (path == "/echo") continue;
            connection.room = &rooms_[std::string(path)];
            connection.room->members.push_back(fd);
        }
        return bytes;
    }

    std::string_view take_frames(Connection& connection, std::string_view bytes) {
        while (bytes.size() >= 6) {
            std::size_t length = static_cast<unsigned char>(bytes[1]) & 127, head = 2;
            std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
            if (bytes.size() < head + more) break;
            if (more > 0) length = 0;
            for (; more > 0; --more) length = length << 8 | static_cast<unsigned char>(bytes[head++]);
            if (bytes.size() < head + 4 + length) break;
            take_frame(connection, static_cast<char>(bytes[0] & 15), bytes.data() + head, length);
            bytes.remove_prefix(head + 4 + length);
        }
        return bytes;
    }

    void take_frame(Connection& connection, char opcode, const char* masked, std::size_t size) {
        if (opcode == 9) opcode = 10;  // a ping
        if (opcode > 2 || !connection.room) return append_frame(reply_, opcode, masked + 4, size, masked);
        if (connection.room->turn.empty()) busy_.push_back(connection.room);
        append_frame(connection.room->turn, opcode, masked + 4, size, masked);
    }

    const int listener_;
    const int epoll_ = epoll_create1(0);
    std::vector<Connection> connections_;  // by their descriptors
    std::map<std::string, Room> rooms_;
    std::vector<Room*> busy_;  // in this turn
    std::string reply_;
    std::vector<char> buffer_ = std::vector<char>(512 * 1024);
};

}  // namespace

int main(int argc, char** argv) try {
    Floor(static_cast<unsigned short>(argc > 1 ? std::stoul(argv[1]) : 0)).run();
} catch (const std::exception& error) {
    std::cerr << "usage: kvolt_bench_floor PORT\n" << error.what() << '\n';
    return 1;
}
