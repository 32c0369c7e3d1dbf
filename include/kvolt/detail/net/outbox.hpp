#ifndef KVOLT_DETAIL_NET_OUTBOX_HPP
#define KVOLT_DETAIL_NET_OUTBOX_HPP

// What one connection still has to send.
//
// A loop appends every byte that it sends in a turn once to its `outgoing` buffer, and the outbox holds ranges of it.
// At the end of the turn flush() offers them to the socket. What the socket does not take is copied to a backlog of
// the connection's own; from then on its frames go there, under the limits, until drain() has emptied it.

#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/net/backlog.hpp>
#include <kvolt/limits.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// What becomes of frames without their sender's doing, or later. Written by one loop.
struct SenderCounts {
    using Counter = std::atomic<std::uint64_t>;

    Counter dropped{0};       ///< Messages that a slow peer did not get.
    Counter coalesced{0};     ///< Messages that it did not get, but a later one with their key.
    Counter disconnected{0};  ///< Connections that were closed for being slow.

    // Only one thread writes, so no locked instruction is needed.
    static void count(Counter& counter, std::uint64_t more) noexcept {
        if (more > 0) counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }
};

class Outbox {
public:
    enum class Added {
        queued,
        backpressure,  ///< Queued behind a backlog.
        dropped,
        overflow,  ///< Dropped, and the policy says that the connection must go.
    };

    /// Somebody will send frames that may be dropped: what becomes of them is counted there.
    ///
    /// @returns  his number; that which he has already, if he sends here by several seats.
    /// @throws std::length_error  if there is no number left.
    SenderId join(std::shared_ptr<SenderCounts> counts) {
        auto known = std::find_if(senders_.begin(), senders_.end(), [&](const auto& s) { return s.counts == counts; });
        if (known == senders_.end()) {
            if (senders_.size() == (std::numeric_limits<SenderId>::max)())
                throw std::length_error("kvolt: one connection can join 65,535 hubs, and no more");
            known = senders_.insert(known, {std::move(counts), 0});
        }
        ++known->seats;
        return static_cast<SenderId>(known - senders_.begin() + 1);
    }

    /// He will not any more, by one of his seats. What he has sent goes on to be counted.
    void leave(SenderId sender) noexcept {
        if (sender != no_sender) --senders_[sender - 1u].seats;
    }

    /// Take the bytes [begin, end) of `outgoing`: whole frames, unless they are raw.
    ///
    /// @param key  If not 0, they are one frame, and so many bytes behind it are a key: in the backlog, the frame takes
    ///             the place of earlier ones with this key, of the same sender.
    Added add(const std::string& outgoing, std::size_t begin, std::size_t end, Unit unit, const Terms& terms = no_limit,
              std::size_t key = 0) {
        if (finished_) return Added::dropped;
        if (backlog_) {
            std::string_view all = outgoing;
            return add_to_backlog(all.substr(begin, end - begin), unit, terms, all.substr(end, key));
        }
        if (pending_ > 0 && last_.end == begin && last_.goes_on(unit, terms.sender) && key == 0) {
            last_.end = end;
        } else {
            if (pending_ > 0) earlier_.push_back(last_);
            last_ = {begin, end, static_cast<std::uint16_t>(key), terms.sender, unit};
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
        if (backlog_->empty()) backlog_.reset();
        return taken;
    }

    /// The connection is about to be closed for being slow: drop every waiting frame that has not been begun, so that a
    /// close frame can follow soon.
    void shed() {
        if (!finished_ && !std::exchange(shed_, true))
            for (const SenderHere& sender : senders_)
                if (sender.seats > 0) SenderCounts::count(sender.counts->disconnected, 1);
        if (!backlog_) return;
        backlog_->shed([this](SenderId sender) { count_dropped(sender); });
        if (backlog_->empty()) backlog_.reset();
    }

    /// Forget everything: the connection is gone.
    void clear() noexcept {
        earlier_.clear();
        pending_ = 0;
        if (backlog_ && shed_) backlog_->for_each_droppable([this](SenderId sender) { count_dropped(sender); });
        backlog_.reset();
        unsent_ = 0;
        finished_ = true;
    }

    static constexpr Terms no_limit{};

private:
    struct SenderHere {
        std::shared_ptr<SenderCounts> counts;
        std::uint32_t seats;
    };

    struct Range {
        std::size_t size() const noexcept { return end - begin; }
        bool goes_on(Unit next, SenderId by) const noexcept { return unit == next && sender == by && key == 0; }
        std::string_view of(std::string_view outgoing) const { return outgoing.substr(begin, size()); }

        std::size_t begin, end;
        std::uint16_t key;  // bytes behind it
        SenderId sender;
        Unit unit;
    };

    SenderCounts* counts_of(SenderId sender) const noexcept {
        return sender == no_sender ? nullptr : senders_[sender - 1u].counts.get();
    }

    void count_dropped(SenderId sender) noexcept {
        if (SenderCounts* counts = counts_of(sender)) SenderCounts::count(counts->dropped, 1);
    }

    Added add_to_backlog(std::string_view frame, Unit unit, const Terms& terms, std::string_view key) {
        std::uint64_t dropped = backlog_->dropped(), coalesced = backlog_->coalesced();
        auto added = backlog_->add(frame, unit, terms, key);
        if (SenderCounts* counts = counts_of(terms.sender)) {
            bool itself = added != FrameQueue::Added::queued;
            SenderCounts::count(counts->dropped, backlog_->dropped() - dropped + itself);
            SenderCounts::count(counts->coalesced, backlog_->coalesced() - coalesced);
        }
        return added == FrameQueue::Added::queued    ? Added::backpressure
               : added == FrameQueue::Added::dropped ? Added::dropped
                                                     : Added::overflow;
    }

    void keep_rest(std::string_view outgoing, std::size_t taken) {
        backlog_ = std::make_unique<FrameQueue>();
        for (const Range& range : earlier_.empty() ? std::span(&last_, 1) : std::span(earlier_)) {
            std::string_view bytes = range.of(outgoing);
            while (!bytes.empty()) {
                std::size_t size = range.unit == Unit::raw ? bytes.size() : frame_size(bytes);
                if (taken < size)
                    backlog_->push(bytes.substr(taken, size - taken), range.unit, taken > 0,
                                   outgoing.substr(range.end, range.key), range.sender);
                taken -= (std::min)(taken, size);
                bytes.remove_prefix(size);
            }
        }
    }

    Range last_{};  // of this turn, if anything is pending: mostly the only one
    std::vector<Range> earlier_;
    std::size_t pending_ = 0;
    std::size_t unsent_ = 0;
    std::unique_ptr<FrameQueue> backlog_;
    std::vector<SenderHere> senders_;  // by number, less 1
    bool finished_ = false;
    bool shed_ = false;  // closed for being slow
};

}  // namespace kvolt::detail

#endif
