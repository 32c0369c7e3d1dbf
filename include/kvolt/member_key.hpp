#ifndef KVOLT_MEMBER_KEY_HPP
#define KVOLT_MEMBER_KEY_HPP

#include <concepts>
#include <string>
#include <string_view>

namespace kvolt {

/// A hub's Member that has a key, by which Hub::send() finds its seats: it has a function `key()` or a field `key` that
/// is a string, or is one itself. Several seats may have one key, such as the pages that one user has open; a member
/// whose key is empty has none.
template <class Member>
concept Keyed = std::convertible_to<const Member&, std::string_view> || requires(const Member& member) {
    { member.key() } -> std::convertible_to<std::string_view>;
} || requires(const Member& member) {
    { member.key } -> std::convertible_to<std::string_view>;
};

namespace detail {

template <class Member>
std::string key_of(const Member& member) {
    if constexpr (std::convertible_to<const Member&, std::string_view>)
        return std::string(std::string_view(member));
    else if constexpr (requires { member.key(); } && Keyed<Member>)
        return std::string(std::string_view(member.key()));
    else if constexpr (Keyed<Member>)
        return std::string(std::string_view(member.key));
    else
        return {};
}

}  // namespace detail

}  // namespace kvolt

#endif
