#ifndef KVOLT_FILES_HPP
#define KVOLT_FILES_HPP

// Files as answers: Group::files(), Context::file() and Context::attachment(). Files are read while they are sent, a
// little at a time; opening and reading them is done on the loop, like everything else of a connection.

#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/files_options.hpp>

#ifndef KVOLT_COMPILED

namespace kvolt::detail {
struct FilesHeader {};
}  // namespace kvolt::detail

#include <kvolt/src/files.hpp>

#endif

#endif
