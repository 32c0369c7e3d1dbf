// Bytes that a client sends: RequestReader, with its parser and checks, must find the same request in them however they
// are cut, and what it lets through must keep its promises.

#include "require.hpp"
#include <kvolt/detail/http/request_check.hpp>
#include <kvolt/detail/http/request_reader.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

using kvolt::Limits;
using kvolt::Request;
using kvolt::detail::RequestReader;

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

// As a connection does it, in reads of so many bytes.
Verdict receive(Request& request, std::string_view bytes, std::size_t step) {
    using Stage = RequestReader::Stage;
    RequestReader reader(request, limits());
    auto refused = [](const std::optional<kvolt::detail::Refusal>& refusal) {
        require(!refusal || (refusal->status >= 400 && refusal->status <= 505 && !refusal->reason.empty()));
        return refusal.has_value();
    };
    while (!bytes.empty()) {
        auto space = reader.prepare();
        std::size_t size = std::min({step, bytes.size(), space.size()});
        require(size > 0);
        std::memcpy(space.data(), bytes.data(), size);
        reader.commit(size);
        bytes.remove_prefix(size);
        if (reader.stage() < Stage::body) {
            if (refused(reader.parse_head())) return Verdict::refused;
            if (reader.stage() < Stage::body) continue;
            if (refused(reader.begin_body(limits().body_size))) return Verdict::refused;
        }
        if (refused(reader.parse_body())) return Verdict::refused;
        if (reader.stage() == Stage::done) return Verdict::good;
    }
    return Verdict::unfinished;
}

// A good head is good from its first byte on.
void check_prefixes(std::string_view bytes) {
    while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
    std::string_view head = bytes.substr(0, bytes.find("\r\n\r\n") + 3);
    for (std::size_t size = 0; size <= head.size(); ++size)
        require(!kvolt::detail::check_unfinished(head.substr(0, size)));
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
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    Request whole, cut;
    Verdict verdict = receive(whole, bytes, bytes.size());
    if (verdict == Verdict::good) {
        check_good(whole);
        check_prefixes(bytes);
    }
    for (std::size_t step : {1u, 7u}) {
        Verdict again = receive(cut, bytes, step);
        // A chunk's head and the trailers are bounded by what is read at once.
        require((again == Verdict::good) == (verdict == Verdict::good) || bytes.size() > limits().header_size);
        if (verdict != Verdict::good || again != Verdict::good) continue;
        require(cut.method() == whole.method() && cut.target() == whole.target() && cut.body() == whole.body());
        require(cut.field_count() == whole.field_count());
    }
    return 0;
}
