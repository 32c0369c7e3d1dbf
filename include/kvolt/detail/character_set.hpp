#ifndef KVOLT_DETAIL_CHARACTER_SET_HPP
#define KVOLT_DETAIL_CHARACTER_SET_HPP

#include <array>
#include <string_view>

namespace kvolt::detail {

/// A set of characters: what a text is made of can be told with one look at each. Make it once, at compile time.
class CharacterSet {
public:
    constexpr explicit CharacterSet(std::string_view members) noexcept {
        for (char c : members) has_[static_cast<unsigned char>(c)] = true;
    }

    constexpr bool has(char c) const noexcept { return has_[static_cast<unsigned char>(c)]; }

    constexpr bool has_all(std::string_view text) const noexcept {
        for (char c : text)
            if (!has(c)) return false;
        return true;
    }

    constexpr bool has_any(std::string_view text) const noexcept {
        for (char c : text)
            if (has(c)) return true;
        return false;
    }

private:
    std::array<bool, 256> has_{};
};

}  // namespace kvolt::detail

#endif
