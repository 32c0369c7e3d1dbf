#ifndef KVOLT_DETAIL_WEBSOCKET_DEFLATE_AGREEMENT_HPP
#define KVOLT_DETAIL_WEBSOCKET_DEFLATE_AGREEMENT_HPP

// The negotiation of permessage-deflate (RFC 7692, section 7.1).

#include <kvolt/connect_error.hpp>
#include <kvolt/deflate_options.hpp>
#include <kvolt/detail/core/escape.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/list.hpp>
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
            std::size_t equals = (std::min)(part.find('='), part.size());
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
    std::string answer;  ///< Sec-WebSocket-Extensions of the server
};

/// A number from 8 to 15, without leading zeros.
inline std::optional<int> parse_window_bits(std::string_view value) noexcept {
    if (value == "8" || value == "9") return value[0] - '0';
    if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') return 10 + value[1] - '0';
    return std::nullopt;
}

/// The parameters of an offer or an answer.
struct DeflateParameters {
    bool server_alone = false, client_alone = false;  // "no context takeover"
    std::optional<int> server_bits, client_bits;
    const char* fault = nullptr;  // what makes them invalid
};

/// @param from  Who sends them: that of a client may say that it knows client_max_window_bits, without a number.
inline DeflateParameters read_parameters(const Extension& extension, Role from) {
    DeflateParameters result;
    auto refuse = [&](const char* why) {
        result.fault = why;
        return result;
    };
    for (const auto& [name, value] : extension.parameters) {
        bool first = true;
        if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
            if (value) return refuse("a value where none belongs");
            first = !std::exchange(name[0] == 's' ? result.server_alone : result.client_alone, true);
        } else if (name == "server_max_window_bits" || name == "client_max_window_bits") {
            auto& bits = name[0] == 's' ? result.server_bits : result.client_bits;
            bool bare = !value && name[0] == 'c' && from == Role::client;
            first = !bits;
            bits = bare ? 15 : parse_window_bits(value.value_or(""));
            if (!bits) return refuse("a window that is not 8 to 15 bits");
        } else {
            return refuse("an unknown parameter");
        }
        if (!first) return refuse("a parameter twice");
    }
    return result;
}

/// Agree on one offer; nothing if it must be declined.
inline std::optional<DeflateAgreement> accept_offer(const Extension& offer, const DeflateOptions& options) {
    if (offer.name != "permessage-deflate") return std::nullopt;
    DeflateParameters asked = read_parameters(offer, Role::client);
    if (asked.fault != nullptr) return std::nullopt;
    DeflateAgreement agreed;
    agreed.server_window_bits = (std::min)(asked.server_bits.value_or(15), options.window_bits());
    // Only a client that has said so understands a limit of its own window.
    if (asked.client_bits) agreed.client_window_bits = (std::min)(*asked.client_bits, options.window_bits());
    agreed.server_context_takeover = options.keeps_context() && !asked.server_alone;
    agreed.client_context_takeover =
        options.keeps_context() && !asked.client_alone && agreed.client_window_bits <= options.window_bits();
    std::string& answer = agreed.answer = offer.name;
    if (!agreed.server_context_takeover) answer += "; server_no_context_takeover";
    if (!agreed.client_context_takeover) answer += "; client_no_context_takeover";
    if (asked.server_bits || agreed.server_window_bits < 15)
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

/// A client's Sec-WebSocket-Extensions. A server that cannot limit its window may let each message stand alone instead.
inline std::string deflate_offer(const DeflateOptions& options) {
    constexpr std::string_view server_alone = "; server_no_context_takeover";
    const std::string bits = options.window_bits() < 15 ? "=" + std::to_string(options.window_bits()) : "";
    std::string offer = "permessage-deflate; client_max_window_bits" + bits;
    if (!options.keeps_context()) return (offer += server_alone) += "; client_no_context_takeover";
    if (bits.empty()) return offer;
    return offer + "; server_max_window_bits" + bits + ", " + offer + std::string(server_alone);
}

/// Accept a server's answer to deflate_offer().
///
/// @throws ConnectError  that tells what is wrong with it (RFC 7692, section 7.1).
inline DeflateAgreement accept_deflate(std::string_view answer, const DeflateOptions& options) {
    auto fail = [&](const std::string& what) {
        throw ConnectError(ConnectError::Reason::handshake, "the server " + what + ": " + printable(answer));
    };
    auto extensions = parse_extensions(answer);
    if (!extensions || extensions->empty()) fail("sends malformed Sec-WebSocket-Extensions");
    for (const Extension& extension : *extensions)
        if (extension.name != "permessage-deflate") fail("uses an extension that was not offered");
    if (extensions->size() > 1) fail("uses permessage-deflate twice");
    auto fail_with = [&](const std::string& what) { fail("answers permessage-deflate with " + what); };
    DeflateParameters agreed = read_parameters(extensions->front(), Role::server);
    if (agreed.fault != nullptr) fail_with(agreed.fault);
    if (agreed.client_bits.value_or(0) > options.window_bits()) fail_with("a larger client window than was offered");
    bool takeover = !agreed.server_alone;
    if (takeover && !options.keeps_context()) fail_with("a context takeover that was not offered");
    if (takeover && agreed.server_bits.value_or(15) > options.window_bits())
        fail_with("a larger server window than was offered");
    return {.server_context_takeover = takeover,
            .client_context_takeover = options.keeps_context() && !agreed.client_alone,
            .server_window_bits = agreed.server_bits.value_or(15),
            .client_window_bits = agreed.client_bits.value_or(options.window_bits()),
            .answer = {}};
}

}  // namespace kvolt::detail

#endif
