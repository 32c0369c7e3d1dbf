#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/cors.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

using kvolt::Context;
using kvolt::middleware::cors;
using kvolt::middleware::CorsOptions;
using test::Fixture;

namespace {

struct Ask {
    std::string method, origin, wanted_method = {}, wanted_headers = {};
};

std::unique_ptr<Fixture> ask(const CorsOptions& options, const Ask& ask) {
    auto f = std::make_unique<Fixture>("/", ask.method);
    if (!ask.origin.empty()) f->request.add_field("Origin", ask.origin);
    if (!ask.wanted_method.empty()) f->request.add_field("Access-Control-Request-Method", ask.wanted_method);
    if (!ask.wanted_headers.empty()) f->request.add_field("Access-Control-Request-Headers", ask.wanted_headers);
    f->serve(cors(options), [](Context& c) { c.text("handled"); });
    return f;
}

/// The fields of CORS and Vary, sorted as they were set.
std::string fields(const Fixture& f) {
    std::string all;
    for (const auto& [name, value] : f.response.fields()) {
        std::string_view shown = name;
        if (shown.starts_with("Access-Control-")) shown.remove_prefix(15);
        (all += all.empty() ? "" : "; ") += std::string(shown) + ": " + value;
    }
    return all;
}

CorsOptions listed() { return CorsOptions().allow_origin("https://a.example").allow_origin("http://localhost:3000"); }

}  // namespace

TEST_CASE("cors: by default any origin may read, without credentials") {
    CHECK(fields(*ask({}, {"GET", "https://x.example"})) == "Allow-Origin: *");
    CHECK(fields(*ask({}, {"GET", "null"})) == "Allow-Origin: *");
    CHECK(fields(*ask({}, {"GET", ""})) == "Allow-Origin: *");  // it may be kept, and read by another page later
    CHECK(ask({}, {"GET", "https://x.example"})->response.body() == "handled");
}

TEST_CASE("cors: a list of origins") {
    struct Case {
        std::string origin;
        bool allowed;
    };
    for (const Case& c :
         {Case{"https://a.example", true}, Case{"https://a.example:443", true}, Case{"HTTPS://A.EXAMPLE", true},
          Case{"http://localhost:3000", true}, Case{"http://a.example", false}, Case{"https://a.example:8443", false},
          Case{"https://a.example.evil", false}, Case{"https://b.a.example", false}, Case{"http://localhost", false},
          Case{"null", false}, Case{"", false}}) {
        auto f = ask(listed(), {"POST", c.origin});
        CHECK(fields(*f) == (c.allowed ? "Allow-Origin: " + c.origin + "; Vary: Origin" : "Vary: Origin"));
        CHECK(f->response.status() == 200);
        CHECK(f->response.body() == "handled");  // a request of the same origin may carry an Origin, too
    }
    for (std::string_view bad : {"*", "a.example", "https://*.example", "https://a.example/path", "wss://a.example"})
        CHECK_THROWS_AS(CorsOptions().allow_origin(bad), std::invalid_argument);
}

TEST_CASE("cors: a predicate decides, beside the list") {
    auto options = listed().allow_origins([](std::string_view origin) { return origin.ends_with(".b.example"); });
    CHECK(fields(*ask(options, {"GET", "https://x.b.example"})) == "Allow-Origin: https://x.b.example; Vary: Origin");
    CHECK(fields(*ask(options, {"GET", "https://a.example"})) == "Allow-Origin: https://a.example; Vary: Origin");
    CHECK(fields(*ask(options, {"GET", "https://b.example"})) == "Vary: Origin");
}

TEST_CASE("cors: origins that no web site has, and all below a name") {
    auto options = CorsOptions()
                       .allow_origin("null")
                       .allow_origin("capacitor://localhost")
                       .allow_origin("https://*.a.example")
                       .credentials();
    for (std::string origin : {"null", "capacitor://localhost", "https://x.a.example", "https://y.x.a.example"})
        CHECK(fields(*ask(options, {"GET", origin})) ==
              "Allow-Origin: " + origin + "; Allow-Credentials: true; Vary: Origin");
    for (std::string origin :
         {"", "capacitor://other", "https://a.example", "https://xa.example", "http://x.a.example"})
        CHECK(fields(*ask(options, {"GET", origin})) == "Vary: Origin");
}

TEST_CASE("cors: credentials never go with any origin") {
    CHECK_THROWS_AS(cors(CorsOptions().credentials()), std::invalid_argument);
    CHECK(fields(*ask(listed().credentials(), {"GET", "https://a.example"})) ==
          "Allow-Origin: https://a.example; Allow-Credentials: true; Vary: Origin");
    CHECK(fields(*ask(listed().credentials(), {"GET", "https://b.example"})) == "Vary: Origin");
}

TEST_CASE("cors: a preflight is answered without the handler") {
    auto f = ask({}, {"OPTIONS", "https://x.example", "PUT", "content-type,x-key"});
    CHECK(f->response.status() == 204);
    CHECK(fields(*f) ==
          "Allow-Origin: *; Vary: Access-Control-Request-Method; Vary: Access-Control-Request-Headers; "
          "Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE; Allow-Headers: content-type,x-key; Max-Age: 600");
    auto chosen =
        listed().methods({"GET", "PUT"}).headers({"X-Key"}).expose({"X-Total"}).max_age(std::chrono::hours(1));
    CHECK(fields(*ask(chosen, {"OPTIONS", "https://a.example", "PUT", "x-other"})) ==
          "Allow-Origin: https://a.example; Vary: Access-Control-Request-Method; "
          "Vary: Access-Control-Request-Headers; Allow-Methods: GET, PUT; Allow-Headers: X-Key; Max-Age: 3600; "
          "Vary: Origin");
    auto refused = ask(chosen, {"OPTIONS", "https://b.example", "PUT"});
    CHECK(refused->response.status() == 204);
    CHECK(fields(*refused) ==
          "Vary: Access-Control-Request-Method; Vary: Access-Control-Request-Headers; Vary: Origin");
    CHECK(fields(*ask(chosen, {"GET", "https://a.example"})) ==
          "Allow-Origin: https://a.example; Expose-Headers: X-Total; Vary: Origin");
}

TEST_CASE("cors: OPTIONS that is no preflight reaches the handler") {
    CHECK(ask({}, {"OPTIONS", "https://x.example"})->response.body() == "handled");
    CHECK(ask({}, {"OPTIONS", "", "PUT"})->response.body() == "handled");
}

TEST_CASE("cors: a page may read errors, and a handler's Vary stays beside ours") {
    Fixture error, vary;
    error.request.add_field("Origin", "https://a.example");
    error.serve(cors(listed()), [](Context&) { throw kvolt::HttpError(404, "no"); });
    CHECK(error.response.status() == 404);
    CHECK(fields(error) == "Allow-Origin: https://a.example; Vary: Origin");
    Fixture stream;
    stream.serve(cors(listed()), [&](Context& c) {
        c.stream();
        CHECK(fields(stream) == "Vary: Origin");  // in time for the head
    });
    vary.serve(cors(listed()), [](Context& c) { c.header("Vary", "Accept"); });
    CHECK(fields(vary) == "Vary: Accept; Vary: Origin");
}

TEST_CASE("cors: what cannot be in a header field is refused at setup") {
    CHECK_THROWS_AS(CorsOptions().methods({"GET, PUT"}), std::invalid_argument);
    CHECK_THROWS_AS(CorsOptions().headers({"X Key"}), std::invalid_argument);
    CHECK_THROWS_AS(CorsOptions().expose({"X\r\nKey"}), std::invalid_argument);
}
