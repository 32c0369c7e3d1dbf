#ifndef KVOLT_DETAIL_BACKLOG_HPP
#define KVOLT_DETAIL_BACKLOG_HPP

#include <kvolt/limits.hpp>

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

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
    std::size_t frames() const noexcept { return live_; }

    /// How many frames drop_oldest has dropped so far.
    std::uint64_t dropped() const noexcept { return dropped_; }

    /// How many frames have made way for later ones with their key so far.
    std::uint64_t coalesced() const noexcept { return coalesced_; }

    /// Append a frame without regard to limits. `begun`: the part before `frame` was sent already.
    void push(std::string_view frame, Unit unit, bool begun = false, std::string_view key = {}) {
        if (frames_.empty()) begun_ = begun;
        bytes_ += frame;
        bytes_ += key;
        frames_.push_back({frame.size(), static_cast<std::uint32_t>(key.size()), unit});
        size_ += frame.size();
        ++live_;
        if (unit != Unit::droppable) firm_ += {1, frame.size()};
    }

    /// Append a frame within `limit`, or do what the policy says; `overflow` means that the connection must go.
    ///
    /// Nothing makes way for a frame that is dropped itself.
    ///
    /// @param key  If it is not empty, the frame takes the place of those with this key that have not been begun.
    Added add(std::string_view frame, Unit unit, const Backlog& limit, SlowPolicy policy, std::string_view key = {}) {
        Amount stale = key.empty() ? Amount() : find(key);
        auto fits_behind = [&](const Amount& others) {
            return others.frames < limit.messages && others.bytes <= limit.bytes &&
                   frame.size() <= limit.bytes - others.bytes;
        };
        if (!fits_behind({live_ - stale.frames, size_ - stale.bytes})) {
            if (policy == SlowPolicy::disconnect) return Added::overflow;
            if (policy == SlowPolicy::drop_newest || !fits_behind(firm())) return Added::dropped;
        }
        if (stale.frames > 0) drop(key);
        while (!fits_behind({live_, size_})) drop_oldest();
        push(frame, unit, false, key);
        return Added::queued;
    }

    /// Offer the bytes to `send`, which takes Pieces and returns how many bytes went, 0 if it would block.
    template <class Send>
    std::size_t drain(Send&& send) {
        std::size_t all = 0, offered = 0, taken = 0;
        do {
            Pieces pieces;
            std::size_t at = begin_;
            offered = 0;
            for (const Frame& frame : frames_) {
                if (pieces.full()) break;
                if (!frame.dropped) {
                    pieces.add(std::string_view(bytes_).substr(at, frame.size));
                    offered += frame.size;
                }
                at += frame.size + frame.key;
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
        for (std::size_t i = begun_ ? 1 : 0; i < frames_.size(); ++i) {
            if (frames_[i].unit == Unit::raw || frames_[i].dropped) continue;
            messages += frames_[i].unit == Unit::droppable;
            drop(frames_[i]);
        }
        compact();
        return messages;
    }

private:
    struct Frame {
        std::size_t size;   // of the first one, what is left
        std::uint32_t key;  // bytes of its key, which lies behind it
        Unit unit;
        bool dropped = false;
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

    // What is left if all is dropped that may be.
    Amount firm() const noexcept {
        Amount firm = firm_;
        if (begun_ && frames_.front().unit == Unit::droppable) firm += {1, frames_.front().size};
        return firm;
    }

    // Call `visit(frame)` for each frame with a key that may be dropped.
    template <class Visit>
    void each_with(std::string_view key, Visit visit) {
        std::size_t at = begin_;
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            Frame& frame = frames_[i];
            bool droppable = !frame.dropped && frame.unit == Unit::droppable && !(i == 0 && begun_);
            if (droppable && frame.key == key.size() && bytes_.compare(at + frame.size, frame.key, key) == 0)
                visit(frame);
            at += frame.size + frame.key;
        }
    }

    Amount find(std::string_view key) {
        Amount stale;
        each_with(key, [&](const Frame& frame) { stale += {1, frame.size}; });
        return stale;
    }

    void drop(std::string_view key) {
        each_with(key, [&](Frame& frame) { drop(frame), ++coalesced_; });
        compact_if_worth();
    }

    void consume(std::size_t taken) {
        size_ -= taken;
        while (!frames_.empty()) {
            Frame& frame = frames_.front();
            if (!frame.dropped && taken < frame.size) {
                begun_ = begun_ || taken > 0;
                if (frame.unit != Unit::droppable) firm_ -= {0, taken};
                frame.size -= taken;
                begin_ += taken;
                break;
            }
            if (frame.dropped) {
                dead_ -= frame.size + frame.key;
            } else {
                taken -= frame.size;
                --live_;
                if (frame.unit != Unit::droppable) firm_ -= {1, frame.size};
            }
            begin_ += frame.size + frame.key;
            begun_ = false;
            frames_.pop_front();
            if (oldest_ > 0) --oldest_;
        }
        if (begin_ > bytes_.size() / 2) {
            bytes_.erase(0, begin_);
            begin_ = 0;
        }
    }

    // There is one.
    void drop_oldest() {
        if (oldest_ == 0 && begun_) oldest_ = 1;
        while (frames_[oldest_].dropped || frames_[oldest_].unit != Unit::droppable) ++oldest_;
        drop(frames_[oldest_]);
        ++dropped_;
        compact_if_worth();
    }

    void compact_if_worth() {
        if (dead_ > 4096 && dead_ > bytes_.size() / 2) compact();
    }

    void drop(Frame& frame) noexcept {
        frame.dropped = true;
        size_ -= frame.size;
        dead_ += frame.size + frame.key;
        --live_;
        if (frame.unit != Unit::droppable) firm_ -= {1, frame.size};
    }

    void compact() {
        std::string bytes;
        bytes.reserve(size_);
        std::size_t at = begin_;
        for (const Frame& frame : frames_) {
            if (!frame.dropped) bytes.append(bytes_, at, frame.size + frame.key);
            at += frame.size + frame.key;
        }
        std::erase_if(frames_, [](const Frame& frame) { return frame.dropped; });
        bytes_.swap(bytes);
        begin_ = dead_ = oldest_ = 0;
    }

    std::string bytes_;
    std::deque<Frame> frames_;
    std::size_t size_ = 0;    // bytes of the frames that are not dropped
    std::size_t live_ = 0;    // the number of those
    Amount firm_;             // of those that must not be dropped
    std::size_t dead_ = 0;    // bytes of dropped frames that still lie between, with their keys
    std::size_t begin_ = 0;   // where the first frame lies in bytes_
    std::size_t oldest_ = 0;  // no frame before this index can be dropped
    std::uint64_t dropped_ = 0;
    std::uint64_t coalesced_ = 0;
    bool begun_ = false;  // the peer has a part of the first frame
};

}  // namespace kvolt::detail

#endif
