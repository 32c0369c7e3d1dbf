// What a connection still has to send, whatever is added to it, however little the socket takes, and whatever the
// limits and policies drop: by the Outbox, and by a model that has a list of units.

#include "input.hpp"
#include "outbox_model.hpp"
#include "require.hpp"
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/net/outbox.hpp>
#include <kvolt/limits.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

using kvolt::Backlog;
using kvolt::SlowPolicy;
using namespace kvolt::detail;
using Added = Outbox::Added;

namespace {

constexpr std::size_t all = 1 << 30;

// Takes so many bytes, in however many calls.
struct Socket {
    std::size_t room;
    std::string got = {};

    std::size_t operator()(const boost::asio::const_buffer& bytes) {
        std::size_t size = std::min(bytes.size(), room - got.size());
        got.append(static_cast<const char*>(bytes.data()), size);
        return size;
    }

    std::size_t operator()(const Pieces& pieces) {
        std::size_t before = got.size();
        for (const auto& piece : pieces) (*this)(piece);
        return got.size() - before;
    }
};

class Both {
public:
    // One frame or several, or bytes that are none.
    void add(std::string_view bytes, Unit unit, const Backlog& limit, SlowPolicy policy, std::string_view key = {}) {
        begin_ = outgoing_.size();
        outgoing_ += bytes;
        end_ = outgoing_.size();
        outgoing_ += key;
        add_again(unit, limit, policy, key);
        if (unit == Unit::raw) begin_ = end_ = 0;
    }

    // What lies in the outgoing buffer already, as for a second connection.
    void add_again(Unit unit, const Backlog& limit, SlowPolicy policy, std::string_view key = {}) {
        std::string_view bytes = std::string_view(outgoing_).substr(begin_, end_ - begin_);
        if (bytes.empty()) return;
        const Terms terms{limit, policy, unit == Unit::droppable ? sender_ : no_sender};
        auto added = outbox_.add(outgoing_, begin_, end_, unit, terms, key.size());
        require(added == add_to_model(bytes, unit, limit, policy, key));
        if (added == Added::backpressure)
            require(outbox_.messages() <= limit.messages && outbox_.backlog() - unsent_ <= limit.bytes);
    }

    void skip(std::size_t size) {
        outgoing_.append(size, '-');
        begin_ = end_ = 0;
    }

    void flush(std::size_t room) {
        Socket socket{room};
        outbox_.flush(outgoing_, socket);
        require(socket.got == (model_.behind ? "" : model_.take(room)));
        outgoing_.clear();
        begin_ = end_ = 0;
    }

    void drain(std::size_t room) {
        Socket socket{room};
        std::size_t size = outbox_.drain(socket);
        require(size == socket.got.size() && socket.got == (model_.behind ? model_.take(room) : ""));
    }

    // Whose frames those are that follow.
    void sender(SenderId sender) { sender_ = sender; }

    void join(std::size_t which) {
        SenderId sender = outbox_.join(counts_[which]);
        auto known = senders_.emplace(which, sender);
        require(known.first->second == sender);
        ++model_.seats[sender];
    }

    void leave(SenderId sender) {
        if (model_.seats[sender] == 0) return;
        --model_.seats[sender];
        outbox_.leave(sender);
    }

    std::size_t senders() const { return senders_.size(); }

    void shed() {
        outbox_.shed();
        model_.shed();
    }

    void finish() {
        outbox_.finish();
        model_.finished = true;
    }

    void unsent(std::size_t size) { outbox_.unsent(unsent_ = size); }

    void clear() {
        outbox_.clear();
        unsent_ = 0;
        model_.clear();
    }

    void check() const {
        require(outbox_.pending() == (model_.behind ? 0 : model_.size()));
        require(outbox_.backlog() == (model_.behind ? model_.size() : 0) + unsent_);
        require(outbox_.messages() == (model_.behind ? model_.items.size() : 0));
        require(outbox_.empty() == (model_.items.empty() && unsent_ == 0));
        require(outbox_.finished() == model_.finished);
        for (auto [which, sender] : senders_) {
            auto found = model_.counts.find(sender);
            auto expected = found == model_.counts.end() ? OutboxModel::Counts() : found->second;
            require(counts_[which]->dropped == expected.dropped && counts_[which]->coalesced == expected.coalesced);
            require(counts_[which]->disconnected == expected.disconnected);
        }
    }

private:
    // Frames of one turn are units of their own, however they were added; bytes that are none are one.
    Added add_to_model(std::string_view bytes, Unit unit, const Backlog& limit, SlowPolicy policy,
                       std::string_view key) {
        auto added = Added::dropped;
        bool continues = !model_.behind && !model_.finished && unit == Unit::raw && raw_end_ == begin_;
        raw_end_ = unit == Unit::raw && !model_.behind ? end_ : 0;
        if (continues && !model_.items.empty() && model_.items.back().unit == Unit::raw) {
            model_.items.back().bytes += bytes;
            return Added::queued;
        }
        while (!bytes.empty()) {
            std::size_t size = unit == Unit::raw || model_.behind ? bytes.size() : frame_size(bytes);
            added = model_.add({std::string(bytes.substr(0, size)), unit, std::string(key),
                                unit == Unit::droppable ? sender_ : no_sender},
                               limit, policy);
            bytes.remove_prefix(size);
        }
        return added;
    }

    std::string outgoing_;
    Outbox outbox_;
    OutboxModel model_;
    std::size_t begin_ = 0, end_ = 0;  // of what was added last in this turn
    std::size_t raw_end_ = 0;
    std::size_t unsent_ = 0;
    std::array<std::shared_ptr<SenderCounts>, 3> counts_{
        std::make_shared<SenderCounts>(), std::make_shared<SenderCounts>(), std::make_shared<SenderCounts>()};
    std::map<std::size_t, SenderId> senders_;  // those who have joined
    SenderId sender_ = no_sender;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    Both both;
    Backlog limit;
    SlowPolicy policy = SlowPolicy::disconnect;
    unsigned number = 0;
    auto frame = [&](std::size_t payload, Opcode opcode = Opcode::text) {
        std::string bytes;
        append_frame(bytes, opcode, std::string(payload, static_cast<char>('a' + number++ % 26)));
        return bytes;
    };
    while (!input.empty()) {
        switch (input.letter("MKTASCHOLPFDXUEZJNG")) {
            case 'M': both.add(frame(input.size()), Unit::droppable, limit, policy); break;
            case 'K': {
                const std::string key(input.number(3) + 1, 'k');
                both.add(frame(input.size()), Unit::droppable, limit, policy, key);
                break;
            }
            case 'T': both.add(frame(input.size()) + frame(input.size()), Unit::droppable, limit, policy); break;
            case 'A': both.add_again(Unit::droppable, limit, policy); break;
            case 'S': both.add(frame(input.size()), Unit::frame, limit, SlowPolicy::drop_newest); break;
            case 'C':
                both.add(frame(input.number(126), Opcode::ping), Unit::frame, Outbox::no_limit.limit,
                         SlowPolicy::drop_newest);
                break;
            case 'H':
                both.add(std::string(input.size(), '\x7F'), Unit::raw, Outbox::no_limit.limit, SlowPolicy::drop_newest);
                break;
            case 'O': both.skip(input.size()); break;
            case 'L': limit = {input.size(), input.number(64)}; break;
            case 'P': policy = SlowPolicy{static_cast<int>(input.number(3))}; break;
            case 'F': both.flush(input.size()); break;
            case 'D': both.drain(input.size()); break;
            case 'X': both.shed(); break;
            case 'U': both.unsent(input.size()); break;
            case 'J': both.join(input.number(3)); break;
            case 'N': both.sender(static_cast<SenderId>(input.number(both.senders() + 1))); break;
            case 'G': both.leave(static_cast<SenderId>(input.number(both.senders() + 1))); break;
            case 'E': both.finish(); break;
            case 'Z': both.clear(); break;
        }
        both.check();
    }
    both.flush(all);
    both.drain(all);
    both.unsent(0);
    both.check();
    return 0;
}
