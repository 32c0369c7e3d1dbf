#ifndef KVOLT_CONSTANT_TIME_HPP
#define KVOLT_CONSTANT_TIME_HPP

#include <cstddef>
#include <string_view>

namespace kvolt {

/// Compare a secret with what a client has sent, in a time that does not tell how much of it was right.
///
/// The time depends on the length of `given` only.
inline bool constant_time_equal(std::string_view secret, std::string_view given) noexcept {
    volatile unsigned char difference = secret.size() == given.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        auto expected = static_cast<unsigned char>(secret.empty() ? 0 : secret[i % secret.size()]);
        difference = static_cast<unsigned char>(difference | (expected ^ static_cast<unsigned char>(given[i])));
    }
    return difference == 0;
}

}  // namespace kvolt

#endif
