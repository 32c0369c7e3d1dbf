#ifndef KVOLT_MIDDLEWARE_ALLOWED_HOSTS_HPP
#define KVOLT_MIDDLEWARE_ALLOWED_HOSTS_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/http/host_pattern.hpp>
#include <kvolt/error.hpp>
#include <kvolt/url.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::middleware {

namespace detail {

class HostList {
public:
    explicit HostList(const std::vector<std::string>& hosts) {
        for (const std::string& text : hosts) {
            auto authority = kvolt::detail::parse_authority(text, 0);
            auto host = authority ? kvolt::detail::HostPattern::parse(authority->host) : std::nullopt;
            if (!host)
                throw std::invalid_argument(
                    "kvolt: allowed_hosts: not a host such as example.com, *.example.com or localhost:8080: \"" + text +
                    '"');
            entries_.push_back({*std::move(host), authority->port});
        }
        if (hosts.empty()) throw std::invalid_argument("kvolt: allowed_hosts: nobody could be answered without a host");
    }

    bool allows(std::string_view sent, bool secure) const noexcept {
        auto authority = kvolt::detail::parse_authority(sent, secure ? 443 : 80);
        if (!authority) return false;
        std::string_view host = authority->host;
        if (host.ends_with('.')) host.remove_suffix(1);  // which names the root, and so the same
        for (const Entry& entry : entries_)
            if ((entry.port == 0 || entry.port == authority->port) && entry.host.matches(host)) return true;
        return false;
    }

private:
    struct Entry {
        kvolt::detail::HostPattern host;
        unsigned port;  // 0 for any
    };

    std::vector<Entry> entries_;
};

}  // namespace detail

/// Answer only those who call the server by one of these names; others get 421.
///
///     app.use(kvolt::middleware::allowed_hosts({"example.com", "*.example.com", "localhost:8080"}));
///
/// This is for servers that trust whoever reaches them, such as one on localhost or in a private network. A web page
/// can let its own name point to such a server (DNS rebinding), and is then of the same origin to the browser and to
/// upgrade(); but it cannot choose the Host field. The answer is 421 and not 400, since the request is in order: it has
/// only come to a server that does not speak for this host (RFC 9110, section 15.5.20).
///
/// @param hosts  Each with any port, unless it says one: names, `*.example.com` for what is below a name but not the
///               name itself, and addresses, such as `127.0.0.1` and `[::1]`, if clients may use them.
/// @throws std::invalid_argument  that names what is none of them; also for an empty list.
inline auto allowed_hosts(const std::vector<std::string>& hosts) {
    return [list = std::make_shared<const detail::HostList>(hosts)](Context& c) {
        if (!list->allows(c.host(), c.secure())) throw HttpError(421, "Misdirected Request");
    };
}

}  // namespace kvolt::middleware

#endif
