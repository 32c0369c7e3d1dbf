#ifndef KVOLT_DETAIL_TESTING_MEMORY_STREAM_HPP
#define KVOLT_DETAIL_TESTING_MEMORY_STREAM_HPP

// A connection without a socket, for the test kit: bytes in memory, both ways.

#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/net/loop.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// Bytes on their way from one end of a connection to the other.
class MemoryPipe {
public:
    std::size_t size() const noexcept { return bytes_.size() - begin_; }

    void push(std::string_view bytes) {
        if (begin_ > 0 && begin_ >= size()) bytes_.erase(0, std::exchange(begin_, 0));
        bytes_ += bytes;
    }

    /// Take the bytes that fit into `to`; returns how many those are.
    std::size_t pop(boost::asio::mutable_buffer to) {
        std::size_t size = (std::min)(to.size(), this->size());
        if (size > 0) std::memcpy(to.data(), bytes_.data() + begin_, size);
        begin_ += size;
        if (this->size() == 0) clear();
        return size;
    }

    std::string pop_all() {
        std::string all = std::move(bytes_).substr(begin_);
        clear();
        return all;
    }

    void clear() noexcept {
        std::string().swap(bytes_);
        begin_ = 0;
    }

private:
    std::string bytes_;
    std::size_t begin_ = 0;
};

/// Both ends of a connection: the server has the one as a MemoryStream, the client in the same thread has this.
///
/// What one end does, the other one sees at once. What the server waits for completes by post.
class MemoryConnection : public std::enable_shared_from_this<MemoryConnection> {
public:
    using Error = boost::system::error_code;

    /// @param room  How many bytes the server can send that the client has not taken.
    MemoryConnection(Loop::executor_type executor, std::size_t room)
        : executor_(std::move(executor)), room_(std::max<std::size_t>(room, 1)) {}

    // The client's end

    /// False if the server does not take any more.
    bool send(std::string_view bytes) {
        if (server_closed_ || client_ended_) return false;
        to_server_.push(bytes);
        wake_reader();
        return true;
    }

    /// Nothing more will be sent.
    void end() {
        client_ended_ = true;
        wake_reader();
    }

    /// Nothing more will be sent or taken.
    void close() {
        client_closed_ = true;
        on_change = nullptr;
        to_client_.clear();
        end();
        wake(writer_);
    }

    /// Vanish, as by a reset.
    void reset() {
        client_reset_ = true;
        to_server_.clear();
        lose();
        close();
    }

    /// All that the server has sent since the last time.
    std::string take() {
        std::string bytes = to_client_.pop_all();
        if (!bytes.empty()) wake(writer_);
        return bytes;
    }

    /// True once the server will send nothing more, and all of it was taken.
    bool ended() const noexcept { return server_ended_ && to_client_.size() == 0; }

    /// Called from within the server when it has sent something or ended.
    std::function<void()> on_change;

    // The server's end

    const Loop::executor_type& executor() const noexcept { return executor_; }

    template <class Buffers>
    std::size_t read(const Buffers& buffers, Error& error) {
        error = server_closed_          ? Error(boost::asio::error::operation_aborted)
                : client_reset_         ? Error(boost::asio::error::connection_reset)
                : to_server_.size() > 0 ? Error()
                : client_ended_         ? Error(boost::asio::error::eof)
                                        : Error(boost::asio::error::would_block);
        std::size_t size = 0;
        if (error) return size;
        auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto part = boost::asio::buffer_sequence_begin(buffers); part != end; ++part)
            size += to_server_.pop(*part);
        return size;
    }

    template <class Buffers>
    std::size_t write(const Buffers& buffers, Error& error) {
        error = client_reset_                     ? Error(boost::asio::error::connection_reset)
                : client_closed_ || server_ended_ ? Error(boost::asio::error::broken_pipe)
                : to_client_.size() >= room_      ? Error(boost::asio::error::would_block)
                                                  : Error();
        std::size_t size = 0;
        if (client_closed_) lose();
        if (error) return size;
        auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto part = boost::asio::buffer_sequence_begin(buffers); part != end; ++part) {
            boost::asio::const_buffer bytes(*part);
            size += put({static_cast<const char*>(bytes.data()), bytes.size()});
        }
        return size;
    }

    void await_readable(Waiter<> reader) {
        reader_ = std::move(reader);
        if (server_closed_ || client_ended_ || to_server_.size() > 0) wake_reader();
    }

    /// Without reading.
    void await_input(Waiter<Error> watcher) {
        watcher_ = std::move(watcher);
        if (server_closed_ || client_ended_ || to_server_.size() > 0) wake(watcher_);
    }

    /// For the client to have gone: a reset, or an answer to what is sent to one that has closed.
    void await_loss(Waiter<Error> watcher) {
        loss_watcher_ = std::move(watcher);
        if (server_closed_ || lost_) wake(loss_watcher_);
    }

    bool lost() const noexcept { return lost_; }

    void await_writable(Waiter<Error> writer) {
        writer_ = std::move(writer);
        if (server_closed_ || client_closed_ || to_client_.size() < room_) wake(writer_);
    }

    void end_server() {
        if (std::exchange(server_ended_, true)) return;
        if (on_change) on_change();
    }

    /// @param forget  What the client has not taken.
    void close_server(bool forget) {
        if (std::exchange(server_closed_, true)) return;
        if (forget) to_client_.clear();
        to_server_.clear();
        wake_reader();
        wake(writer_);
        wake(loss_watcher_);
        end_server();
    }

private:
    // As much as there is room for, which the client may make meanwhile.
    std::size_t put(std::string_view bytes) {
        std::size_t size = 0;
        while (size < bytes.size() && to_client_.size() < room_) {
            std::string_view fits = bytes.substr(size, room_ - to_client_.size());
            to_client_.push(fits);
            size += fits.size();
            if (on_change) on_change();
        }
        return size;
    }

    void lose() {
        lost_ = true;
        wake(loss_watcher_);
    }

    void wake_reader() {
        wake(watcher_);
        if (reader_) boost::asio::post(executor_, std::exchange(reader_, {}));
    }

    void wake(Waiter<Error>& waiter) {
        if (!waiter) return;
        Error error = server_closed_ ? Error(boost::asio::error::operation_aborted) : Error();
        boost::asio::post(executor_, [waiter = std::exchange(waiter, {}), error]() mutable { waiter(error); });
    }

    Loop::executor_type executor_;
    const std::size_t room_;
    MemoryPipe to_server_, to_client_;
    Waiter<> reader_;
    Waiter<Error> writer_, watcher_, loss_watcher_;
    bool client_ended_ = false, client_closed_ = false, client_reset_ = false;
    bool lost_ = false;  // and the server's end could know
    bool server_ended_ = false, server_closed_ = false;
};

/// The server's end of a connection in memory, with what Wire wants of a socket.
class MemoryStream {
public:
    using executor_type = Loop::executor_type;
    using Error = boost::system::error_code;

    explicit MemoryStream(std::shared_ptr<MemoryConnection> connection) : connection_(std::move(connection)) {}
    MemoryStream(MemoryStream&&) noexcept = default;
    ~MemoryStream() {
        if (connection_) connection_->close_server(forget_);
    }

    executor_type get_executor() const noexcept { return connection_->executor(); }
    MemoryStream& lowest_layer() noexcept { return *this; }
    int native_handle() const noexcept { return -1; }  // there is nothing that the kernel could tell

    void non_blocking(bool, Error& error) { error = {}; }

    void set_option(const boost::asio::socket_base::linger& option, Error& error) {
        forget_ = option.enabled() && option.timeout() == 0;
        error = {};
    }

    template <class Buffers>
    std::size_t read_some(const Buffers& buffers, Error& error) {
        return connection_->read(buffers, error);
    }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        auto initiate = [](auto handler, std::shared_ptr<MemoryConnection> connection, const Buffers& to) {
            MemoryConnection& from = *connection;
            from.await_readable([connection = std::move(connection), to, handler = std::move(handler)]() mutable {
                Error error;
                std::size_t size = connection->read(to, error);
                std::move(handler)(error, size);
            });
        };
        return boost::asio::async_initiate<Token, void(Error, std::size_t)>(initiate, token, connection_, buffers);
    }

    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, Error& error) {
        return connection_->write(buffers, error);
    }

    /// Whether the client has gone, as far as a server could know.
    bool lost() const noexcept { return connection_->lost(); }

    /// One wait of each type at a time.
    template <class Token>
    auto async_wait(boost::asio::socket_base::wait_type what, Token&& token) {
        auto initiate = [](auto handler, std::shared_ptr<MemoryConnection> connection,
                           boost::asio::socket_base::wait_type wait) {
            switch (wait) {
                case boost::asio::socket_base::wait_read: return connection->await_input(std::move(handler));
                case boost::asio::socket_base::wait_write: return connection->await_writable(std::move(handler));
                case boost::asio::socket_base::wait_error: return connection->await_loss(std::move(handler));
            }
        };
        return boost::asio::async_initiate<Token, void(Error)>(initiate, token, connection_, what);
    }

    void shutdown(boost::asio::socket_base::shutdown_type, Error& error) {
        error = {};
        connection_->end_server();
    }

    void close(Error& error) {
        error = {};
        connection_->close_server(forget_);
    }

private:
    std::shared_ptr<MemoryConnection> connection_;
    bool forget_ = false;
};

}  // namespace kvolt::detail

#endif
