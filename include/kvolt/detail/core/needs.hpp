#ifndef KVOLT_DETAIL_CORE_NEEDS_HPP
#define KVOLT_DETAIL_CORE_NEEDS_HPP

// Some functions are declared by a header that many include, and defined by one that few need. Who calls one of them
// and has not included the other header is told so by the compiler, in words, and not by the linker.

namespace kvolt {

class Context;

namespace detail {

// Each is defined by the header of its name.
struct ServerHeader;
struct FilesHeader;
struct TlsHeader;

#ifdef KVOLT_COMPILED  // another file defines the functions
struct ServerHeader {};
struct FilesHeader {};
inline constexpr bool is_compiled = true;
#else
inline constexpr bool is_compiled = false;
#endif

template <class T>
inline constexpr bool is_defined = requires {
    sizeof(T);
};

// Defaults of template parameters, which depend on another one so that they are looked at only where the function is
// called.

template <class, class Header = ServerHeader>
struct ServerNeeded {
    static_assert(
        is_defined<Header>,
        "kvolt: App::listen(), run() and start() need #include <kvolt/server.hpp>, or <kvolt.hpp>, in the file "
        "that calls them");
    using type = void;
};
template <class T>
using NeedsServer = typename ServerNeeded<T>::type;

template <class, class Header = FilesHeader>
struct FilesNeeded {
    static_assert(is_defined<Header>,
                  "kvolt: files() of an app or group, and file() and attachment() of a Context, need #include "
                  "<kvolt/files.hpp>, or <kvolt.hpp>, in the file that calls them");
    using type = void;
};
template <class T>
using NeedsFiles = typename FilesNeeded<T>::type;

template <class, class Header = TlsHeader>
struct TlsNeeded {
    static_assert(
        is_defined<Header>,
        "kvolt: App::listen_tls() and run_tls() need #include <kvolt/tls.hpp> in the file that calls them, and "
        "the CMake target kvolt::tls, which brings OpenSSL");
    using type = void;
};
template <class T>
using NeedsTls = typename TlsNeeded<T>::type;

template <class, class Known = Context>
struct ContextNeeded {
    static_assert(is_compiled || is_defined<Known>,
                  "kvolt: who calls next() needs #include <kvolt/context.hpp>, or <kvolt.hpp>, in his file");
    using type = void;
};
template <class T>
using NeedsContext = typename ContextNeeded<T>::type;

}  // namespace detail

}  // namespace kvolt

#endif
