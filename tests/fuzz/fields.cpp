// What a client's fields ask for: ranges, dates, conditions, encodings, credentials, extensions, which a server's may
// be, too; and the names in its target: paths of files, parameters, origins. The input is a request line without a
// version and then fields, one a line.

#include "require.hpp"
#include <kvolt/connect_error.hpp>
#include <kvolt/deflate_options.hpp>
#include <kvolt/detail/core/date.hpp>
#include <kvolt/detail/core/date_parser.hpp>
#include <kvolt/detail/core/escape.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/core/utf8.hpp>
#include <kvolt/detail/files/byte_ranges.hpp>
#include <kvolt/detail/files/content_disposition.hpp>
#include <kvolt/detail/files/entity_tag.hpp>
#include <kvolt/detail/files/file.hpp>
#include <kvolt/detail/files/multipart.hpp>
#include <kvolt/detail/files/page_wish.hpp>
#include <kvolt/detail/files/path.hpp>
#include <kvolt/detail/files/preconditions.hpp>
#include <kvolt/detail/http/accept_encoding.hpp>
#include <kvolt/detail/http/credentials.hpp>
#include <kvolt/detail/websocket/deflate_agreement.hpp>
#include <kvolt/error.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::Request;
using namespace kvolt::detail;

namespace {

constexpr std::string_view line_ends("\r\n\0", 3);

std::string_view take(std::string_view& text, char separator) {
    std::string_view first = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), first.size() + 1));
    return first;
}

// Parts lie within the file, do not overlap and are not too near to each other to be worth it.
void check_ranges(std::string_view field, std::uint64_t size) {
    ByteRanges asked = parse_ranges(field, size);
    require((asked.kind == ByteRanges::Kind::parts) == !asked.ranges.empty());
    require(asked.ranges.size() <= ByteRanges::most);
    std::uint64_t all = 0;
    for (const ByteRange& range : asked.ranges) {
        require(range.first <= range.last && range.last < size);
        for (const ByteRange& other : asked.ranges)
            require(&other == &range || range.last < other.first || other.last < range.first);
        all += range.size();
        require(all <= size && all > 0);
    }
    if (asked.kind != ByteRanges::Kind::parts) return;
    auto file = std::make_shared<File>();
    file->size = size;
    auto parts = multipart(file, asked.ranges, "text/plain", "boundary");
    require(parts.size() == asked.ranges.size() + 1 && parts.back().file == nullptr && parts.back().size == 0);
    for (std::size_t i = 0; i < asked.ranges.size(); ++i) {
        require(parts[i].offset == asked.ranges[i].first && parts[i].size == asked.ranges[i].size());
        std::string said = "\r\nContent-Range: " + content_range(asked.ranges[i], size) + "\r\n\r\n";
        require(parts[i].text.starts_with(i == 0 ? "--boundary\r\n" : "\r\n--boundary\r\n"));
        require(parts[i].text.ends_with(said));
    }
}

void check_date(std::string_view field) {
    for (std::time_t now : {std::time_t(0), std::time_t(784111777), std::time_t(4102444799)}) {
        auto date = parse_http_date(field, now);
        if (date) require(parse_http_date(http_date(*date), now) == date);
    }
}

void check_encoding(std::string_view field) {
    constexpr std::array<std::string_view, 2> available = {"br", "gzip"};
    std::string_view chosen = choose_encoding(field, available);
    require(chosen == "br" || chosen == "gzip" || chosen == "identity");
    for (std::string_view coding : {"br", "gzip", "identity", "*"}) {
        int weight = encoding_weight(field, coding);
        require(weight >= 0 && weight <= 1000);
        require(coding == "identity" || chosen != coding || weight > 0);
    }
}

void check_tags(std::string_view list) {
    while (auto tag = next_entity_tag(list)) {
        require(tag->ends_with('"') && (tag->starts_with('"') || tag->starts_with("W/\"")));
        require(equal_weakly(*tag, *tag) && equal_strongly(*tag, *tag) == tag->starts_with('"'));
    }
}

void check_credentials(std::string_view field) {
    if (auto user = basic_credentials(field))
        require(user->first.find(':') == std::string::npos &&
                user->first.find_first_of(line_ends) == std::string::npos &&
                user->second.find_first_of(line_ends) == std::string::npos);
    if (auto token = bearer_token(field)) require(!token->empty() && token->find(' ') == token->npos);
}

// Whatever the other side says, no side does more than its options have, and what a server answers can be understood.
void check_extensions(std::string_view field) {
    for (int most : {9, 15})
        for (bool keeps : {false, true}) {
            auto options = kvolt::DeflateOptions().window_bits(most).context_takeover(keeps);
            auto check = [&](bool takeover, int window) {
                require(window >= 8 && window <= 15 && (!takeover || (keeps && window <= most)));
            };
            try {
                if (auto agreed = agree_on_deflate(field, options)) {
                    check(agreed->server_context_takeover, agreed->server_window_bits);
                    check(agreed->client_context_takeover, agreed->client_window_bits);
                    auto answer = parse_extensions(agreed->answer);
                    require(answer && read_parameters(answer->front(), Role::server).fault == nullptr);
                }
            } catch (const kvolt::HttpError& error) {
                require(error.status() == 400);
            }
            try {
                auto agreed = accept_deflate(field, options);
                check(agreed.server_context_takeover, agreed.server_window_bits);
                check(agreed.client_context_takeover, agreed.client_window_bits);
                require(agreed.client_window_bits <= most);
            } catch (const kvolt::ConnectError& error) {
                require(std::string_view(error.what()).size() < 400);
            }
        }
}

void check_conditions(const Request& request) {
    const Validators now{"\"a\"", 784111777};
    bool safe = request.method() == "GET" || request.method() == "HEAD";
    require(safe || evaluate_preconditions(request, now) != Precondition::not_modified);
    require(request.count("If-Range") <= 1 || !if_range_holds(request, now, 784111779));
}

// Nothing outside of the folder, and nothing hidden.
void check_file_path(std::string_view sent) {
    auto any = parse_file_path(sent, true), shown = parse_file_path(sent, false);
    require(!shown || (any && any->path == shown->path && any->is_folder == shown->is_folder));
    if (any) {
        std::string path = '/' + any->path + '/';
        require(path.find("/../") == path.npos && path.find("/./") == path.npos);
        require((path == "//" || path.find("//") == path.npos) && path.find('\0') == path.npos);
        std::string header = attachment_disposition(any->path);
        require(std::all_of(header.begin(), header.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
        require(std::count(header.begin(), header.end(), '"') == 2);
    }
    if (shown) require(('/' + shown->path).find("/.") == std::string::npos);
    auto at_root = parse_file_path(sent, false, true);
    require(!shown || at_root);
    if (at_root && !shown) require(at_root->path.starts_with(".well-known/") || at_root->path == ".well-known");
    if (at_root && !shown) require(('/' + at_root->path.substr(11)).find("/.") == std::string::npos);
}

// Whatever a client has sent, what is made of it is UTF-8, and fits where it goes.
void check_text(std::string_view text) {
    std::string utf8 = utf8_text(text), json = json_string(text), reference = escaped_reference(text), log;
    require(is_utf8(utf8) && (is_utf8(text) == (utf8 == text)) && utf8_text(utf8) == utf8);
    require(is_utf8(json) && json.starts_with('"') && json.ends_with('"') && json_string(utf8) == json);
    require(std::all_of(json.begin(), json.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; }));
    require(is_field_value(text) == is_field_value(reference));
    append_log_text(log, text);
    require(std::all_of(log.begin(), log.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
}

// A page is for who takes HTML, and not for scripts.
void check_page(const Request& request) {
    PageWish wish = page_wish(request);
    std::string_view mode = request.header("Sec-Fetch-Mode");
    require(wish == PageWish::none || mode.empty() || mode == "navigate");
    Request other;
    other.start("GET", "/");
    other.add_field("Accept", "text/html");
    for (std::size_t i = 0; i < request.field_count(); ++i)
        if (!iequals(request.field_name(i), "Accept")) other.add_field(request.field_name(i), request.field_value(i));
    require(wish == PageWish::none || page_wish(other) == PageWish::sure);
}

void check_target(const Request& request) {
    std::string_view path = request.raw_path();
    check_file_path(path.starts_with('/') ? path.substr(1) : path);
    auto decoded = kvolt::percent_decode(path);
    require(!decoded || decoded->size() <= path.size());
    std::size_t most =
        static_cast<std::size_t>(std::count(request.raw_query().begin(), request.raw_query().end(), '&'));
    require(kvolt::parse_query(request.raw_query()).size() <= most + 1);
    if (auto authority = parse_authority(path, 80)) {
        require(!authority->host.empty() && authority->port <= 65535);
        require(parse_authority(std::string(authority->host) + ':' + std::to_string(authority->port), 80) == authority);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size), line = take(bytes, '\n');
    std::string_view method = take(line, ' ');
    Request request;
    request.start(method, line);
    while (!bytes.empty()) {
        std::string_view value = take(bytes, '\n'), name = take(value, ':');
        if (value.starts_with(' ')) value.remove_prefix(1);
        request.add_field(name, value);
        for (std::uint64_t length : {std::uint64_t(0), std::uint64_t(1), std::uint64_t(1000), std::uint64_t(1) << 40,
                                     std::numeric_limits<std::uint64_t>::max()})
            check_ranges(value, length);
        check_date(value);
        check_encoding(value);
        check_tags(value);
        check_credentials(value);
        check_extensions(value);
        check_text(value);
    }
    check_conditions(request);
    check_page(request);
    check_target(request);
    return 0;
}
