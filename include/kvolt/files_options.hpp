#ifndef KVOLT_FILES_OPTIONS_HPP
#define KVOLT_FILES_OPTIONS_HPP

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace kvolt {

/// How `app.files()` serves a folder.
class FilesOptions {
public:
    /// The file that stands for the folder it lies in; `index.html` by default. Empty: none does, and that is a 404.
    FilesOptions& index(std::string name) {
        index_ = std::move(name);
        return *this;
    }

    /// Also serve files and folders whose name begins with a dot. They are hidden by default, `.git` and `.env`, but
    /// for what is below `/.well-known/` (RFC 8615).
    FilesOptions& dot_files(bool serve = true) noexcept {
        dot_files_ = serve;
        return *this;
    }

    /// How long browsers and proxies use a file without asking again (Cache-Control); by default nothing is said.
    FilesOptions& max_age(std::chrono::seconds age) noexcept {
        max_age_ = age;
        return *this;
    }

    /// Within max_age() nobody needs to ask, also on a reload: the names change with the content, as `app.3f2a.js`.
    ///
    /// Those of pages do not, so they are asked for each time (`Cache-Control: no-cache`): HTML, the index, and what is
    /// below `/.well-known/`.
    FilesOptions& immutable(bool never_changes = true) noexcept {
        immutable_ = never_changes;
        return *this;
    }

    /// Look for `NAME.br` and `NAME.gz` beside a file of a type worth compressing, and send one of those to clients
    /// that understand it. On by default.
    FilesOptions& precompressed(bool look = true) noexcept {
        precompressed_ = look;
        return *this;
    }

    /// A file in the folder, such as `index.html`, that answers for what is not there: for applications with views of
    /// their own behind paths such as `/users/7`.
    ///
    /// Only where a page is wanted: a browser goes there (Sec-Fetch-Mode), or the client asks for text/html; or, if it
    /// does not say what it wants, the name has no extension and no route is there for other methods. All else gets the
    /// 404 or 405 that it would get without it. The page is sent with `Cache-Control: no-cache`.
    FilesOptions& fallback(std::string name) {
        fallback_ = std::move(name);
        return *this;
    }

    const std::string& index() const noexcept { return index_; }
    const std::string& fallback() const noexcept { return fallback_; }
    bool serves_dot_files() const noexcept { return dot_files_; }
    bool looks_for_precompressed() const noexcept { return precompressed_; }

    /// The value of the Cache-Control field; empty if there is none.
    ///
    /// @param page  For what keeps its name when its content changes.
    std::string cache_control(bool page = false) const {
        if (!max_age_) return {};
        if (page && immutable_) return "no-cache";
        return "public, max-age=" + std::to_string(max_age_->count()) + (immutable_ ? ", immutable" : "");
    }

private:
    std::string index_ = "index.html";
    std::string fallback_;
    std::optional<std::chrono::seconds> max_age_;
    bool dot_files_ = false;
    bool immutable_ = false;
    bool precompressed_ = true;
};

}  // namespace kvolt

#endif
