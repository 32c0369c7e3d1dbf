#include "catch.hpp"
#include <kvolt/detail/middleware/metrics_text.hpp>

#include <cstdint>

using kvolt::detail::MetricsText;

TEST_CASE("families and samples are written as Prometheus reads them") {
    MetricsText text;
    text.family("requests_total", "counter", "Requests.\nBy \\ \"status\".");
    text.sample("requests_total", {}, std::uint64_t{7});
    text.sample("requests_total", {{"a", "x"}, {"b", "q\"u\\o\nte"}}, std::uint64_t{18446744073709551615u});
    text.sample("seconds", {{"le", "+Inf"}}, 0.25);
    CHECK(text.take() ==
          "# HELP requests_total Requests.\\nBy \\\\ \"status\".\n"
          "# TYPE requests_total counter\n"
          "requests_total 7\n"
          "requests_total{a=\"x\",b=\"q\\\"u\\\\o\\nte\"} 18446744073709551615\n"
          "seconds{le=\"+Inf\"} 0.25\n");
}

TEST_CASE("labels and help are UTF-8, as Prometheus demands") {
    MetricsText text;
    text.family("a", "counter", "caf\xE9");
    text.sample("a", {{"hub", "\xFF\xC3\xA9"}}, std::uint64_t{1});
    CHECK(text.take() == "# HELP a caf\xEF\xBF\xBD\n# TYPE a counter\na{hub=\"\xEF\xBF\xBD\xC3\xA9\"} 1\n");
}

TEST_CASE("numbers are short and exact") {
    CHECK(MetricsText::number(0.005) == "0.005");
    CHECK(MetricsText::number(1) == "1");
    CHECK(MetricsText::number(2.5) == "2.5");
    CHECK(MetricsText::number(1e-7) == "1e-07");
}
