#ifndef KVOLT_BODY_ENCODER_HPP
#define KVOLT_BODY_ENCODER_HPP

#include <string>
#include <string_view>

namespace kvolt {

/// What a streamed body goes through on its way out, such as gzip: see Response::encode(). What it throws cuts the
/// response off.
class BodyEncoder {
public:
    virtual ~BodyEncoder() = default;

    /// Append what a part becomes: all of it, so that the peer can make use of it at once.
    virtual void encode(std::string& out, std::string_view part) = 0;

    /// Append what ends the body.
    virtual void finish(std::string& out) = 0;
};

}  // namespace kvolt

#endif
