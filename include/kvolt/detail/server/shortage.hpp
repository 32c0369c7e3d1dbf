#ifndef KVOLT_DETAIL_SERVER_SHORTAGE_HPP
#define KVOLT_DETAIL_SERVER_SHORTAGE_HPP

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>

namespace kvolt::detail {

/// Tells why newcomers have to wait, and what helps: once, until that is over and comes again, and at most once a
/// minute.
class Shortage {
public:
    using Clock = std::chrono::steady_clock;

    /// All places for connections are taken.
    ///
    /// @param descriptors  How many this process may have open, where that decides; 0 where Limits::connections does.
    /// @returns  what is to be logged; empty if nothing is.
    std::string of_places(std::size_t places, std::size_t descriptors, Clock::time_point now) {
        if (!due(now)) return {};
        std::string line = "kvolt: all " + std::to_string(places) +
                           " places for connections are taken: for a newcomer, the one that has waited for its client "
                           "for longest is closed; if none waits, the newcomer does. ";
        return line + (descriptors > 0 ? "There are more places" + more_descriptors(descriptors)
                                       : "Limits::connections can allow more.");
    }

    /// No connection can be accepted.
    ///
    /// @param error        errno.
    /// @param descriptors  How many this process may have open.
    std::string of_system(int error, std::size_t descriptors, Clock::time_point now) {
        if (!due(now)) return {};
        std::string line =
            "kvolt: no connection can be accepted: " + std::generic_category().message(error) + ". Newcomers wait. ";
        switch (error) {
            case EMFILE:
                return line + "Let Limits::connections leave descriptors to the rest of the program, or have more" +
                       more_descriptors(descriptors);
            case ENFILE: return line + "The whole system has no more: raise fs.file-max by sysctl.";
            case ENOBUFS:
            case ENOMEM: return line + "The system has no memory for sockets.";
            default: return line;
        }
    }

    /// Newcomers find places again.
    void over() noexcept { told_ = false; }

private:
    static std::string more_descriptors(std::size_t now) {
        return " if this process may have more than " + std::to_string(now) +
               " open files: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of docker.";
    }

    bool due(Clock::time_point now) noexcept {
        if (told_ || (last_ && now - *last_ < std::chrono::minutes(1))) return false;
        told_ = true;
        last_ = now;
        return true;
    }

    bool told_ = false;
    std::optional<Clock::time_point> last_;
};

}  // namespace kvolt::detail

#endif
