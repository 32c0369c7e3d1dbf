#ifndef KVOLT_MIDDLEWARE_COMPRESS_HPP
#define KVOLT_MIDDLEWARE_COMPRESS_HPP

// Smaller answers. This header needs zlib (target kvolt::compress); brotli comes with middleware/brotli.hpp.

#include <kvolt/context.hpp>
#include <kvolt/detail/accept_encoding.hpp>
#include <kvolt/detail/fields.hpp>
#include <kvolt/detail/media_type.hpp>
#include <kvolt/detail/vary.hpp>
#include <kvolt/response.hpp>

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zlib.h>

namespace kvolt::middleware {

/// A content coding: its name in Accept-Encoding, and what does it; nothing if it fails.
struct Codec {
    std::string name;
    std::function<std::optional<std::string>(std::string_view)> encode;
};

/// The coding that every client knows.
///
/// @param level  1, fast, to 9, small; 1 MiB of text takes about 10 ms and 40 ms.
/// @throws std::invalid_argument  for another level.
inline Codec gzip(int level = 4) {
    if (level < 1 || level > 9) throw std::invalid_argument("kvolt: gzip: a level is 1 to 9");
    auto encode = [level](std::string_view body) -> std::optional<std::string> {
        if (body.size() > std::numeric_limits<uInt>::max() / 2) return std::nullopt;
        z_stream stream{};
        constexpr int gzip_window = 15 + 16;
        if (deflateInit2(&stream, level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK) return std::nullopt;
        std::string out;
        out.resize(deflateBound(&stream, static_cast<uLong>(body.size())));
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));  // which zlib does not write to
        stream.avail_in = static_cast<uInt>(body.size());
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(out.size());
        int result = deflate(&stream, Z_FINISH);
        out.resize(out.size() - stream.avail_out);
        deflateEnd(&stream);
        if (result != Z_STREAM_END) return std::nullopt;
        return out;
    };
    return {"gzip", encode};
}

class CompressOptions {
public:
    /// The codings, the favourite first; gzip() alone by default. A client's preference goes before it.
    ///
    /// @throws std::invalid_argument  if there are none.
    CompressOptions& codecs(std::vector<Codec> codecs) {
        if (codecs.empty()) throw std::invalid_argument("kvolt: compress: no codecs");
        codecs_ = std::move(codecs);
        return *this;
    }

    /// Bodies below this size go as they are; 1024 bytes by default.
    CompressOptions& min_size(std::size_t bytes) {
        min_size_ = bytes;
        return *this;
    }

    /// Which types are worth it, in place of compressible().
    CompressOptions& types(std::function<bool(std::string_view content_type)> worth) {
        types_ = std::move(worth);
        return *this;
    }

    const std::vector<Codec>& codecs() const noexcept { return codecs_; }
    std::size_t min_size() const noexcept { return min_size_; }
    bool worth(std::string_view content_type) const { return types_(content_type); }

    /// Text, JSON, XML, JavaScript, SVG, WebAssembly and some fonts; no event streams, and nothing that is compressed.
    static bool compressible(std::string_view content_type) { return kvolt::detail::is_compressible(content_type); }

private:
    std::vector<Codec> codecs_{gzip()};
    std::size_t min_size_ = 1024;
    std::function<bool(std::string_view)> types_ = compressible;
};

namespace detail {

/// True if the answer may be sent in another coding, if the client takes one.
inline bool may_compress(const Response& response, const CompressOptions& options) {
    int status = response.status();
    if (status == 204 || status == 304 || status == 206) return false;
    if (response.body().size() < options.min_size()) return false;
    if (!response.header("Content-Encoding").empty() || !response.header("Content-Range").empty()) return false;
    for (const auto& [name, value] : response.fields())
        if (kvolt::detail::iequals(name, "Cache-Control") &&
            kvolt::detail::lowered(value).find("no-transform") != std::string::npos)
            return false;
    std::string_view set = response.header("Content-Type");
    return options.worth(set.empty() ? std::string_view(response.content_type()) : set);
}

/// What the client wants most of what there is; nullptr for the body as it is.
inline const Codec* choose_codec(const Request& request, const CompressOptions& options) {
    std::string accepted = kvolt::detail::joined_fields(request, "Accept-Encoding").value_or("");
    std::vector<std::string_view> names;
    for (const Codec& codec : options.codecs()) names.push_back(codec.name);
    std::string_view chosen = kvolt::detail::choose_encoding(accepted, names);
    for (const Codec& codec : options.codecs())
        if (codec.name == chosen) return &codec;
    return nullptr;
}

inline void compress_response(const Request& request, Response& response, const CompressOptions& options) {
    if (!may_compress(response, options)) return;
    kvolt::detail::add_vary(response, "Accept-Encoding");
    const Codec* codec = choose_codec(request, options);
    if (codec == nullptr) return;
    auto encoded = codec->encode(response.body());
    if (!encoded || encoded->size() >= response.body().size()) return;
    // RFC 9110, section 8.8.1: no longer the same byte for byte.
    std::string tag(response.header("ETag"));
    if (!tag.empty() && !tag.starts_with("W/")) response.header("ETag", "W/" + tag);
    response.header("Content-Encoding", codec->name);
    response.body(*std::move(encoded), std::string(response.content_type()));
}

}  // namespace detail

/// Compress the bodies of answers for clients that take it.
///
///     app.use(kvolt::middleware::compress());
///
/// Left as they are: upgrades, event streams, small bodies, types that are compressed already, 204, 206 and 304, and
/// answers with Content-Encoding or `Cache-Control: no-transform`. It runs on the connection's loop. Do not compress
/// pages that hold both a secret and what an attacker can choose (the BREACH attack).
inline auto compress(CompressOptions options = {}) {
    return [shared = std::make_shared<const CompressOptions>(std::move(options))](Context& c) {
        c.follow([&chosen = *shared](Context& of, Phase phase) {
            if (phase == Phase::answered) detail::compress_response(of.request(), of.response(), chosen);
        });
    };
}

}  // namespace kvolt::middleware

#endif
