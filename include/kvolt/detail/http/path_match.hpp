#ifndef KVOLT_DETAIL_HTTP_PATH_MATCH_HPP
#define KVOLT_DETAIL_HTTP_PATH_MATCH_HPP

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt::detail {

/// The parameters of a matched route: their names, and their values as they were sent.
struct PathMatch {
    static constexpr std::size_t max_parameters = 16;

    std::string_view route;  // its pattern
    const std::vector<std::string>* names = nullptr;
    std::array<std::string_view, max_parameters> values;
    std::size_t size = 0;

    static const PathMatch none;
};

inline const PathMatch PathMatch::none;

}  // namespace kvolt::detail

#endif
