#ifndef KVOLT_TESTS_DEFLATE_PEER_HPP
#define KVOLT_TESTS_DEFLATE_PEER_HPP

// The other side of permessage-deflate, by zlib alone.

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zlib.h>

namespace test {

class DeflatePeer {
public:
    /// @param takeover  Whether its messages refer to those before, and those that it gets may.
    explicit DeflatePeer(bool takeover = false, int out_window = 15, int in_window = 15, int level = 6)
        : takeover_(takeover) {
        if (deflateInit2(&out_, level, Z_DEFLATED, -out_window, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
            inflateInit2(&in_, -in_window) != Z_OK)
            throw std::runtime_error("zlib");
    }
    DeflatePeer(const DeflatePeer&) = delete;
    DeflatePeer& operator=(const DeflatePeer&) = delete;
    ~DeflatePeer() {
        deflateEnd(&out_);
        inflateEnd(&in_);
    }

    /// A message's payload, or the end of it; of an empty message it may be empty.
    std::string deflate(std::string_view message, int flush = Z_SYNC_FLUSH) {
        std::string payload = deflate_part(message, flush);
        if (!payload.empty()) payload.resize(payload.size() - 4);
        if (!takeover_) deflateReset(&out_);
        return payload;
    }

    /// A message's payload that ends with a final block (RFC 7692, section 7.2.3.4).
    std::string deflate_finally(std::string_view message) {
        std::string payload = deflate_part(message, Z_FINISH);
        deflateReset(&out_);
        return payload += '\0';
    }

    /// A part of a message's payload that is followed by others.
    std::string deflate_part(std::string_view part, int flush) {
        std::string result;
        out_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
        out_.avail_in = static_cast<uInt>(part.size());
        do {
            char bytes[4096];
            out_.next_out = reinterpret_cast<Bytef*>(bytes);
            out_.avail_out = sizeof bytes;
            ::deflate(&out_, flush);
            result.append(bytes, sizeof bytes - out_.avail_out);
        } while (out_.avail_out == 0);
        return result;
    }

    /// What a message's payload means; throws if it means nothing.
    std::string inflate(std::string payload) {
        payload.append("\0\0\xFF\xFF", 4);
        std::string message;
        in_.next_in = reinterpret_cast<Bytef*>(payload.data());
        in_.avail_in = static_cast<uInt>(payload.size());
        do {
            char part[4096];
            in_.next_out = reinterpret_cast<Bytef*>(part);
            in_.avail_out = sizeof part;
            int result = ::inflate(&in_, Z_SYNC_FLUSH);
            if (result != Z_OK && result != Z_BUF_ERROR) throw std::runtime_error("this is not deflated data");
            message.append(part, sizeof part - in_.avail_out);
        } while (in_.avail_out == 0);
        if (in_.avail_in > 0) throw std::runtime_error("there is more behind the deflated data");
        if (!takeover_) inflateReset(&in_);
        return message;
    }

private:
    const bool takeover_;
    z_stream out_{}, in_{};
};

/// Text that can be compressed, but not too well.
inline std::string words(std::size_t size, unsigned seed = 1) {
    std::string text;
    while (text.size() < size) {
        seed = seed * 1103515245 + 12345;
        text += "word" + std::to_string(seed >> 16 & 1023) + ' ';
    }
    text.resize(size);
    return text;
}

/// Bytes that cannot be compressed.
inline std::string noise(std::size_t size, unsigned seed = 1) {
    std::string bytes(size, '\0');
    for (char& c : bytes) {
        seed = seed * 1103515245 + 12345;
        c = static_cast<char>(seed >> 20);
    }
    return bytes;
}

}  // namespace test

#endif
