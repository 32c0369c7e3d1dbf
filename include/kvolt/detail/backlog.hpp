#ifndef KVOLT_DETAIL_BACKLOG_HPP
#define KVOLT_DETAIL_BACKLOG_HPP

#include <kvolt/limits.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// How bytes may be cut and dropped.
enum class Unit : std::uint8_t {
    raw,        ///< Not frames: HTTP. Kept whole, never dropped.
    frame,      ///< A frame that is never dropped once queued.
    droppable,  ///< A frame that the slow policy may drop.
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
    void push(std::string_view frame, Unit unit, bool begun = false, std::string_view key = {}) {
        if (frames_.empty()) begun_ = begun;
        frames_.emplace_back(frame, key, unit);
        size_ += frame.size();
    }

    /// Append a frame within `limit`, or do what the policy says; `overflow` means that the connection must go.
    ///
    /// @param key  If it is not empty, the frame takes the place of those with this key that have not been begun.
    Added add(std::string_view frame, Unit unit, const Backlog& limit, SlowPolicy policy, std::string_view key = {}) {
        Stale stale = key.empty() ? Stale() : find(key);
        auto fits = [&] {
            std::size_t size = size_ - stale.bytes;
            return frames_.size() - stale.frames < limit.messages && size <= limit.bytes &&
                   frame.size() <= limit.bytes - size;
        };
        if (!fits()) {
            if (policy == SlowPolicy::disconnect) return Added::overflow;
            if (policy == SlowPolicy::drop_newest || frame.size() > limit.bytes) return Added::dropped;
        }
        if (stale.frames > 0) drop(key);
        stale = {};
        while (!fits())
            if (!drop_oldest()) return Added::dropped;
        push(frame, unit, false, key);
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

    /// Drop every frame that has not been begun; returns how many messages those were.
    std::size_t shed() {
        std::size_t messages = 0;
        drop_if([&](const Frame& frame) {
            messages += frame.unit() == Unit::droppable;
            return frame.unit() != Unit::raw;
        });
        return messages;
    }

private:
    // Each owns its bytes: one block for all would have to be moved as a whole now and then, and a message for many
    // slow members would do so for all of them at once.
    class Frame {
    public:
        Frame(std::string_view bytes, std::string_view key, Unit unit)
            : key_(static_cast<std::uint32_t>(key.size())), unit_(unit) {
            all_.reserve(bytes.size() + key.size());
            all_ += bytes;
            all_ += key;
        }

        std::size_t size() const noexcept { return all_.size() - key_; }
        std::string_view bytes() const noexcept { return std::string_view(all_).substr(0, size()); }
        std::string_view key() const noexcept { return std::string_view(all_).substr(size()); }
        Unit unit() const noexcept { return unit_; }

    private:
        std::string all_;  // the key is behind the frame
        std::uint32_t key_;
        Unit unit_;
    };

    struct Stale {
        std::size_t frames = 0, bytes = 0;
    };

    auto first_not_begun() noexcept { return frames_.begin() + (begun_ ? 1 : 0); }

    static auto replaced_by(std::string_view key) {
        return [key](const Frame& frame) { return frame.unit() == Unit::droppable && frame.key() == key; };
    }

    Stale find(std::string_view key) {
        Stale stale;
        auto is_stale = replaced_by(key);
        for (auto frame = first_not_begun(); frame != frames_.end(); ++frame)
            if (is_stale(*frame)) ++stale.frames, stale.bytes += frame->size();
        return stale;
    }

    void drop(std::string_view key) {
        std::size_t before = frames_.size();
        drop_if(replaced_by(key));
        coalesced_ += before - frames_.size();
    }

    // Of those that have not been begun.
    template <class Predicate>
    void drop_if(Predicate predicate) {
        auto is_dropped = [&](const Frame& frame) {
            bool dropped = predicate(frame);
            if (dropped) size_ -= frame.size();
            return dropped;
        };
        frames_.erase(std::remove_if(first_not_begun(), frames_.end(), is_dropped), frames_.end());
        oldest_ = 0;
    }

    void consume(std::size_t taken) {
        size_ -= taken;
        for (; !frames_.empty(); frames_.pop_front()) {
            std::size_t left = frames_.front().size() - begin_;
            if (taken < left) {
                begun_ = begun_ || taken > 0;
                begin_ += taken;
                return;
            }
            taken -= left;
            begin_ = 0;
            begun_ = false;
            if (oldest_ > 0) --oldest_;
        }
    }

    bool drop_oldest() {
        if (oldest_ == 0 && begun_) oldest_ = 1;
        while (oldest_ < frames_.size() && frames_[oldest_].unit() != Unit::droppable) ++oldest_;
        if (oldest_ >= frames_.size()) return false;
        size_ -= frames_[oldest_].size();
        frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(oldest_));
        ++dropped_;
        return true;
    }

    std::deque<Frame> frames_;
    std::size_t size_ = 0;    // bytes of all frames that wait
    std::size_t begin_ = 0;   // bytes of the first frame that were sent from here
    std::size_t oldest_ = 0;  // no frame before this index can be dropped
    std::uint64_t dropped_ = 0;
    std::uint64_t coalesced_ = 0;
    bool begun_ = false;  // the peer has a part of the first frame
};

}  // namespace kvolt::detail

#endif
