#ifndef KVOLT_TESTS_SERVER_CROWD_HPP
#define KVOLT_TESTS_SERVER_CROWD_HPP

#include "client.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace test {

/// Let this process open as many descriptors as it may, and tell how many that are.
inline std::size_t raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<std::size_t>(limit.rlim_cur);
}

/// Many WebSocket clients in one thread, none of which waits for another.
class Crowd {
public:
    using OnFrame = std::function<void(std::size_t member, int opcode, std::string_view payload)>;

    Crowd(unsigned short port, OnFrame on_frame) : port_(port), on_frame_(std::move(on_frame)) {}
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;

    ~Crowd() {
        for (std::size_t i = 0; i < members_.size(); ++i) leave(i);
        ::close(epoll_);
    }

    std::size_t size() const { return members_.size(); }

    /// Connect one more and send its handshake; returns its number. Its frames come once run_until() runs.
    std::size_t join(std::string_view path = "/ws", int receive_buffer = 0) {
        members_.emplace_back();
        rejoin(members_.size() - 1, path, receive_buffer);
        return members_.size() - 1;
    }

    void rejoin(std::size_t member, std::string_view path = "/ws", int receive_buffer = 0) {
        leave(member);
        int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket < 0) fail("socket");
        members_[member] = Member();
        members_[member].socket = socket;
        if (receive_buffer > 0) ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("connect");
        watch(member, EPOLL_CTL_ADD);
        send(member, handshake_request(path));
    }

    /// Close the connection, without a word.
    void leave(std::size_t member, bool reset = false) {
        int socket = std::exchange(members_[member].socket, -1);
        if (socket < 0) return;
        linger now{1, 0};
        if (reset) ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        ::close(socket);
    }

    /// Send whole frames, as far as the peer takes them now; the rest follows in run_until().
    void send(std::size_t member, std::string_view bytes) {
        members_[member].unsent += bytes;
        write(member);
    }

    /// Read no more, or read again.
    void read(std::size_t member, bool on) {
        members_[member].reading = on;
        watch(member, EPOLL_CTL_MOD);
    }

    /// True if the server has ended the connection.
    bool ended(std::size_t member) const { return members_[member].socket < 0; }

    /// Read and write until `done()`; false if it is not for so long.
    template <class Done>
    bool run_until(Done done, std::chrono::milliseconds limit = std::chrono::seconds(30)) {
        auto end = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            run_once(1);
        }
        return true;
    }

    /// Do what can be done now.
    void run_once(int milliseconds = 0) {
        epoll_event events[256];
        int count = ::epoll_wait(epoll_, events, 256, milliseconds);
        for (int i = 0; i < count; ++i) {
            std::size_t member = events[i].data.u64;
            if (events[i].events & EPOLLOUT) write(member);
            if (events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) receive(member);
        }
    }

private:
    struct Member {
        int socket = -1;
        bool reading = true;
        bool upgraded = false;
        std::string received, unsent;
    };

    void watch(std::size_t member, int operation) {
        Member& m = members_[member];
        if (m.socket < 0) return;
        epoll_event event{};
        event.events = (m.reading ? EPOLLIN : 0u) | (m.unsent.empty() ? 0u : EPOLLOUT);
        event.data.u64 = member;
        ::epoll_ctl(epoll_, operation, m.socket, &event);
    }

    void write(std::size_t member) {
        Member& m = members_[member];
        if (m.socket < 0) return;
        bool waited = false;
        while (!m.unsent.empty() && !waited) {
            ssize_t size = ::send(m.socket, m.unsent.data(), m.unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            waited = size < 0;
            if (size > 0) m.unsent.erase(0, static_cast<std::size_t>(size));
        }
        watch(member, EPOLL_CTL_MOD);
    }

    void receive(std::size_t member) {
        static char bytes[65536];
        Member& m = members_[member];
        if (m.socket < 0) return;
        ssize_t size = ::recv(m.socket, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) return leave(member);
        m.received.append(bytes, static_cast<std::size_t>(size));
        std::size_t used = 0;
        if (!m.upgraded) {
            std::size_t end = m.received.find("\r\n\r\n");
            if (end == std::string::npos) return;
            if (!m.received.starts_with("HTTP/1.1 101 ")) throw std::runtime_error("no upgrade: " + m.received);
            m.upgraded = true;
            used = end + 4;
        }
        while (std::size_t whole = take_frame(member, std::string_view(m.received).substr(used))) used += whole;
        m.received.erase(0, used);
    }

    // The size of the frame at the front; 0 if it is not there yet.
    std::size_t take_frame(std::size_t member, std::string_view bytes) {
        if (bytes.size() < 2) return 0;
        std::size_t length = static_cast<unsigned char>(bytes[1]), head = length < 126 ? 2 : length == 126 ? 4 : 10;
        if (bytes.size() < head) return 0;
        if (head > 2) length = 0;
        for (std::size_t i = 2; i < head; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
        if (bytes.size() - head < length) return 0;
        on_frame_(member, bytes[0] & 15, bytes.substr(head, length));
        return head + length;
    }

    [[noreturn]] static void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

    unsigned short port_;
    OnFrame on_frame_;
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Member> members_;
};

}  // namespace test

#endif
