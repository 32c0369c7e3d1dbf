#ifndef KVOLT_DETAIL_CORE_UNDO_HPP
#define KVOLT_DETAIL_CORE_UNDO_HPP

#include <utility>

namespace kvolt::detail {

/// Undoes half of something when it goes out of scope, unless the other half was done.
template <class Function>
class Undo {
public:
    explicit Undo(Function function) noexcept : function_(std::move(function)) {}
    ~Undo() {
        if (!done_) function_();
    }

    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;

    void done() noexcept { done_ = true; }

private:
    Function function_;
    bool done_ = false;
};

}  // namespace kvolt::detail

#endif
