#ifndef KVOLT_DETAIL_OUTBOX_HPP
#define KVOLT_DETAIL_OUTBOX_HPP

// What one connection still has to send.
//
// A loop appends every byte that it sends in a turn once to its `outgoing` buffer, and the outbox holds ranges of it.
// At the end of the turn flush() offers them to the socket. What the socket does not take is copied to a backlog of
// the connection's own; from then on its frames go there, under the limits, until drain() has emptied it.

#include <kvolt/detail/backlog.hpp>
#include <kvolt/detail/frame.hpp>
#include <kvolt/limits.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

class Outbox {
public:
    enum class Added {
        queued,
        backpressure,  ///< Queued behind a backlog.
        dropped,
        overflow,  ///< Dropped, and the policy says that the connection must go.
    };

    /// Take the bytes [begin, end) of `outgoing`: whole frames, unless they are raw.
    ///
    /// @param key  If not 0, they are one frame, and so many bytes behind it are a key: in the backlog, the frame takes
    ///             the place of earlier ones with this key.
    Added add(const std::string& outgoing, std::size_t begin, std::size_t end, Unit unit,
              const Backlog& limit = no_limit, SlowPolicy policy = SlowPolicy::drop_newest, std::size_t key = 0) {
        if (finished_) return Added::dropped;
        if (backlog_) {
            std::string_view all = outgoing;
            auto added = backlog_->add(all.substr(begin, end - begin), unit, limit, policy, all.substr(end, key));
            return added == FrameQueue::Added::queued    ? Added::backpressure
                   : added == FrameQueue::Added::dropped ? Added::dropped
                                                         : Added::overflow;
        }
        if (pending_ > 0 && last_.end == begin && last_.unit == unit && last_.key == 0 && key == 0) {
            last_.end = end;
        } else {
            if (pending_ > 0) earlier_.push_back(last_);
            last_ = {begin, end, static_cast<std::uint32_t>(key), unit};
        }
        pending_ += end - begin;
        return Added::queued;
    }

    /// Bytes taken in this turn and not offered to the socket yet.
    std::size_t pending() const noexcept { return pending_; }

    /// Bytes that the socket would not take.
    std::size_t backlog() const noexcept { return (backlog_ ? backlog_->size() : 0) + unsent_; }

    /// Messages that the socket would not take.
    std::size_t messages() const noexcept { return backlog_ ? backlog_->frames() : 0; }

    bool empty() const noexcept { return pending_ == 0 && !backlog_ && unsent_ == 0; }

    /// How many bytes the stream has taken, encrypted and not sent yet. They count as backlog.
    void unsent(std::size_t bytes) noexcept { unsent_ = bytes; }

    /// Nothing more is taken from now on: a close frame was the last.
    void finish() noexcept { finished_ = true; }
    bool finished() const noexcept { return finished_; }

    /// Offer this turn's bytes to the socket; what it does not take becomes the backlog.
    ///
    /// @param send  Called with a const_buffer or with Pieces; returns how many bytes went, 0 if it would block.
    template <class Send>
    void flush(const std::string& outgoing, Send&& send) {
        if (pending_ == 0) return;
        std::string_view all = outgoing;
        std::size_t taken = 0;
        if (earlier_.empty()) {
            taken = send(boost::asio::const_buffer(all.data() + last_.begin, pending_));
        } else {
            earlier_.push_back(last_);
            std::size_t offered = 0;
            for (auto range = earlier_.begin(); range != earlier_.end() && taken == offered;) {
                Pieces pieces;
                for (; range != earlier_.end() && !pieces.full(); ++range) {
                    pieces.add(range->of(all));
                    offered += range->size();
                }
                taken += send(pieces);
            }
        }
        if (taken < pending_) keep_rest(all, taken);
        if (earlier_.capacity() > 64)
            std::vector<Range>().swap(earlier_);  // a connection at rest keeps little
        else
            earlier_.clear();
        pending_ = 0;
    }

    /// Offer the backlog to the socket, which has become writable; `send` takes Pieces.
    ///
    /// @returns  how many bytes went.
    template <class Send>
    std::size_t drain(Send&& send) {
        if (!backlog_) return 0;
        std::size_t taken = backlog_->drain(std::forward<Send>(send));
        if (backlog_->empty()) drop_backlog();
        return taken;
    }

    /// Drop every waiting frame that has not been begun, so that a close frame can follow soon; returns how many.
    std::size_t shed() {
        if (!backlog_) return 0;
        std::size_t dropped = backlog_->shed();
        if (backlog_->empty()) drop_backlog();
        return dropped;
    }

    /// Forget everything: the connection is gone.
    void clear() noexcept {
        earlier_.clear();
        pending_ = 0;
        if (backlog_) drop_backlog();
        unsent_ = 0;
        finished_ = true;
    }

    /// How many waiting messages were dropped for newer ones so far.
    std::uint64_t dropped() const noexcept { return dropped_ + (backlog_ ? backlog_->dropped() : 0); }

    /// How many waiting messages made way for later ones with their key so far.
    std::uint64_t coalesced() const noexcept { return coalesced_ + (backlog_ ? backlog_->coalesced() : 0); }

    static constexpr Backlog no_limit{static_cast<std::size_t>(-1), static_cast<std::size_t>(-1)};

private:
    struct Range {
        std::size_t size() const noexcept { return end - begin; }
        std::string_view of(std::string_view outgoing) const { return outgoing.substr(begin, size()); }

        std::size_t begin, end;
        std::uint32_t key;  // bytes behind it
        Unit unit;
    };

    void keep_rest(std::string_view outgoing, std::size_t taken) {
        backlog_ = std::make_unique<FrameQueue>();
        for (const Range& range : earlier_.empty() ? std::span(&last_, 1) : std::span(earlier_)) {
            std::string_view bytes = range.of(outgoing);
            while (!bytes.empty()) {
                std::size_t size = range.unit == Unit::raw ? bytes.size() : frame_size(bytes);
                if (taken < size)
                    backlog_->push(bytes.substr(taken, size - taken), range.unit, taken > 0,
                                   outgoing.substr(range.end, range.key));
                taken -= (std::min)(taken, size);
                bytes.remove_prefix(size);
            }
        }
    }

    void drop_backlog() noexcept {
        dropped_ += backlog_->dropped();
        coalesced_ += backlog_->coalesced();
        backlog_.reset();
    }

    Range last_{};  // of this turn, if anything is pending: mostly the only one
    std::vector<Range> earlier_;
    std::size_t pending_ = 0;
    std::size_t unsent_ = 0;
    std::unique_ptr<FrameQueue> backlog_;
    bool finished_ = false;
    std::uint64_t dropped_ = 0;
    std::uint64_t coalesced_ = 0;
};

}  // namespace kvolt::detail

#endif
