#ifndef KVOLT_DETAIL_HUB_QUESTION_HPP
#define KVOLT_DETAIL_HUB_QUESTION_HPP

#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/net/timer.hpp>

#include <boost/system/error_code.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace kvolt::detail {

class HubShard;

/// Somebody asks who is in a room.
struct HubQuestion : HubItem {
    using Answer = Waiter<std::exception_ptr, HubValues>;

    explicit HubQuestion(std::string where) : HubItem(Kind::ask), room(std::move(where)) {}

    void tell() { answer(failure, std::move(values)); }

    const std::string room;
    Answer answer;
    HubShard* asker = nullptr;  // where the answer takes its place among what is delivered; nullptr: on no other loop
    bool outside = false;       // asked on no loop of the app, and so to be answered also when that has ended
    HubValues values;
    std::exception_ptr failure;
};

/// Who waits for an answer on a loop that is none of the app's, such as that of kvolt::run(), and ends with it.
///
/// @returns  what may be called on any thread, also when that loop has ended.
inline HubQuestion::Answer answer_on(Loop& loop, HubQuestion::Answer answer) {
    struct Kept {
        explicit Kept(Loop& on) : wait(on.io(), (Timer::time_point::max)()) {}

        Timer wait;  // without end: what waits for it is destroyed with the loop
        HubValues values;
        std::exception_ptr failure;
    };
    auto kept = std::make_shared<Kept>(loop);
    HubQuestion::Answer here = [weak = std::weak_ptr(kept), mailbox = loop.mailbox()](std::exception_ptr failure,
                                                                                      HubValues values) {
        mailbox->post([weak, failure, values = std::move(values)]() mutable {
            auto waits = weak.lock();
            if (!waits) return;
            waits->failure = std::move(failure);
            waits->values = std::move(values);
            waits->wait.cancel();
        });
    };
    kept->wait.async_wait([kept, answer = std::move(answer)](boost::system::error_code) mutable {
        answer(kept->failure, std::move(kept->values));
    });
    return here;
}

}  // namespace kvolt::detail

#endif
