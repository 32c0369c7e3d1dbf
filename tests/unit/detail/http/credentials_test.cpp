#include "catch.hpp"
#include <kvolt/detail/http/credentials.hpp>

#include <optional>
#include <string>
#include <utility>

using namespace kvolt::detail;

TEST_CASE("basic credentials are a user and a password behind the first colon") {
    using Pair = std::pair<std::string, std::string>;
    CHECK(basic_credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == Pair("Aladdin", "open sesame"));
    CHECK(basic_credentials("bAsIc  QTpi") == Pair("A", "b"));
    CHECK(basic_credentials("Basic YTpiOmM=") == Pair("a", "b:c"));
    CHECK(basic_credentials("Basic Og==") == Pair("", ""));
    for (std::string_view bad : {"", "Basic", "Basic ", "BasicQTpi", "Bearer QTpi", "Basic QQ==", "Basic Q",
                                 "Basic QTpi QTpi", "Basic QQo6Yg==" /* "A\n:b" */})
        CHECK_FALSE(basic_credentials(bad));
}

TEST_CASE("a bearer token is what its grammar allows") {
    CHECK(bearer_token("Bearer abc.DEF-_~+/==") == "abc.DEF-_~+/==");
    CHECK(bearer_token("bearer x") == "x");
    for (std::string_view bad : {"", "Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Basic a"})
        CHECK_FALSE(bearer_token(bad));
}
