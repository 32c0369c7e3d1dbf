#ifndef KVOLT_DETAIL_WAITER_HPP
#define KVOLT_DETAIL_WAITER_HPP

#include <concepts>
#include <memory>
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
    requires(!std::same_as<Handler, Waiter>) Waiter(Handler handler)
        : handler_(std::make_unique<Holder<Handler>>(std::move(handler))) {}

    explicit operator bool() const noexcept { return handler_ != nullptr; }

    /// Call the handler; the waiter is empty before that.
    void operator()(Arguments... arguments) { std::exchange(handler_, nullptr)->call(std::move(arguments)...); }

private:
    struct Base {
        virtual ~Base() = default;
        virtual void call(Arguments... arguments) = 0;
    };

    template <class Handler>
    struct Holder final : Base {
        explicit Holder(Handler held) : handler(std::move(held)) {}
        void call(Arguments... arguments) override { std::move(handler)(std::move(arguments)...); }

        Handler handler;
    };

    std::unique_ptr<Base> handler_;
};

}  // namespace kvolt::detail

#endif
