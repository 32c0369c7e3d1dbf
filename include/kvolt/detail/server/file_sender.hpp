#ifndef KVOLT_DETAIL_SERVER_FILE_SENDER_HPP
#define KVOLT_DETAIL_SERVER_FILE_SENDER_HPP

#include <kvolt/detail/files/file.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/net/wire.hpp>

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// Keeps a sendfile() to a peer that is gone from ending the process: it knows no MSG_NOSIGNAL.
class NoSigpipe {
public:
    NoSigpipe() noexcept {
        sigset_t pending;
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }

    ~NoSigpipe() {
        int error = errno;
        timespec now{};
        if (cut_short_ && !was_pending_) ::sigtimedwait(&pipe_, nullptr, &now);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        errno = error;
    }

    NoSigpipe(const NoSigpipe&) = delete;
    NoSigpipe& operator=(const NoSigpipe&) = delete;

    /// The signal may have been raised, and has to go before it is let through again. Also when something was sent: the
    /// peer may have gone in the middle of that.
    void cut_short() noexcept { cut_short_ = true; }

private:
    sigset_t pipe_, before_;
    bool was_pending_ = false;
    bool cut_short_ = false;
};

/// Sends the parts of a response body as the peer takes them: a small piece by way of the loop's outgoing buffer, the
/// rest by sendfile() where the stream is a plain socket.
///
/// Nothing is held in memory but what one turn sends.
template <class Stream>
class FileSender {
public:
    enum class Progress {
        done,
        waiting,  ///< For the peer: Protocol::on_drained() will be called.
        yielded,  ///< To the other connections: go on in the loop's next turn.
        failed,   ///< What was promised cannot be sent: the connection has to be closed at once.
    };

    explicit FileSender(Wire<Stream>& wire, std::vector<FilePart> parts) : wire_(wire), parts_(std::move(parts)) {}

    /// Send what the peer takes now. Call it whenever the wire has no backlog, until it is done.
    Progress send() {
        turn_ = 0;
        for (; part_ < parts_.size(); ++part_, taken_ = 0) {
            FilePart& part = parts_[part_];
            if (!part.text.empty()) {
                append(part.text);
                part.text.clear();
            }
            while (taken_ < part.size) {
                if (wire_.closed()) return Progress::failed;
                if (wire_.outbox().backlog() > 0) return Progress::waiting;
                if (turn_ >= most_per_turn) return Progress::yielded;
                Progress progress = part.size <= small_size ? copy(part, small_size) : send_slice(part);
                if (progress != Progress::done) return progress;
            }
            part.file.reset();
        }
        return Progress::done;
    }

private:
    static constexpr std::uint64_t small_size = 16 * 1024;
    static constexpr std::uint64_t piece = 64 * 1024;
    static constexpr std::uint64_t most_per_turn = 256 * 1024;
    static constexpr bool is_plain = std::same_as<Stream, PlainStream>;

    void append(const std::string& text) {
        std::size_t begin = wire_.loop().begin_append();
        wire_.loop().outgoing() += text;
        wire_.send(begin, begin + text.size(), Unit::raw);
    }

    Progress send_slice(const FilePart& part) {
        if constexpr (is_plain) return send_file(part);
        Progress progress = copy(part, piece);
        if (progress == Progress::done) wire_.flush();
        return progress;
    }

    // Read a piece into the outgoing buffer.
    Progress copy(const FilePart& part, std::uint64_t most) {
        auto wanted = static_cast<std::size_t>((std::min)(most, part.size - taken_));
        std::size_t begin = wire_.loop().begin_append();
        std::string& outgoing = wire_.loop().outgoing();
        outgoing.resize(begin + wanted);
        ssize_t size;
        do size = ::pread(part.file->descriptor.number(), outgoing.data() + begin, wanted, position(part));
        while (size < 0 && errno == EINTR);
        outgoing.resize(begin + (size > 0 ? static_cast<std::size_t>(size) : 0));
        if (size <= 0) return Progress::failed;
        wire_.send(begin, outgoing.size(), Unit::raw);
        advance(size);
        return Progress::done;
    }

    Progress send_file(const FilePart& part) {
        if (wire_.outbox().pending() > 0) {
            wire_.flush();
            if (wire_.closed()) return Progress::failed;
            if (wire_.outbox().backlog() > 0) return Progress::waiting;
        }
        auto wanted = static_cast<std::size_t>((std::min)(most_per_turn - turn_, part.size - taken_));
        off_t offset = position(part);
        ssize_t size;
        {
            NoSigpipe guard;
            do size = ::sendfile(wire_.stream().native_handle(), part.file->descriptor.number(), &offset, wanted);
            while (size < 0 && errno == EINTR);
            if (size != static_cast<ssize_t>(wanted)) guard.cut_short();
        }
        if (size == 0) return Progress::failed;  // the file has become shorter
        if (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return Progress::failed;
        if (size > 0) advance(size);
        if (size == static_cast<ssize_t>(wanted)) return Progress::done;
        wire_.await_room();
        return Progress::waiting;
    }

    off_t position(const FilePart& part) const noexcept { return static_cast<off_t>(part.offset + taken_); }

    void advance(ssize_t size) noexcept {
        taken_ += static_cast<std::uint64_t>(size);
        turn_ += static_cast<std::uint64_t>(size);
    }

    Wire<Stream>& wire_;
    std::vector<FilePart> parts_;
    std::size_t part_ = 0;     // that is being sent
    std::uint64_t taken_ = 0;  // of its slice
    std::uint64_t turn_ = 0;   // bytes sent in this turn
};

}  // namespace kvolt::detail

#endif
