#ifndef KVOLT_DETAIL_CORE_CHARACTER_SET_HPP
#define KVOLT_DETAIL_CORE_CHARACTER_SET_HPP

#include <array>
#include <cstddef>
#include <string_view>

namespace kvolt::detail {

/// A set of characters: what a text is made of can be told with one look at each. Make it once, at compile time.
class CharacterSet {
public:
    constexpr explicit CharacterSet(std::string_view members) noexcept {
        for (char c : members) has_[static_cast<unsigned char>(c)] = true;
    }

    constexpr bool has(char c) const noexcept { return has_[static_cast<unsigned char>(c)]; }

    constexpr bool has_all(std::string_view text) const noexcept { return span(text) == text.size(); }

    /// How many characters at the front of a text are members.
    constexpr std::size_t span(std::string_view text) const noexcept {
        std::size_t size = 0;
        while (size < text.size() && has(text[size])) ++size;
        return size;
    }

private:
    std::array<bool, 256> has_{};
};

}  // namespace kvolt::detail

#endif
