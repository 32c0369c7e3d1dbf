#ifndef KVOLT_MIDDLEWARE_GZIP_HPP
#define KVOLT_MIDDLEWARE_GZIP_HPP

// Needs zlib (target kvolt::compress).

#include <kvolt/body_encoder.hpp>
#include <kvolt/middleware/codec.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zlib.h>

namespace kvolt::middleware {

namespace detail {

/// zlib's compressor in the form of gzip (RFC 1952).
class GzipEncoder final : public BodyEncoder {
public:
    /// @param window  How far it looks back, as a power of two, 9 to 15.
    /// @param memory  For what it has seen: 2^(memory + 9) bytes.
    GzipEncoder(int level, int window, int memory) {
        constexpr int gzip_form = 16;
        if (deflateInit2(&stream_, level, Z_DEFLATED, window + gzip_form, memory, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    GzipEncoder(const GzipEncoder&) = delete;
    GzipEncoder& operator=(const GzipEncoder&) = delete;
    ~GzipEncoder() override { deflateEnd(&stream_); }

    void encode(std::string& out, std::string_view part) override { run(out, part, Z_SYNC_FLUSH); }
    void finish(std::string& out) override { run(out, {}, Z_FINISH); }

    void encode_all(std::string& out, std::string_view body) { run(out, body, Z_FINISH); }

private:
    void run(std::string& out, std::string_view part, int flush) {
        do {
            std::size_t taken = std::min<std::size_t>(part.size(), (std::numeric_limits<uInt>::max)() / 2);
            bool last = taken == part.size();
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));  // which zlib does not write to
            stream_.avail_in = static_cast<uInt>(taken);
            part.remove_prefix(taken);
            do {
                std::size_t begin = out.size(), room = deflateBound(&stream_, stream_.avail_in) + 16;
                out.resize(begin + room);
                stream_.next_out = reinterpret_cast<Bytef*>(out.data() + begin);
                stream_.avail_out = static_cast<uInt>(room);
                deflate(&stream_, last ? flush : Z_NO_FLUSH);
                out.resize(begin + room - stream_.avail_out);
            } while (stream_.avail_out == 0);
        } while (!part.empty());
    }

    z_stream stream_{};
};

}  // namespace detail

/// The coding that every client knows.
///
/// A stream keeps 70 KB while it lasts, and one of server-sent events 20 KB.
///
/// @param level  1, fast, to 9, small; 1 MiB of text takes about 10 ms and 40 ms.
/// @throws std::invalid_argument  for another level.
inline Codec gzip(int level = 4) {
    if (level < 1 || level > 9) throw std::invalid_argument("kvolt: gzip: a level is 1 to 9");
    auto encode = [level](std::string_view body) -> std::optional<std::string> {
        try {
            std::string out;
            detail::GzipEncoder(level, 15, 8).encode_all(out, body);
            return out;
        } catch (const std::bad_alloc&) {
            return std::nullopt;
        }
    };
    auto stream = [level](bool light) -> std::unique_ptr<BodyEncoder> {
        return std::make_unique<detail::GzipEncoder>(level, light ? 11 : 13, light ? 3 : 6);
    };
    return {"gzip", encode, stream};
}

}  // namespace kvolt::middleware

#endif
