#ifndef KVOLT_DETAIL_SERVER_AT_EXIT_HPP
#define KVOLT_DETAIL_SERVER_AT_EXIT_HPP

#include <kvolt/detail/net/platform.hpp>
#include <kvolt/detail/net/serving.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// What has to end when the process exits, since it runs in threads of its own and uses what exit() destroys.
///
/// exit() first ends the thread that calls it, then it destroys static objects. So this comes before the first of them
/// where exit() is called by main(), or behind it, or by a handler. Elsewhere it comes before those that are older
/// than the first of what has to end.
class AtExit {
public:
    /// Any thread.
    class Ending {
    public:
        /// Begin to end.
        ///
        /// @param now  Let go of everything: the process exits within a handler, which therefore does not return.
        virtual void end(bool now) noexcept = 0;

        /// Wait, within limits, until nothing of this runs any more but on this thread.
        virtual void await_end(bool now) noexcept = 0;

    protected:
        ~Ending() = default;
    };

    /// Makes something end at exit, until this is destroyed: last of all that it is made of.
    class Entry {
    public:
        Entry() = default;
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        ~Entry() {
            Shared& all = shared();
            std::lock_guard lock(all.mutex);
            std::erase_if(all.entries, [this](const auto& entry) { return entry.first == this; });
            all.changed.notify_all();
        }

        void enter(std::weak_ptr<Ending> ending) {
            static const int registered = std::atexit([] { end_all(); });
            static_cast<void>(registered);
            Shared& all = shared();
            std::lock_guard lock(all.mutex);
            all.entries.emplace_back(this, std::move(ending));
        }
    };

    /// Call this on a thread that serves. On others, but for that of main(), it does nothing.
    static void watch_this_thread() {
        static thread_local const ThreadEnd end;
        static_cast<void>(end);
    }

private:
    struct ThreadEnd {
        // A thread that ends by itself serves no more. That of main() does not end before the process.
        ~ThreadEnd() {
            if (Serving::here() || platform::is_main_thread()) end_all();
        }
    };

    struct Shared {
        const pid_t process = ::getpid();
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<std::pair<const Entry*, std::weak_ptr<Ending>>> entries;
    };

    // Never destroyed: it is used when other static objects are.
    static Shared& shared() {
        static Shared& only = *new Shared;
        return only;
    }

    static void end_all() noexcept {
        Shared& all = shared();
        if (all.process != ::getpid()) return;  // a child, which has none of the threads
        bool now = Serving::here();
        {
            std::vector<std::shared_ptr<Ending>> endings;
            {
                std::lock_guard lock(all.mutex);
                for (const auto& [entry, weak] : all.entries)
                    if (auto ending = weak.lock()) endings.push_back(std::move(ending));
            }
            for (const auto& ending : endings) ending->end(now);
            for (const auto& ending : endings) ending->await_end(now);
        }
        if (now) return;
        std::unique_lock lock(all.mutex);  // until those are gone that a thread of their own is destroying
        all.changed.wait_for(lock, std::chrono::seconds(1), [&] {
            return std::none_of(all.entries.begin(), all.entries.end(),
                                [](const auto& entry) { return entry.second.expired(); });
        });
    }
};

}  // namespace kvolt::detail

#endif
