#ifndef KVOLT_DETAIL_HUB_CALL_HPP
#define KVOLT_DETAIL_HUB_CALL_HPP

#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/mailbox.hpp>

#include <memory>
#include <utility>

namespace kvolt::detail {

/// A call, from any thread, of whoever reads a queue on a loop, whose end waits for that. If it ends all the same, the
/// queue is cleared.
///
/// @tparam Reader  Has `loop()`, `room()` for the post, `take_turn()` and `clear()`.
template <class Reader>
class HubCall {
public:
    /// If the loop has ended, the queue is cleared now.
    static void post(std::shared_ptr<Reader> reader) {
        Mailbox& mailbox = *reader->loop().mailbox();
        Reserve<>& room = reader->room();
        mailbox.post(room, [call = HubCall(std::move(reader))]() mutable {
            Loop& loop = call.reader_->loop();
            Reserve<>& next = call.reader_->room();
            loop.take_turns(next, std::move(call));
        });
    }

    HubCall(HubCall&&) noexcept = default;
    ~HubCall() {
        if (reader_ && reader_->loop().mailbox()->closed()) reader_->clear();
    }

    bool operator()() {
        if (reader_->take_turn()) return true;
        reader_.reset();
        return false;
    }

private:
    explicit HubCall(std::shared_ptr<Reader> reader) noexcept : reader_(std::move(reader)), work_(reader_->loop()) {}

    std::shared_ptr<Reader> reader_;
    Loop::Work work_;
};

}  // namespace kvolt::detail

#endif
