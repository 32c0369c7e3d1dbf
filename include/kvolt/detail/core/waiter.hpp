#ifndef KVOLT_DETAIL_CORE_WAITER_HPP
#define KVOLT_DETAIL_CORE_WAITER_HPP

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace kvolt::detail {

/// Something to call once, such as the completion handler of a suspended coroutine. Move-only.
///
/// Boost 1.81's any_completion_handler would do, but wraps itself without end when it is posted.
template <class... Arguments>
class Waiter {
public:
    Waiter() noexcept = default;

    template <class Handler>
    requires(!std::same_as<Handler, Waiter>) Waiter(Handler handler) {
        if constexpr (fits<Handler>)
            handler_ = new (room_) Holder<Handler>(std::move(handler));
        else
            handler_ = new Holder<Handler>(std::move(handler));
    }

    Waiter(Waiter&& other) noexcept { take(other); }
    Waiter& operator=(Waiter&& other) noexcept {
        Waiter old;
        old.take(*this);
        take(other);
        return *this;
    }
    ~Waiter() { clear(); }

    explicit operator bool() const noexcept { return handler_ != nullptr; }

    /// Call the handler; the waiter is empty before that.
    void operator()(Arguments... arguments) {
        Waiter taken = std::move(*this);
        taken.handler_->call(std::move(arguments)...);
    }

private:
    struct Base {
        virtual ~Base() = default;
        virtual void call(Arguments... arguments) = 0;
        virtual Base* move_to(void* where) noexcept = 0;
    };

    template <class Handler>
    struct Holder final : Base {
        explicit Holder(Handler held) : handler(std::move(held)) {}
        void call(Arguments... arguments) override { std::move(handler)(std::move(arguments)...); }
        Base* move_to(void* where) noexcept override {
            if constexpr (fits<Handler>)
                return new (where) Holder(std::move(handler));
            else
                return this;
        }

        Handler handler;
    };

    static constexpr std::size_t room = 4 * sizeof(void*);

public:
    /// Whether a handler lies in the waiter itself, as that of a suspended coroutine does: to wait must not fail.
    template <class Handler>
    static constexpr bool fits =
        sizeof(Holder<Handler>) <= room &&
        alignof(Holder<Handler>) <= alignof(void*) && std::is_nothrow_move_constructible_v<Handler>;

private:
    bool inside() const noexcept { return static_cast<const void*>(handler_) == room_; }

    void take(Waiter& other) noexcept {
        handler_ = other.inside() ? other.handler_->move_to(room_) : other.handler_;
        if (other.inside()) other.handler_->~Base();
        other.handler_ = nullptr;
    }

    void clear() noexcept {
        if (inside())
            handler_->~Base();
        else
            delete handler_;
    }

    Base* handler_ = nullptr;
    alignas(void*) std::byte room_[room] = {};
};

}  // namespace kvolt::detail

#endif
