#ifndef KVOLT_DETAIL_TLS_STREAM_HPP
#define KVOLT_DETAIL_TLS_STREAM_HPP

// A socket that speaks TLS, for Wire. Asio's own TLS stream cannot write without blocking: what it has encrypted and
// the socket does not take would be lost.

#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/tls/session.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace kvolt::detail {

class TlsStream {
public:
    using executor_type = PlainStream::executor_type;
    using protocol_type = PlainStream::protocol_type;
    using Error = boost::system::error_code;

    static constexpr bool is_secure = true;

    TlsStream(PlainStream next, std::unique_ptr<TlsSession> session)
        : next_(std::move(next)), session_(std::move(session)) {
        Error ignored;
        next_.non_blocking(true, ignored);
    }

    executor_type get_executor() noexcept { return next_.get_executor(); }
    PlainStream& lowest_layer() noexcept { return next_; }

    void non_blocking(bool, Error& error) { error = {}; }

    void close(Error& error) { next_.close(error); }

    const TlsSession& session() const noexcept { return *session_; }

    /// Shake hands, as a client does before it speaks. If that fails, session().error() tells why.
    template <class Token>
    auto async_handshake(Token&& token) {
        return boost::asio::async_compose<Token, void(Error)>(Handshake{this}, token, next_);
    }

    /// Read, and go on with the handshake before that. A handshake that fails reads until the peer has gone, so that
    /// the peer learns why.
    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(Error, std::size_t)>(Read<Buffers>{this, buffers}, token, next_);
    }

    /// Read what is there; `would_block` if nothing is, or if there is much that is of no use.
    std::size_t read_some(boost::asio::mutable_buffer to, Error& error) {
        std::size_t size = 0;
        error = {};
        if (advance(to, size, error) != Step::done) error = boost::asio::error::would_block;
        return size;
    }

    /// Encrypt and send as much as the socket takes. What was encrypted counts as sent; the last record of it may be
    /// unsent().
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, Error& error) {
        Gather<Buffers> plaintext(buffers);
        std::size_t all = 0;
        for (;;) {
            flush(error);
            if (error || unsent() > 0) break;
            boost::asio::const_buffer record = plaintext.next();
            if (record.size() == 0) break;
            std::size_t taken = session_->write(record.data(), record.size());
            if (taken == 0) error = boost::asio::error::not_connected;
            if (error) break;
            plaintext.consume(taken);
            all += taken;
        }
        if (!error && all == 0 && unsent() > 0) error = boost::asio::error::would_block;
        return all;
    }

    /// Ciphertext that waits for the socket to become writable, and then for flush().
    std::size_t unsent() const noexcept { return session_->output().size(); }

    /// Send what is unsent, as far as the socket takes it.
    void flush(Error& error) {
        error = {};
        while (unsent() > 0) {
            auto output = session_->output();
            std::size_t size = next_.write_some(boost::asio::buffer(output.data(), output.size()), error);
            if (would_block(error)) {
                error = {};
                return;
            }
            if (error) return;
            session_->sent(size);
        }
    }

    template <class Token>
    auto async_wait(boost::asio::socket_base::wait_type what, Token&& token) {
        return next_.async_wait(what, std::forward<Token>(token));
    }

    /// Say by close_notify and to the socket that no more will be sent; `would_block` if that has to wait for
    /// writability, too.
    void shutdown(boost::asio::socket_base::shutdown_type what, Error& error) {
        session_->close();
        flush(error);
        if (!error && unsent() > 0) error = boost::asio::error::would_block;
        if (!error) next_.shutdown(what, error);
    }

private:
    static constexpr int most_rounds = 3;  // in one turn: a record may come in two pieces

    using Scratch = std::array<char, TlsSession::record_size>;

    // One for all connections of a thread, for as long as a function runs: one at rest needs no buffers.
    static Scratch& scratch() {
        static thread_local Scratch bytes;
        return bytes;
    }

    static bool would_block(Error error) noexcept {
        return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
    }

    // Cuts buffers into what a record holds.
    template <class Buffers>
    class Gather {
    public:
        explicit Gather(const Buffers& buffers)
            : part_(boost::asio::buffer_sequence_begin(buffers)), end_(boost::asio::buffer_sequence_end(buffers)) {
            skip_empty();
        }

        boost::asio::const_buffer next() {
            if (part_ == end_) return {};
            boost::asio::const_buffer first = boost::asio::const_buffer(*part_) + offset_;
            auto more = part_;
            if (++more == end_ || first.size() >= TlsSession::record_size) return first;
            Scratch& bytes = scratch();
            std::memcpy(bytes.data(), first.data(), first.size());
            std::size_t size = first.size();
            for (; more != end_ && size < bytes.size(); ++more) {
                boost::asio::const_buffer part(*more);
                std::size_t taken = (std::min)(part.size(), bytes.size() - size);
                if (taken > 0) std::memcpy(bytes.data() + size, part.data(), taken);
                size += taken;
            }
            return {bytes.data(), size};
        }

        void consume(std::size_t size) {
            offset_ += size;
            skip_empty();
        }

    private:
        void skip_empty() {
            for (; part_ != end_ && offset_ >= boost::asio::const_buffer(*part_).size(); ++part_)
                offset_ -= boost::asio::const_buffer(*part_).size();
        }

        decltype(boost::asio::buffer_sequence_begin(std::declval<const Buffers&>())) part_, end_;
        std::size_t offset_ = 0;  // in *part_
    };

    enum class Step {
        done,
        wait_read,
        wait_write,
        yield,  // a peer that says much and nothing of use must not keep the others waiting
    };

    // One read, as far as it goes without waiting.
    Step advance(boost::asio::mutable_buffer to, std::size_t& size, Error& error) {
        for (int round = 0; round < most_rounds; ++round) {
            bool handshake = !session_->established();  // also in the step that ends it
            auto result = session_->read(static_cast<char*>(to.data()), to.size(), size);
            Error lost;
            flush(lost);
            if (result == TlsSession::Result::done) return Step::done;
            if (lost) return error = lost, Step::done;
            if (result == TlsSession::Result::closed) return error = boost::asio::error::eof, Step::done;
            if (result == TlsSession::Result::failed) return fail(error);
            bool blocked = unsent() > 0 && (result == TlsSession::Result::want_output || handshake);
            if (blocked) return Step::wait_write;
            if (result == TlsSession::Result::want_output) continue;
            std::size_t received = next_.read_some(boost::asio::buffer(scratch()), error);
            if (would_block(error)) return error = {}, Step::wait_read;
            if (error) return Step::done;
            session_->feed({scratch().data(), received});
        }
        session_->keep();  // others use the scratch before this goes on
        return Step::yield;
    }

    // Only a handshake that failed has to linger: what comes later is not explained to the peer.
    Step fail(Error& error) {
        if (session_->established()) return error = boost::asio::error::connection_aborted, Step::done;
        if (unsent() > 0) return Step::wait_write;
        Error ignored;
        if (!std::exchange(said_end_, true)) next_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
        next_.read_some(boost::asio::buffer(scratch()), error);
        if (error && !would_block(error)) return Step::done;
        return error = {}, Step::wait_read;
    }

    template <class Buffers>
    struct Read {
        TlsStream* stream;
        Buffers buffers;
        Error result = {};
        std::size_t size = 0;
        bool begun = false;
        bool finished = false;

        template <class Self>
        void operator()(Self& self, Error error = {}) {
            if (finished) return self.complete(result, size);
            Step step = error ? Step::done : stream->advance(first(), size, error);
            if (step == Step::done) {
                if (begun) return self.complete(error, size);
                result = error;  // never from within the call that begins the read
                finished = true;
                return boost::asio::post(stream->get_executor(), std::move(self));
            }
            begun = true;
            if (step == Step::yield) return boost::asio::post(stream->get_executor(), std::move(self));
            stream->next_.async_wait(
                step == Step::wait_write ? boost::asio::socket_base::wait_write : boost::asio::socket_base::wait_read,
                std::move(self));
        }

        boost::asio::mutable_buffer first() const {
            auto end = boost::asio::buffer_sequence_end(buffers);
            for (auto part = boost::asio::buffer_sequence_begin(buffers); part != end; ++part)
                if (boost::asio::mutable_buffer buffer(*part); buffer.size() > 0) return buffer;
            return {};
        }
    };

    struct Handshake {
        TlsStream* stream;
        bool begun = false;

        template <class Self>
        void operator()(Self& self, Error error = {}) {
            bool first = !std::exchange(begun, true);  // never completes from within the call that begins it
            Step step = error ? Step::done : first ? Step::yield : stream->advance_handshake(error);
            if (step == Step::done) return self.complete(error);
            if (step == Step::yield) return boost::asio::post(stream->get_executor(), std::move(self));
            stream->next_.async_wait(
                step == Step::wait_write ? boost::asio::socket_base::wait_write : boost::asio::socket_base::wait_read,
                std::move(self));
        }
    };

    // A client's handshake, as far as it goes without waiting.
    Step advance_handshake(Error& error) {
        for (int round = 0; round < most_rounds; ++round) {
            auto result = session_->handshake();
            flush(error);
            if (result == TlsSession::Result::failed || result == TlsSession::Result::closed)
                error = boost::asio::error::connection_aborted;
            if (error) return Step::done;
            if (unsent() > 0) return Step::wait_write;
            if (result == TlsSession::Result::done) return Step::done;
            if (result == TlsSession::Result::want_output) continue;
            std::size_t received = next_.read_some(boost::asio::buffer(scratch()), error);
            if (would_block(error)) return error = {}, Step::wait_read;
            if (error) return Step::done;
            session_->feed({scratch().data(), received});
        }
        session_->keep();  // others use the scratch before this goes on
        return Step::yield;
    }

    PlainStream next_;
    std::unique_ptr<TlsSession> session_;
    bool said_end_ = false;
};

}  // namespace kvolt::detail

#endif
