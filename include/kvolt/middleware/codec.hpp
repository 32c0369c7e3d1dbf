#ifndef KVOLT_MIDDLEWARE_CODEC_HPP
#define KVOLT_MIDDLEWARE_CODEC_HPP

#include <kvolt/body_encoder.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::middleware {

/// A content coding for compress(): its name in Accept-Encoding, and what does it.
struct Codec {
    std::string name;

    /// A whole body; nothing if it fails.
    std::function<std::optional<std::string>(std::string_view body)> encode;

    /// A body that comes in parts, `light` where many wait for little, such as server-sent events: then it should keep
    /// little memory. Without this function, or if it returns nullptr, such bodies go as they are.
    std::function<std::unique_ptr<BodyEncoder>(bool light)> stream = {};
};

}  // namespace kvolt::middleware

#endif
