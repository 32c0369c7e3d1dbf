#ifndef KVOLT_DETAIL_NET_BACKLOG_HPP
#define KVOLT_DETAIL_NET_BACKLOG_HPP

#include <kvolt/limits.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// How bytes may be cut and dropped.
enum class Unit : std::uint8_t {
    raw,        ///< Not frames: HTTP. Kept whole, never dropped.
    frame,      ///< A frame that is never dropped once queued.
    droppable,  ///< A frame that the slow policy may drop.
};

/// Whose frame it is, such as a hub's: what a slow policy drops, and what a key replaces, is its sender's own. The
/// numbers are those of one connection.
using SenderId = std::uint16_t;
inline constexpr SenderId no_sender = 0;

/// On what terms a frame waits for a peer that does not take it in time.
struct Terms {
    Backlog limit{static_cast<std::size_t>(-1), static_cast<std::size_t>(-1)};  ///< Of all that waits.
    SlowPolicy policy = SlowPolicy::drop_newest;                                ///< What happens past it.
    SenderId sender = no_sender;
};

/// Up to 64 pieces for one gathering write, which is what Asio passes on at once.
class Pieces {
public:
    bool full() const noexcept { return size_ == 64; }
    void add(std::string_view bytes) noexcept {
        pieces_[size_++] = boost::asio::const_buffer(bytes.data(), bytes.size());
    }
    const boost::asio::const_buffer* begin() const noexcept { return pieces_; }
    const boost::asio::const_buffer* end() const noexcept { return pieces_ + size_; }

private:
    boost::asio::const_buffer pieces_[64];
    std::size_t size_ = 0;
};

/// The frames that a connection did not take in time, in order and within limits.
///
/// A frame of which the peer has got a part is always finished; the others can be dropped whole.
class FrameQueue {
public:
    enum class Added { queued, dropped, overflow };

    bool empty() const noexcept { return size_ == 0; }

    /// Bytes that wait to be sent.
    std::size_t size() const noexcept { return size_; }

    /// Frames that wait to be sent.
    std::size_t frames() const noexcept { return frames_.size(); }

    /// How many frames drop_oldest has dropped so far.
    std::uint64_t dropped() const noexcept { return dropped_; }

    /// How many frames have made way for later ones with their key so far.
    std::uint64_t coalesced() const noexcept { return coalesced_; }

    /// Append a frame without regard to limits. `begun`: the part before `frame` was sent already.
    void push(std::string_view frame, Unit unit, bool begun = false, std::string_view key = {},
              SenderId sender = no_sender) {
        if (sender >= shares_.size()) shares_.resize(sender + 1u);
        frames_.emplace_back(frame, key, unit, sender);
        if (frames_.size() == 1) begun_ = begun;
        size_ += frame.size();
        if (unit == Unit::droppable) shares_[sender].amount += {1, frame.size()};
    }

    /// Append a frame within `limit`, or do what the policy says; `overflow` means that the connection must go.
    ///
    /// Nothing makes way for a frame that is dropped itself.
    ///
    /// @param key  If it is not empty, the frame takes the place of its sender's others with this key that have not
    ///             been begun.
    Added add(std::string_view frame, Unit unit, const Terms& terms, std::string_view key = {}) {
        const Backlog& limit = terms.limit;
        Amount stale = key.empty() ? Amount() : find(terms.sender, key);
        auto fits_behind = [&](const Amount& others) {
            return others.frames < limit.messages && others.bytes <= limit.bytes &&
                   frame.size() <= limit.bytes - others.bytes;
        };
        if (!fits_behind({frames_.size() - stale.frames, size_ - stale.bytes})) {
            if (terms.policy == SlowPolicy::disconnect) return Added::overflow;
            if (terms.policy == SlowPolicy::drop_newest || !fits_behind(all_but(terms.sender))) return Added::dropped;
        }
        if (stale.frames > 0) drop(terms.sender, key);
        while (!fits_behind({frames_.size(), size_})) drop_oldest(terms.sender);
        push(frame, unit, false, key, terms.sender);
        return Added::queued;
    }

    /// Offer the bytes to `send`, which takes Pieces and returns how many bytes went, 0 if it would block.
    template <class Send>
    std::size_t drain(Send&& send) {
        std::size_t all = 0, offered = 0, taken = 0;
        do {
            Pieces pieces;
            std::size_t sent = begin_;  // of the first one
            offered = 0;
            for (const Frame& frame : frames_) {
                if (pieces.full()) break;
                std::string_view rest = frame.bytes().substr(std::exchange(sent, 0));
                pieces.add(rest);
                offered += rest.size();
            }
            taken = send(pieces);
            consume(taken);
            all += taken;
        } while (taken == offered && !empty());
        return all;
    }

    /// Drop every frame that has not been begun, and call `tell(SenderId)` for each that a policy might have dropped.
    template <class Tell>
    void shed(Tell tell) {
        drop_if([&](const Frame& frame) {
            if (frame.unit() == Unit::droppable) tell(frame.sender());
            return frame.unit() != Unit::raw;
        });
    }

    /// Call `tell(SenderId)` for each frame that waits and that a policy might drop, begun or not.
    template <class Tell>
    void for_each_droppable(Tell tell) const {
        for (const Frame& frame : frames_)
            if (frame.unit() == Unit::droppable) tell(frame.sender());
    }

private:
    // Each owns its bytes: one block for all would have to be moved as a whole now and then, and a message for many
    // slow members would do so for all of them at once.
    class Frame {
    public:
        Frame(std::string_view bytes, std::string_view key, Unit unit, SenderId sender)
            : key_(static_cast<std::uint16_t>(key.size())), sender_(sender), unit_(unit) {
            all_.reserve(bytes.size() + key.size());
            all_ += bytes;
            all_ += key;
        }

        std::size_t size() const noexcept { return all_.size() - key_; }
        std::string_view bytes() const noexcept { return std::string_view(all_).substr(0, size()); }
        std::string_view key() const noexcept { return std::string_view(all_).substr(size()); }
        Unit unit() const noexcept { return unit_; }
        SenderId sender() const noexcept { return sender_; }

    private:
        std::string all_;  // the key is behind the frame
        std::uint16_t key_;
        SenderId sender_;
        Unit unit_;
    };

    struct Amount {
        std::size_t frames = 0, bytes = 0;

        Amount& operator+=(const Amount& more) noexcept {
            frames += more.frames;
            bytes += more.bytes;
            return *this;
        }
        Amount& operator-=(const Amount& less) noexcept {
            frames -= less.frames;
            bytes -= less.bytes;
            return *this;
        }
    };

    // What waits of one sender and may be dropped, unless it has been begun.
    struct Share {
        Amount amount;
        std::size_t oldest = 0;  // no frame before this index is one of them
    };

    // What is left if all is dropped that this sender may drop.
    Amount all_but(SenderId sender) const noexcept {
        Amount left{frames_.size(), size_};
        if (sender >= shares_.size()) return left;
        left -= shares_[sender].amount;
        const Frame& first = frames_.front();
        if (begun_ && first.unit() == Unit::droppable && first.sender() == sender) left += {1, first.size() - begin_};
        return left;
    }

    auto first_not_begun() noexcept { return frames_.begin() + (begun_ ? 1 : 0); }

    static auto replaced_by(SenderId sender, std::string_view key) {
        return [sender, key](const Frame& frame) {
            return frame.unit() == Unit::droppable && frame.sender() == sender && frame.key() == key;
        };
    }

    Amount find(SenderId sender, std::string_view key) {
        Amount stale;
        auto is_stale = replaced_by(sender, key);
        for (auto frame = first_not_begun(); frame != frames_.end(); ++frame)
            if (is_stale(*frame)) stale += {1, frame->size()};
        return stale;
    }

    void drop(SenderId sender, std::string_view key) {
        std::size_t before = frames_.size();
        drop_if(replaced_by(sender, key));
        coalesced_ += before - frames_.size();
    }

    // Of those that have not been begun.
    template <class Predicate>
    void drop_if(Predicate predicate) {
        auto is_dropped = [&](const Frame& frame) {
            if (!predicate(frame)) return false;
            size_ -= frame.size();
            if (frame.unit() == Unit::droppable) shares_[frame.sender()].amount -= {1, frame.size()};
            return true;
        };
        frames_.erase(std::remove_if(first_not_begun(), frames_.end(), is_dropped), frames_.end());
        for (Share& share : shares_) share.oldest = 0;
    }

    void consume(std::size_t taken) {
        size_ -= taken;
        for (; !frames_.empty(); frames_.pop_front()) {
            Share* share = frames_.front().unit() == Unit::droppable ? &shares_[frames_.front().sender()] : nullptr;
            std::size_t left = frames_.front().size() - begin_;
            if (taken < left) {
                begun_ = begun_ || taken > 0;
                begin_ += taken;
                if (share) share->amount -= {0, taken};
                return;
            }
            taken -= left;
            if (share) share->amount -= {1, left};
            begin_ = 0;
            begun_ = false;
            move_up(0);
        }
    }

    // There is one.
    void drop_oldest(SenderId sender) {
        std::size_t& oldest = shares_[sender].oldest;
        if (oldest == 0 && begun_) oldest = 1;
        while (frames_[oldest].unit() != Unit::droppable || frames_[oldest].sender() != sender) ++oldest;
        std::size_t size = frames_[oldest].size();
        size_ -= size;
        shares_[sender].amount -= {1, size};
        frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(oldest));
        move_up(oldest);
        ++dropped_;
    }

    // Those behind a place from which a frame has gone.
    void move_up(std::size_t place) noexcept {
        for (Share& share : shares_)
            if (share.oldest > place) --share.oldest;
    }

    std::deque<Frame> frames_;
    std::vector<Share> shares_;  // by sender
    std::size_t size_ = 0;       // bytes of all frames that wait
    std::size_t begin_ = 0;      // bytes of the first frame that were sent from here
    std::uint64_t dropped_ = 0;
    std::uint64_t coalesced_ = 0;
    bool begun_ = false;  // the peer has a part of the first frame
};

}  // namespace kvolt::detail

#endif
