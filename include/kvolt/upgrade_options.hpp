#ifndef KVOLT_UPGRADE_OPTIONS_HPP
#define KVOLT_UPGRADE_OPTIONS_HPP

#include <kvolt/detail/http/origin_list.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

namespace detail {
class Compression;
}

/// Who may open a WebSocket, and what it speaks. Make one beside the route and hand it to every `c.upgrade(options)`.
///
/// By default only pages of the same origin (scheme, host and port) may connect, which stops other web sites from using
/// a visitor's cookies. Clients that are no browsers send no Origin and are let in.
class UpgradeOptions {
public:
    /// Subprotocols that the server speaks, of which the client's favourite is agreed on. Without a match there is
    /// none.
    UpgradeOptions& protocols(std::vector<std::string> names) {
        protocols_ = std::move(names);
        return *this;
    }

    /// Let pages of another origin connect: `https://example.com`; `https://*.example.com`, for what is one or more
    /// labels below that name, but not for itself; that of an app's web view, such as `capacitor://localhost`; or
    /// `null`, which every page can become in a frame: it is as good as any origin.
    ///
    /// @throws std::invalid_argument  if it is not a scheme, host and optional port, or `null`.
    UpgradeOptions& allow_origin(std::string_view origin) {
        origins_.allow(origin);
        return *this;
    }

    /// Let pages connect for whose origin the function returns true, beside those that were allowed so; it gets the
    /// Origin field as it was sent, `null` included. Called on all loops.
    UpgradeOptions& allow_origins(std::function<bool(std::string_view origin)> allow) {
        origins_.allow_if(std::move(allow));
        return *this;
    }

    /// Let every web page connect. Only for what needs no login and harms nobody.
    UpgradeOptions& allow_any_origin(bool allow = true) {
        any_origin_ = allow;
        return *this;
    }

    /// Refuse clients that send no Origin.
    UpgradeOptions& require_origin(bool require = true) {
        require_origin_ = require;
        return *this;
    }

    /// Compress messages, with clients that know how: `kvolt::deflate()` of kvolt/deflate.hpp. Off by default.
    UpgradeOptions& compression(std::shared_ptr<const detail::Compression> how) {
        compression_ = std::move(how);
        return *this;
    }

    const std::vector<std::string>& protocols() const noexcept { return protocols_; }
    const detail::OriginList& origins() const noexcept { return origins_; }
    bool allows_any_origin() const noexcept { return any_origin_; }
    bool requires_origin() const noexcept { return require_origin_; }
    const std::shared_ptr<const detail::Compression>& compression() const noexcept { return compression_; }

private:
    std::vector<std::string> protocols_;
    detail::OriginList origins_;
    std::shared_ptr<const detail::Compression> compression_;
    bool any_origin_ = false;
    bool require_origin_ = false;
};

}  // namespace kvolt

#endif
