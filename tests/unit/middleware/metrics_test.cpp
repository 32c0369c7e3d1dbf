#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/app.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/error.hpp>
#include <kvolt/middleware/metrics.hpp>

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::App;
using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::Metrics;
using test::Fixture;

namespace {

const std::vector<std::string> no_names;

bool lists(const std::string& text, const std::string& line) { return text.find('\n' + line + '\n') != text.npos; }

struct FakeHub {
    std::size_t size() const { return 3; }
    kvolt::HubStats stats() const {
        kvolt::HubStats stats;
        stats.messages = 10;
        stats.refused = 4;
        stats.deliveries = 30;
        stats.dropped = 2;
        stats.disconnected = 1;
        return stats;
    }
};

/// What the page shows, on the loop of the app.
std::string text_of(App& app, const Metrics& metrics) {
    Fixture f;
    auto page = metrics.page();
    Task<> task = page(f.context());
    auto& loop = *app.loops()->front();
    boost::asio::co_spawn(app.executor(), std::move(task), [&](std::exception_ptr) { loop.stop(); });
    loop.run();
    loop.io().restart();
    return f.response.body();
}

}  // namespace

TEST_CASE("the bounds of buckets must ascend") {
    App app;
    CHECK_THROWS_AS(Metrics(app, {1, 1}), std::invalid_argument);
    CHECK_THROWS_AS(Metrics(app, {2, 1}), std::invalid_argument);
    CHECK_NOTHROW(Metrics(app, {}));
}

TEST_CASE("requests are counted by pattern, method and the status that is sent") {
    App app;
    Metrics metrics(app, {3600});
    auto ask = [&](std::string_view method, std::string_view route, auto handler) {
        Fixture f("/users/7", method);
        if (!route.empty()) f.match(no_names, {}, route);
        f.serve(metrics.count(), handler);
    };
    auto ok = [](Context& c) { c.text("ok"); };
    ask("GET", "/users/:id", ok);
    ask("GET", "/users/:id", ok);
    ask("GET", "/users/:id", [](Context&) { throw kvolt::HttpError(404, "no"); });
    ask("GET", "/users/:id", [](Context&) { throw 1; });
    ask("POST", "/users/:id", [](Context& c) -> Task<> {
        c.status(201);
        co_return;
    });
    ask("GET", "", [](Context&) { throw kvolt::HttpError(404, "no"); });
    ask("BREW", "/any", ok);
    ask("GRIND", "/any", ok);
    std::string text = text_of(app, metrics);
    CHECK(text.starts_with("# HELP kvolt_requests_total "));
    CHECK(lists(text, "# TYPE kvolt_requests_total counter"));
    CHECK(lists(text, R"(kvolt_requests_total{route="/users/:id",method="GET",status="200"} 2)"));
    CHECK(lists(text, R"(kvolt_requests_total{route="/users/:id",method="GET",status="404"} 1)"));
    CHECK(lists(text, R"(kvolt_requests_total{route="/users/:id",method="GET",status="500"} 1)"));
    CHECK(lists(text, R"(kvolt_requests_total{route="/users/:id",method="POST",status="201"} 1)"));
    CHECK(lists(text, R"(kvolt_requests_total{route="",method="GET",status="404"} 1)"));
    CHECK(lists(text, R"(kvolt_requests_total{route="/any",method="other",status="200"} 2)"));
    CHECK(lists(text, "# TYPE kvolt_request_duration_seconds histogram"));
    CHECK(lists(text, R"(kvolt_request_duration_seconds_bucket{route="/users/:id",method="GET",le="3600"} 4)"));
    CHECK(lists(text, R"(kvolt_request_duration_seconds_bucket{route="/users/:id",method="GET",le="+Inf"} 4)"));
    CHECK(lists(text, R"(kvolt_request_duration_seconds_count{route="/users/:id",method="GET"} 4)"));
    CHECK(text.find(R"(kvolt_request_duration_seconds_sum{route="/users/:id",method="GET"} )") != text.npos);
    CHECK(lists(text, "kvolt_requests_in_flight 0"));
}

TEST_CASE("a request is in flight until it is answered, upgraded or forgotten") {
    App app;
    Metrics metrics(app);
    auto in_flight = [&](int count) {
        return lists(text_of(app, metrics), "kvolt_requests_in_flight " + std::to_string(count));
    };
    Fixture answered, upgraded;
    answered.serve(metrics.count(), [&](Context&) { CHECK(in_flight(1)); });
    CHECK(in_flight(0));
    upgraded.ask_for_websocket();
    upgraded.match(no_names, {}, "/ws");
    upgraded.serve(metrics.count(), [&](Context& c) -> Task<> {
        CHECK(in_flight(1));
        co_await c.upgrade();
        CHECK(in_flight(0));
    });
    CHECK(lists(text_of(app, metrics), R"(kvolt_requests_total{route="/ws",method="GET",status="101"} 1)"));
    {
        Fixture forgotten;
        metrics.count()(forgotten.context());
        CHECK(in_flight(1));
    }
    CHECK(in_flight(0));
}

TEST_CASE("hubs and loops are shown") {
    App app;
    Metrics metrics(app);
    CHECK(text_of(app, metrics).find("hub") == std::string::npos);
    FakeHub hub;
    metrics.hub("a \"b\"", hub);
    auto& loop = *app.loops()->front();
    const kvolt::detail::Place one(app.core()->places, loop), other(app.core()->places, loop);
    test::FakeLink plain(loop), websocket(loop);
    loop.add_websocket();
    loop.outgoing().assign(100, 'x');
    websocket.send(0, 100, kvolt::detail::Unit::raw);
    std::string text = text_of(app, metrics);
    CHECK(lists(text, "kvolt_connections 2"));
    CHECK(lists(text, "kvolt_websockets 1"));
    CHECK(lists(text, "kvolt_queued_bytes 100"));
    CHECK(lists(text, "kvolt_connections_shed_total 0"));
    CHECK(lists(text, R"(kvolt_hub_members{hub="a \"b\""} 3)"));
    CHECK(lists(text, R"(kvolt_hub_messages_total{hub="a \"b\""} 10)"));
    CHECK(lists(text, R"(kvolt_hub_refused_total{hub="a \"b\""} 4)"));
    CHECK(lists(text, R"(kvolt_hub_deliveries_total{hub="a \"b\""} 30)"));
    CHECK(lists(text, R"(kvolt_hub_dropped_total{hub="a \"b\""} 2)"));
    CHECK(lists(text, R"(kvolt_hub_disconnected_total{hub="a \"b\""} 1)"));
    CHECK(text.ends_with("\n"));
}
