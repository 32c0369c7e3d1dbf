// Bytes that a client sends: RequestParser, check_request() and check_unfinished() must agree on what is a request,
// however it is cut, and what they let through must keep its promises.

#include "require.hpp"
#include <kvolt/detail/request_check.hpp>
#include <kvolt/detail/request_parser.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using kvolt::Limits;
using kvolt::Request;
using kvolt::detail::Refusal;
using kvolt::detail::RequestParser;

namespace {

const Limits& limits() {
    static const Limits small = [] {
        Limits made;
        made.header_size = 1024;
        made.target_size = 256;
        made.header_fields = 20;
        made.body_size = 512;
        return made;
    }();
    return small;
}

enum class Verdict { unfinished, refused, good };

// As a connection does it: what the parser does not consume is offered again, with more behind it.
Verdict receive(Request& request, std::string_view bytes, std::size_t step) {
    RequestParser parser(request, limits());
    std::size_t begin = 0;
    std::string_view head;
    for (std::size_t end = std::min(step, bytes.size());; end = std::min(bytes.size(), end + step)) {
        boost::system::error_code error;
        begin += parser.put(boost::asio::buffer(bytes.data() + begin, end - begin), error);
        if (head.empty() && parser.is_header_done()) {
            head = bytes.substr(0, bytes.find("\r\n\r\n") + 2);
            if (check_request(request, head)) return Verdict::refused;
        }
        if (error && error != boost::beast::http::error::need_more) {
            auto refusal = parser.refusal(error, bytes.substr(0, end));
            require(refusal.status >= 400 && refusal.status <= 505);
            return Verdict::refused;
        }
        if (parser.is_done()) break;
        if (!parser.is_header_done() && parser.check_unfinished(bytes.substr(0, end))) return Verdict::refused;
        if (end == bytes.size()) return Verdict::unfinished;
    }
    for (std::size_t size = 0; size < head.size() + 2; ++size)
        require(!kvolt::detail::check_unfinished(bytes.substr(0, size)));  // a good head is good from the start
    return Verdict::good;
}

void check_good(const Request& request) {
    require(request.version() == 10 || request.version() == 11);
    require(request.version() == 10 || request.count("Host") == 1);
    require(request.count("Host") <= 1 && request.count("Content-Length") + request.count("Transfer-Encoding") <= 1);
    require(request.field_count() <= limits().header_fields);
    require(request.target().size() <= limits().target_size);
    require(request.body().size() <= limits().body_size);
    require(request.method() != "CONNECT");
    if (request.target() == "*") return;
    auto path = kvolt::percent_decode(request.raw_path());
    require(path && path->starts_with('/'));
    require((*path + '/').find("/../") == std::string::npos);
    require(path->find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    for (std::size_t i = 0; i < request.field_count(); ++i) {
        require(kvolt::detail::is_token(request.field_name(i)));
        require(request.field_value(i).find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Empty lines in front are skipped by the connection.
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (bytes.empty()) return 0;
    Request whole, cut;
    Verdict verdict = receive(whole, bytes, bytes.size());
    if (verdict == Verdict::good) check_good(whole);
    for (std::size_t step : {1u, 7u}) {
        require(receive(cut, bytes, step) == verdict);
        if (verdict != Verdict::good) continue;
        require(cut.method() == whole.method() && cut.target() == whole.target() && cut.body() == whole.body());
        require(cut.field_count() == whole.field_count());
    }
    return 0;
}
