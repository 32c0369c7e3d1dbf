#include "catch.hpp"
#include <kvolt/detail/files/page_wish.hpp>
#include <kvolt/request.hpp>

#include <string>
#include <utility>
#include <vector>

using kvolt::detail::page_wish;
using kvolt::detail::PageWish;

TEST_CASE("who wants a page says so, more or less") {
    const std::string browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    struct Case {
        std::vector<std::pair<std::string, std::string>> fields;
        PageWish wish;
    };
    for (const Case& c : std::vector<Case>{
             {{}, PageWish::possible},
             {{{"Accept", "*/*"}}, PageWish::possible},
             {{{"Accept", "text/*"}}, PageWish::possible},
             {{{"Accept", "text/html"}}, PageWish::sure},
             {{{"Accept", "TEXT/HTML;q=0.1"}}, PageWish::sure},
             {{{"Accept", "application/xhtml+xml"}}, PageWish::sure},
             {{{"Accept", browser}}, PageWish::sure},
             {{{"Accept", "application/json"}, {"Accept", "text/html;level=\"a,b\";q=0.5"}}, PageWish::sure},
             {{{"Accept", "application/json"}}, PageWish::none},
             {{{"Accept", "application/json, text/plain, */*"}}, PageWish::none},  // as axios says
             {{{"Accept", "application/json, */*;q=0"}}, PageWish::none},
             {{{"Accept", "text/html;q=0"}}, PageWish::none},
             {{{"Accept", "text/html;q=0, */*"}}, PageWish::possible},
             {{{"Accept", "*/*;q=0"}}, PageWish::none},
             {{{"Accept", "text/html;q=x"}}, PageWish::none},
             {{{"Accept", ""}}, PageWish::none},
             {{{"Accept", "image/png"}}, PageWish::none},
             {{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"}, {"Accept", browser}}, PageWish::sure},
             {{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "iframe"}, {"Accept", browser}}, PageWish::sure},
             {{{"Sec-Fetch-Mode", "navigate"}, {"Accept", "*/*"}}, PageWish::sure},
             {{{"Sec-Fetch-Mode", "navigate"}, {"Accept", "application/json"}}, PageWish::none},
             {{{"Sec-Fetch-Mode", "cors"}, {"Sec-Fetch-Dest", "empty"}, {"Accept", "*/*"}}, PageWish::none},
             {{{"Sec-Fetch-Mode", "cors"}, {"Accept", "text/html"}}, PageWish::none},  // by a script
             {{{"Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Dest", "script"}, {"Accept", "*/*"}}, PageWish::none},
             {{{"Sec-Fetch-Dest", "image"}, {"Accept", browser}}, PageWish::none},
             {{{"Sec-Fetch-Mode", "websocket"}}, PageWish::none},
         }) {
        kvolt::Request request;
        request.start("GET", "/users/7");
        std::string all;
        for (const auto& [name, value] : c.fields) {
            request.add_field(name, value);
            all += name + ": " + value + "; ";
        }
        INFO(all);
        CHECK(page_wish(request) == c.wish);
    }
}
