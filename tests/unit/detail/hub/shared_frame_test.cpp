#include "catch.hpp"
#include <kvolt/detail/hub/shared_frame.hpp>

#include <optional>
#include <string>
#include <string_view>

using namespace kvolt::detail;
using namespace std::string_literals;

namespace {

struct FakeDeflater final : Deflater {
    FakeDeflater(int has, std::optional<int> needs) : Deflater(has), needed(needs) {}

    bool deflate(std::string_view, std::string&) override { return false; }
    std::optional<int> deflate_for_all(std::string_view message, std::string& out) override {
        ++calls;
        if (needed) out.append("small ").append(message.substr(0, 3));
        return needed;
    }
    bool forgetful() const { return forgetful_; }

    std::optional<int> needed;
    int calls = 0;
};

struct FrameFixture {
    explicit FrameFixture(std::string_view payload, Opcode opcode = Opcode::text) {
        loop.outgoing() = "before";
        append_frame(bytes, opcode, payload);
        frame.emplace(loop, bytes);
    }

    std::string at(SharedFrame::Range range) { return loop.outgoing().substr(range.begin, range.end - range.begin); }

    Loop loop;
    std::string bytes;
    std::optional<SharedFrame> frame;
};

}  // namespace

TEST_CASE("shared frame: compressed once, for those who can take it, by the first of them") {
    for (std::size_t size : {3, 125, 126, 65535, 65536})
        for (Opcode opcode : {Opcode::text, Opcode::binary}) {
            FrameFixture f("abc" + std::string(size - 3, 'x'), opcode);
            FakeDeflater first(15, 12), small(11, 9), same(12, 15);
            const std::string compressed = (opcode == Opcode::text ? "\xC1"s : "\xC2"s) + "\x09small abc";
            CHECK(f.loop.outgoing() == "before");  // nothing before it is needed
            CHECK(f.at(f.frame->for_one(&first)) == compressed);
            CHECK(f.loop.outgoing() == "before" + compressed);
            CHECK(f.at(f.frame->for_one(&same)) == compressed);
            CHECK(f.loop.outgoing() == "before" + compressed);
            CHECK(f.at(f.frame->for_one(nullptr)) == f.bytes);
            CHECK(f.at(f.frame->for_one(&small)) == f.bytes);
            CHECK(f.at(f.frame->for_one(&same)) == compressed);
            CHECK(f.at(f.frame->plain()) == f.bytes);
            CHECK(f.loop.outgoing() == "before" + compressed + f.bytes);
            CHECK(first.calls == 1);
            CHECK(small.calls + same.calls == 0);
            CHECK(first.forgetful());
            CHECK(same.forgetful());
            CHECK_FALSE(small.forgetful());
        }
}

TEST_CASE("shared frame: what does not get smaller goes as it is, and is tried once") {
    FrameFixture f("message");
    FakeDeflater first(15, std::nullopt), second(15, 9);
    CHECK(f.at(f.frame->for_one(&first)) == f.bytes);
    CHECK(f.at(f.frame->for_one(&second)) == f.bytes);
    CHECK(f.at(f.frame->for_one(nullptr)) == f.bytes);
    CHECK(f.loop.outgoing() == "before" + f.bytes);
    CHECK(first.calls + second.calls == 1);
    CHECK_FALSE(first.forgetful());
}
