#ifndef KVOLT_DETAIL_FILES_PAGE_WISH_HPP
#define KVOLT_DETAIL_FILES_PAGE_WISH_HPP

#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/http/accept_encoding.hpp>
#include <kvolt/detail/http/fields.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <string_view>

namespace kvolt::detail {

/// Whether somebody who asks for what is no file may mean a view of a single-page application.
enum class PageWish {
    none,      ///< A script, an image, a client that takes no HTML.
    possible,  ///< It does not say what it wants, as curl.
    sure,      ///< A browser that goes to a page, or a client that asks for HTML.
};

/// By the fields of the Fetch Metadata specification, which browsers send and pages cannot change, and by Accept.
inline PageWish page_wish(const Request& request) {
    std::string_view mode = request.header("Sec-Fetch-Mode"), destination = request.header("Sec-Fetch-Dest");
    if (!mode.empty() && mode != "navigate") return PageWish::none;
    if (!destination.empty()) {
        bool document = false;
        for (std::string_view known : {"document", "iframe", "frame", "embed", "object", "fencedframe"})
            document = document || destination == known;
        if (!document) return PageWish::none;
    }
    bool html = false, others = false, anything = request.count("Accept") == 0;
    for (std::string_view item : list_items(request, "Accept", true)) {
        std::string_view type = take_item(item, ';', true);
        int weight = 1000;
        while (!item.empty()) {
            std::string_view parameter = take_item(item, ';', true);
            if (parameter.size() > 2 && to_lower(parameter[0]) == 'q' && parameter[1] == '=')
                weight = parse_weight(parameter.substr(2)).value_or(0);
        }
        if (iequals(type, "text/html") || iequals(type, "application/xhtml+xml"))
            html = html || weight > 0;
        else if (type == "*/*" || iequals(type, "text/*"))
            anything = anything || weight > 0;
        else
            others = others || weight > 0;
    }
    if (html) return PageWish::sure;
    if (!anything) return PageWish::none;
    if (mode == "navigate") return PageWish::sure;
    return others ? PageWish::none : PageWish::possible;  // others are what it wants, and the rest is for errors
}

}  // namespace kvolt::detail

#endif
