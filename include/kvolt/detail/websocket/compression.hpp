#ifndef KVOLT_DETAIL_WEBSOCKET_COMPRESSION_HPP
#define KVOLT_DETAIL_WEBSOCKET_COMPRESSION_HPP

// Compressed messages as the connections see them. This is a seam: behind it is zlib, which only kvolt/deflate.hpp
// needs.

#include <kvolt/detail/core/frame.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Inflates the messages that one connection receives.
class Inflater {
public:
    enum class Result {
        done,  ///< All that was given is inflated.
        more,  ///< There is more to come: call again.
        bad,   ///< This is not deflated data. Nothing can follow.
    };

    virtual ~Inflater() = default;

    /// Take bytes of a message off the front of `in` and append what they mean, at most 16 KiB, to `out`.
    virtual Result inflate(std::string_view& in, std::string& out) = 0;

    /// The message has ended. False if it was cut off.
    virtual bool end_message() = 0;
};

/// Deflates the messages that one connection is sent.
class Deflater {
public:
    /// @param window  What its peer keeps at most, as a power of two: 8 to 15.
    explicit Deflater(int window) noexcept : window_(window) {}
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    virtual ~Deflater() = default;

    /// Append a message, deflated; false, with nothing appended, if it should rather go as it is.
    virtual bool deflate(std::string_view message, std::string& out) = 0;

    /// Append a message, deflated without regard to those before, for other connections, too.
    ///
    /// @returns  the window that its receivers need; nothing, with nothing appended, if it should rather go as it is.
    virtual std::optional<int> deflate_for_all(std::string_view message, std::string& out) = 0;

    int window() const noexcept { return window_; }

    /// What was deflated last is not sent, or something else was: the next message must not refer to those before.
    void forget() noexcept { forgetful_ = true; }

protected:
    const int window_;
    bool forgetful_ = false;
};

/// What was agreed on for one connection. Without an inflater there is no compression.
struct Extensions {
    std::string answer;  // Sec-WebSocket-Extensions of a server
    std::unique_ptr<Inflater> inflater;
    std::unique_ptr<Deflater> deflater;
};

/// A way to compress messages, as UpgradeOptions and ConnectOptions have it.
class Compression {
public:
    virtual ~Compression() = default;

    // For a server

    /// Agree with a client on the first of its offers that will do.
    ///
    /// @param offers  The client's Sec-WebSocket-Extensions, several lines joined by commas.
    /// @throws HttpError  400 if that is malformed (RFC 6455, section 9.1).
    virtual Extensions agree(std::string_view offers) const = 0;

    // For a client

    /// Its Sec-WebSocket-Extensions.
    virtual std::string offer() const = 0;

    /// Accept what a server has agreed to.
    ///
    /// @param answer  The server's Sec-WebSocket-Extensions, several lines joined by commas.
    /// @throws ConnectError  that tells what is wrong with it.
    virtual Extensions accept(std::string_view answer) const = 0;
};

/// Append a frame of a compressed message (RFC 7692, section 6).
///
/// @param append  Appends the payload. If it returns nothing or false, there is no frame.
template <class Append>
auto append_compressed(std::string& out, Opcode opcode, Append&& append) {
    char head[max_head];
    std::size_t begin = out.size();
    out.append(max_head, char{});
    auto done = append(out);
    if (done) {
        std::size_t size = write_head(head, opcode, out.size() - begin - max_head);
        head[0] = static_cast<char>(head[0] | 0x40);
        out.replace(begin, max_head, head, size);
    } else {
        out.resize(begin);
    }
    return done;
}

}  // namespace kvolt::detail

#endif
