#ifndef KVOLT_DETAIL_CORE_CANCEL_HPP
#define KVOLT_DETAIL_CORE_CANCEL_HPP

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>

namespace kvolt::detail {

// Asio's name for it is a macro of Qt.
#pragma push_macro("emit")
#undef emit

/// Cancel what the signal's slot was given to.
inline void cancel(boost::asio::cancellation_signal& signal, boost::asio::cancellation_type type) { signal.emit(type); }

#pragma pop_macro("emit")

}  // namespace kvolt::detail

#endif
