#ifndef KVOLT_MIDDLEWARE_COMPRESS_HPP
#define KVOLT_MIDDLEWARE_COMPRESS_HPP

// Smaller answers. This header needs zlib (target kvolt::compress); brotli comes with middleware/brotli.hpp.

#include <kvolt/body_encoder.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/files/entity_tag.hpp>
#include <kvolt/detail/files/file.hpp>
#include <kvolt/detail/http/accept_encoding.hpp>
#include <kvolt/detail/http/fields.hpp>
#include <kvolt/detail/http/media_type.hpp>
#include <kvolt/detail/http/vary.hpp>
#include <kvolt/middleware/codec.hpp>
#include <kvolt/middleware/gzip.hpp>
#include <kvolt/response.hpp>
#include <kvolt/url.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::middleware {

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

    /// Bodies below this size go as they are; 1024 bytes by default. Streams have none.
    CompressOptions& min_size(std::size_t bytes) {
        min_size_ = bytes;
        return *this;
    }

    /// Files up to this size are read and compressed, each time, which takes the loop about 3 ms for 256 KiB of text,
    /// the default; 0 for none. Larger ones go as they are: put `NAME.gz` beside them, which app.files() looks for.
    CompressOptions& max_file(std::size_t bytes) {
        max_file_ = bytes;
        return *this;
    }

    /// Whether answers by stream() and events() are compressed, too; true by default.
    CompressOptions& streams(bool too = true) {
        streams_ = too;
        return *this;
    }

    /// Which types are worth it, in place of compressible().
    CompressOptions& types(std::function<bool(std::string_view content_type)> worth) {
        types_ = std::move(worth);
        return *this;
    }

    const std::vector<Codec>& codecs() const noexcept { return codecs_; }
    std::size_t min_size() const noexcept { return min_size_; }
    std::size_t max_file() const noexcept { return max_file_; }
    bool includes_streams() const noexcept { return streams_; }
    bool worth(std::string_view content_type) const { return types_(content_type); }

    /// Text, JSON, XML, JavaScript, SVG, WebAssembly and some fonts; nothing that is compressed.
    static bool compressible(std::string_view content_type) { return kvolt::detail::is_compressible(content_type); }

private:
    std::vector<Codec> codecs_{gzip()};
    std::size_t min_size_ = 1024;
    std::size_t max_file_ = 256 * 1024;
    bool streams_ = true;
    std::function<bool(std::string_view)> types_ = compressible;
};

namespace detail {

/// True if the answer may be sent in another coding, if the client takes one. A 304 is judged as its 200 would be.
inline bool may_compress(const Response& response, const CompressOptions& options) {
    int status = response.status();
    if (status == 204 || status == 206) return false;
    if (!response.header("Content-Encoding").empty() || !response.header("Content-Range").empty()) return false;
    for (const auto& [name, value] : response.fields())
        if (kvolt::detail::iequals(name, "Cache-Control") &&
            kvolt::detail::lowered(value).find("no-transform") != std::string::npos)
            return false;
    std::string_view set = response.header("Content-Type"), type = set.empty() ? response.content_type() : set;
    return options.worth(type) || (status == 304 && type.empty());
}

/// What the client wants most of what there is; nullptr for the body as it is.
///
/// @param stream  Only what can do streams.
inline const Codec* choose_codec(const Request& request, const CompressOptions& options, bool stream = false) {
    std::string accepted = kvolt::detail::joined_fields(request, "Accept-Encoding").value_or("");
    std::vector<std::string_view> names;
    for (const Codec& codec : options.codecs())
        if (!stream || codec.stream) names.push_back(codec.name);
    std::string_view chosen = kvolt::detail::choose_encoding(accepted, names);
    for (const Codec& codec : options.codecs())
        if (codec.name == chosen) return &codec;
    return nullptr;
}

/// The body, if it is worth it by its size, also of a file; nothing if not, or if it cannot be read.
inline std::optional<std::string_view> body_to_compress(const Response& response, const CompressOptions& options,
                                                        std::string& content) {
    std::uint64_t size = response.body_size();
    if (size < options.min_size()) return std::nullopt;
    const auto& parts = response.parts();
    if (parts.empty()) return response.body();
    const kvolt::detail::FilePart& part = parts.front();
    if (parts.size() > 1 || size > options.max_file()) return std::nullopt;
    if (!part.file) return part.text;
    content.resize(size);
    for (std::size_t done = 0; done < content.size();) {
        ssize_t got = ::pread(part.file->descriptor.number(), content.data() + done, content.size() - done,
                              static_cast<off_t>(part.offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return std::nullopt;
        done += static_cast<std::size_t>(got);
    }
    return content;
}

/// What the 200 would say, says its 304 (RFC 9110, section 15.4.5): its tag is weak, unless the client tells that it
/// has the body as it is.
inline void settle_not_modified(const Request& request, Response& response, const CompressOptions& options) {
    std::uint64_t size = response.body_size();  // of what is not sent; 0 where nothing is known of it
    if (size > 0 && size < options.min_size()) return;
    if (!response.parts().empty() && size > options.max_file()) return;
    kvolt::detail::add_vary(response, "Accept-Encoding");
    std::string_view tag = response.header("ETag");
    auto listed = kvolt::detail::joined_fields(request, "If-None-Match").value_or("");
    if (choose_codec(request, options) && !kvolt::detail::lists_entity_tag(listed, tag, kvolt::detail::equal_strongly))
        response.weaken();
}

inline void compress_response(const Request& request, Response& response, const CompressOptions& options) {
    if (!may_compress(response, options)) return;
    if (response.status() == 304) return settle_not_modified(request, response, options);
    std::string content;
    auto body = body_to_compress(response, options, content);
    if (!body) return;
    kvolt::detail::add_vary(response, "Accept-Encoding");
    const Codec* codec = choose_codec(request, options);
    if (codec == nullptr) return;
    auto encoded = codec->encode(*body);
    if (encoded && encoded->size() < body->size()) response.encode(*std::move(encoded), codec->name);
}

inline void compress_stream(const Request& request, Response& response, const CompressOptions& options) {
    if (!options.includes_streams() || response.status() == 304 || !may_compress(response, options)) return;
    kvolt::detail::add_vary(response, "Accept-Encoding");
    const Codec* codec = choose_codec(request, options, true);
    if (codec == nullptr) return;
    bool light = response.content_type() == "text/event-stream";
    std::shared_ptr<BodyEncoder> encoder = codec->stream(light);
    if (encoder) response.encode(std::move(encoder), codec->name);
}

}  // namespace detail

/// Compress the bodies of answers for clients that take it.
///
///     app.use(kvolt::middleware::compress());
///
/// That is, of a type that is worth it: bodies of 1 KiB and more, files up to 256 KiB (`NAME.br` and `NAME.gz` beside a
/// file that app.files() serves go first), and streams. What is written to a stream or sent as an event arrives at
/// once. A stream is compressed by a codec that can do so, such as gzip().
///
/// Left as they are: upgrades, small bodies, large files and parts of files, 204, and answers with Content-Encoding or
/// `Cache-Control: no-transform`. It runs on the connection's loop. Do not compress pages that hold both a secret and
/// what an attacker can choose (the BREACH attack).
inline auto compress(CompressOptions options = {}) {
    return [shared = std::make_shared<const CompressOptions>(std::move(options))](Context& c) {
        c.follow([&chosen = *shared](Context& of, Phase phase) {
            if (phase == Phase::streaming)
                detail::compress_stream(of.request(), of.response(), chosen);
            else if (phase == Phase::answered && !of.streamed())
                detail::compress_response(of.request(), of.response(), chosen);
        });
    };
}

}  // namespace kvolt::middleware

#endif
