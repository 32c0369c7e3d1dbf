// What comes with a library of its own.

#include <kvolt/app.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/middleware/brotli.hpp>
#include <kvolt/middleware/compress.hpp>
#include <kvolt/upgrade_options.hpp>

kvolt::UpgradeOptions compressed() { return kvolt::UpgradeOptions().compression(kvolt::deflate()); }

void compress(kvolt::App& app) {
    using namespace kvolt::middleware;
    app.use(kvolt::middleware::compress(CompressOptions().codecs({brotli(), gzip()})));
}
