#ifndef KVOLT_MIDDLEWARE_BROTLI_HPP
#define KVOLT_MIDDLEWARE_BROTLI_HPP

// Brotli for compress(). This header needs libbrotlienc (target kvolt::brotli).

#include <kvolt/middleware/compress.hpp>

#include <brotli/encode.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kvolt::middleware {

/// A coding that makes text smaller than gzip does. Browsers take it over TLS only.
///
///     app.use(compress(CompressOptions().codecs({brotli(), gzip()})));
///
/// @param quality  0, fast, to 11, very slow.
/// @throws std::invalid_argument  for another quality.
inline Codec brotli(int quality = 4) {
    if (quality < 0 || quality > 11) throw std::invalid_argument("kvolt: brotli: a quality is 0 to 11");
    auto encode = [quality](std::string_view body) -> std::optional<std::string> {
        std::size_t size = BrotliEncoderMaxCompressedSize(body.size());
        if (size == 0) return std::nullopt;
        std::string out(size, '\0');
        if (!BrotliEncoderCompress(quality, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, body.size(),
                                   reinterpret_cast<const std::uint8_t*>(body.data()), &size,
                                   reinterpret_cast<std::uint8_t*>(out.data())))
            return std::nullopt;
        out.resize(size);
        return out;
    };
    return {"br", encode};
}

}  // namespace kvolt::middleware

#endif
