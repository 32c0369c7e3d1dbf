// What a WebSocket client sends, and what is made of it: by the reader, however the bytes are cut, and by a model that
// has them all at once. The first byte of the input tells how to cut the rest.

#include "require.hpp"
#include <kvolt/detail/frame_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

using namespace kvolt::detail;

namespace {

constexpr std::size_t most_bytes = 300, most_frames = 5;

std::string line(std::string_view what, std::string_view payload) {
    return std::string(what) + ' ' + std::string(payload) + '\n';
}

std::string read(const std::string& bytes, std::size_t step) {
    using Result = FrameReader::Result;
    FrameReader reader(most_bytes, most_frames);
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

// Slow and plain: a frame at a time, byte by byte.
class Model {
public:
    explicit Model(std::string_view bytes) : bytes_(bytes) {}

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
        if ((at(0) & 0x70) != 0 || (opcode > 2 && opcode < 8) || opcode > 10) return fault(1002);
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
        std::string_view mask = bytes_.substr(head, 4);
        bytes_.remove_prefix(head + 4);
        if (!control && ++frames_ > most_frames) return fault(1008);
        if (!control && size > most_bytes - message_.size()) return fault(1009);
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
        if (text_ && !Utf8Check().feed(message_)) return fault(1007);
        if (!whole) return false;
        if (!fin) return true;
        if (text_ && !is_utf8(message_)) return fault(1007);
        all_ += line(text_ ? "text" : "binary", message_);
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
    std::string all_, message_;
    std::size_t frames_ = 0;
    bool open_ = false, text_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string expected = Model(bytes).read();
    require(read(bytes, bytes.size() + 1) == expected);
    require(read(bytes, 1) == expected);
    require(read(bytes, std::size_t{data[0]} % 61 + 1) == expected);
    return 0;
}
