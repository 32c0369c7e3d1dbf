// What a WebSocket client sends, and what is made of it: by the reader, however the bytes are cut, and by a model that
// has them all at once. The first byte of the input tells how to cut the rest, and whether messages may be compressed.

#include "require.hpp"
#include <kvolt/deflate.hpp>
#include <kvolt/detail/websocket/deflate_agreement.hpp>
#include <kvolt/detail/websocket/frame_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <zlib.h>

using namespace kvolt::detail;

namespace {

constexpr std::size_t most_bytes = 300, most_frames = 5;
constexpr std::size_t most_compressed = most_bytes + most_bytes / 8 + 1024;  // of a frame

// What was agreed on, if anything.
using Compressed = std::optional<DeflateAgreement>;

Compressed compressed(unsigned mode) {
    DeflateAgreement agreed;
    agreed.client_context_takeover = mode > 1;
    return mode > 0 ? Compressed(agreed) : std::nullopt;
}

std::string line(std::string_view what, std::string_view payload) {
    return std::string(what) + ' ' + std::string(payload) + '\n';
}

std::string read(const std::string& bytes, std::size_t step, const Compressed& agreed) {
    using Result = FrameReader::Result;
    auto inflater =
        agreed ? std::make_unique<ZlibInflater>(agreed->client_window_bits, agreed->client_context_takeover) : nullptr;
    FrameReader reader(most_bytes, most_frames, Role::server, std::move(inflater));
    std::string all, unread;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        unread += bytes.substr(at, step);
        std::span<char> input(unread);
        for (bool more = true; more;) {
            std::size_t before = input.size();
            switch (reader.read(input)) {
                case Result::more: more = false; break;
                case Result::message: {
                    auto message = reader.take_message();
                    require(message.binary || is_utf8(message.payload));
                    all += line(message.binary ? "binary" : "text", message.payload);
                    break;
                }
                case Result::ping: all += line("ping", reader.control()); break;
                case Result::pong: all += line("pong", reader.control()); break;
                case Result::close: return all + line("close " + std::to_string(reader.code()), reader.reason());
                case Result::fault: return all + line("fault", std::to_string(reader.code()));
            }
            require(input.size() <= before);
        }
        require(input.size() <= 130);
        unread = std::string(input.begin(), input.end());
    }
    return all;
}

// What payloads mean, by zlib alone: each from its first byte to the last that has come.
class Zlib {
public:
    struct Inflated {
        std::string message;  // one byte more than is allowed if there are more
        bool good = true;     // so far, or with its tail if that is added
    };

    explicit Zlib(const DeflateAgreement& agreed) : takeover_(agreed.client_context_takeover) {
        require(inflateInit2(start_.get(), -15) == Z_OK);
    }

    Inflated inflate(const std::string& payload, bool last) {
        Inflated result;
        if (payload.empty()) return result;
        Stream stream(new z_stream{});
        require(inflateCopy(stream.get(), start_.get()) == Z_OK);
        bool ended = feed(*stream, payload, result);
        if (last && !ended && result.good && result.message.size() <= most_bytes) {
            Inflated tail;
            feed(*stream, std::string("\0\0\xFF\xFF", 4), tail);
            result.good = tail.good && tail.message.empty() && stream->data_type == 128;
        }
        if (last && takeover_) start_ = std::move(stream);
        return result;
    }

private:
    struct End {
        void operator()(z_stream* stream) const {
            inflateEnd(stream);
            delete stream;
        }
    };
    using Stream = std::unique_ptr<z_stream, End>;

    // True if it ends with a final block.
    static bool feed(z_stream& stream, std::string bytes, Inflated& result) {
        bool ended = false;
        stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
        stream.avail_in = static_cast<uInt>(bytes.size());
        do {
            char out[most_bytes + 1];
            stream.next_out = reinterpret_cast<Bytef*>(out);
            stream.avail_out = static_cast<uInt>(most_bytes + 1 - result.message.size());
            int code = ::inflate(&stream, Z_SYNC_FLUSH);
            result.message.append(out, reinterpret_cast<char*>(stream.next_out));
            ended = code == Z_STREAM_END;
            if (ended) inflateReset(&stream);
            result.good = ended || code == Z_OK || code == Z_BUF_ERROR;
        } while (result.good && result.message.size() <= most_bytes && stream.avail_in > 0);
        return ended;
    }

    Stream start_{new z_stream{}};  // of the message
    const bool takeover_;
};

// Slow and plain: a frame at a time, byte by byte.
class Model {
public:
    Model(std::string_view bytes, const Compressed& agreed) : bytes_(bytes) {
        if (agreed) zlib_.emplace(*agreed);
    }

    std::string read() {
        while (frame()) {
        }
        return all_;
    }

private:
    unsigned at(std::size_t i) const { return static_cast<unsigned char>(bytes_[i]); }

    bool fault(int code) {
        all_ += line("fault", std::to_string(code));
        return false;
    }

    // False at the end: of the bytes, or of the connection.
    bool frame() {
        if (bytes_.empty()) return false;
        unsigned opcode = at(0) & 15;
        bool fin = (at(0) & 128) != 0, control = opcode >= 8;
        bool may_be_compressed = zlib_ && (opcode == 1 || opcode == 2);
        if ((at(0) & (may_be_compressed ? 0x30 : 0x70)) != 0 || (opcode > 2 && opcode < 8) || opcode > 10)
            return fault(1002);
        if (control && !fin) return fault(1002);
        if (!control && (opcode == 0) != open_) return fault(1002);
        if (bytes_.size() < 2) return false;
        if (at(1) < 128) return fault(1002);
        std::uint64_t size = at(1) & 127;
        if (control && size > 125) return fault(1002);
        std::size_t head = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (bytes_.size() < head + 4) return false;
        if (head > 2) {
            size = 0;
            for (std::size_t i = 2; i < head; ++i) size = size * 256 + at(i);
            if (size < (head == 4 ? 126u : 65536u) || size >> 63 != 0) return fault(1002);
        }
        if (opcode == 1 || opcode == 2) compressed_ = (at(0) & 0x40) != 0;
        std::string_view mask = bytes_.substr(head, 4);
        bytes_.remove_prefix(head + 4);
        if (!control && ++frames_ > most_frames) return fault(1008);
        if (!control && size > (compressed_ ? most_compressed : most_bytes - message_.size())) return fault(1009);
        bool whole = bytes_.size() >= size;
        if (control && !whole) return false;
        std::string payload(bytes_.substr(0, static_cast<std::size_t>(size)));
        bytes_.remove_prefix(payload.size());
        for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
        return control ? take_control(opcode, payload) : take_data(opcode, fin, whole, payload);
    }

    bool take_data(unsigned opcode, bool fin, bool whole, const std::string& payload) {
        if (opcode != 0) text_ = opcode == 1;
        open_ = true;
        message_ += payload;
        bool last = whole && fin;
        auto [message, good] = compressed_ ? zlib_->inflate(message_, last) : Zlib::Inflated{message_};
        if (text_ && !Utf8Check().feed(message.substr(0, most_bytes))) return fault(1007);
        if (message.size() > most_bytes) return fault(1009);
        if (!good) return fault(1007);
        if (!whole) return false;
        if (!fin) return true;
        if (text_ && !is_utf8(message)) return fault(1007);
        all_ += line(text_ ? "text" : "binary", message);
        message_.clear();
        frames_ = 0;
        open_ = false;
        return true;
    }

    bool take_control(unsigned opcode, const std::string& payload) {
        if (opcode == 9) return all_ += line("ping", payload), true;
        if (opcode == 10) return all_ += line("pong", payload), true;
        if (payload.size() == 1) return fault(1002);
        unsigned code = 1005;
        if (!payload.empty()) {
            code = static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
            bool known = (code >= 1000 && code < 1015 && (code < 1004 || code > 1006)) || (code >= 3000 && code < 5000);
            if (!known) return fault(1002);
            if (!is_utf8(std::string_view(payload).substr(2))) return fault(1007);
        }
        all_ += line("close " + std::to_string(code), payload.empty() ? "" : payload.substr(2));
        return false;
    }

    std::string_view bytes_;
    std::optional<Zlib> zlib_;
    std::string all_, message_;  // the message as it was sent
    std::size_t frames_ = 0;
    bool open_ = false, text_ = false, compressed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto agreed = compressed(data[0] / 61u % 3);
    const std::string expected = Model(bytes, agreed).read();
    require(read(bytes, bytes.size() + 1, agreed) == expected);
    require(read(bytes, 1, agreed) == expected);
    require(read(bytes, std::size_t{data[0]} % 61 + 1, agreed) == expected);
    return 0;
}
