#ifndef KVOLT_DETAIL_DEFLATE_AGREEMENT_HPP
#define KVOLT_DETAIL_DEFLATE_AGREEMENT_HPP

// The negotiation of permessage-deflate (RFC 7692, section 7.1).

#include <kvolt/deflate_options.hpp>
#include <kvolt/detail/list.hpp>
#include <kvolt/error.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

struct Extension {
    struct Parameter {
        std::string name;
        std::optional<std::string> value;
    };

    std::string name;
    std::vector<Parameter> parameters;
};

/// Take a Sec-WebSocket-Extensions field apart (RFC 6455, section 9.1); nothing if it is malformed.
inline std::optional<std::vector<Extension>> parse_extensions(std::string_view list) {
    std::vector<Extension> extensions;
    while (!list.empty()) {
        std::string_view parts = take_item(list, ',', true);
        if (parts.empty()) continue;
        if (parts.ends_with(';')) return std::nullopt;
        Extension& extension = extensions.emplace_back();
        extension.name = take_item(parts, ';', true);
        if (!is_token(extension.name)) return std::nullopt;
        while (!parts.empty()) {
            std::string_view part = take_item(parts, ';', true);
            std::size_t equals = std::min(part.find('='), part.size());
            auto& parameter = extension.parameters.emplace_back();
            parameter.name = trimmed(part.substr(0, equals));
            if (!is_token(parameter.name)) return std::nullopt;
            if (equals == part.size()) continue;
            parameter.value = unquoted(trimmed(part.substr(equals + 1)));
            if (!parameter.value || !is_token(*parameter.value)) return std::nullopt;  // also within quotes
        }
    }
    return extensions;
}

/// What client and server do. Windows are powers of two.
struct DeflateAgreement {
    bool server_context_takeover = false;
    bool client_context_takeover = false;
    int server_window_bits = 15;
    int client_window_bits = 15;
    std::string answer;  ///< Sec-WebSocket-Extensions
};

/// A number from 8 to 15, without leading zeros.
inline std::optional<int> parse_window_bits(std::string_view value) noexcept {
    if (value == "8" || value == "9") return value[0] - '0';
    if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') return 10 + value[1] - '0';
    return std::nullopt;
}

/// Agree on one offer; nothing if it must be declined.
inline std::optional<DeflateAgreement> accept_offer(const Extension& offer, const DeflateOptions& options) {
    if (offer.name != "permessage-deflate") return std::nullopt;
    bool server_alone = false, client_alone = false;  // "no context takeover"
    std::optional<int> server_bits, client_bits;
    for (const auto& [name, value] : offer.parameters) {
        bool first = true;
        if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
            if (value) return std::nullopt;
            first = !std::exchange(name[0] == 's' ? server_alone : client_alone, true);
        } else if (name == "server_max_window_bits" || name == "client_max_window_bits") {
            auto& bits = name[0] == 's' ? server_bits : client_bits;
            first = !bits;
            bits = value ? parse_window_bits(*value) : name[0] == 'c' ? std::optional(15) : std::nullopt;
            if (!bits) return std::nullopt;
        } else {
            return std::nullopt;
        }
        if (!first) return std::nullopt;
    }
    DeflateAgreement agreed;
    agreed.server_window_bits = std::min(server_bits.value_or(15), options.window_bits());
    // Only a client that has said so understands a limit of its own window.
    if (client_bits) agreed.client_window_bits = std::min(*client_bits, options.window_bits());
    agreed.server_context_takeover = options.keeps_context() && !server_alone;
    agreed.client_context_takeover =
        options.keeps_context() && !client_alone && agreed.client_window_bits <= options.window_bits();
    std::string& answer = agreed.answer = offer.name;
    if (!agreed.server_context_takeover) answer += "; server_no_context_takeover";
    if (!agreed.client_context_takeover) answer += "; client_no_context_takeover";
    if (server_bits || agreed.server_window_bits < 15)
        answer += "; server_max_window_bits=" + std::to_string(agreed.server_window_bits);
    if (agreed.client_context_takeover && agreed.client_window_bits < 15)
        answer += "; client_max_window_bits=" + std::to_string(agreed.client_window_bits);
    return agreed;
}

/// Agree on the first offer of a client that will do; nothing if none does.
///
/// @param offers  Its Sec-WebSocket-Extensions.
/// @throws HttpError  400 if that is malformed.
inline std::optional<DeflateAgreement> agree_on_deflate(std::string_view offers, const DeflateOptions& options) {
    auto extensions = parse_extensions(offers);
    if (!extensions) throw HttpError(400, "bad Sec-WebSocket-Extensions");
    for (const Extension& extension : *extensions)
        if (auto agreed = accept_offer(extension, options)) return agreed;
    return std::nullopt;
}

}  // namespace kvolt::detail

#endif
