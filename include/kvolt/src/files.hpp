#ifndef KVOLT_SRC_FILES_HPP
#define KVOLT_SRC_FILES_HPP

#include <kvolt/app.hpp>
#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/files/answer.hpp>
#include <kvolt/detail/files/content_disposition.hpp>
#include <kvolt/detail/files/open_file.hpp>
#include <kvolt/detail/files/page_wish.hpp>
#include <kvolt/detail/files/path.hpp>
#include <kvolt/detail/http/accept_encoding.hpp>
#include <kvolt/detail/http/fields.hpp>
#include <kvolt/detail/http/media_type.hpp>
#include <kvolt/detail/server/routes.hpp>
#include <kvolt/error.hpp>
#include <kvolt/files.hpp>
#include <kvolt/files_options.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kvolt {

namespace detail {

/// Open a file of the server's own choice. Throws like throw_unopened().
inline std::shared_ptr<const File> open_to_serve(const std::string& path) {
    Opened opened;
    if (path.find('\0') == path.npos) opened = open_file(path);
    if (!opened.file) throw_unopened(opened.error, path);
    return std::move(opened.file);
}

/// A folder that is served. It is looked up by its name for every request, so that it can be replaced at any time.
class ServedFolder {
public:
    ServedFolder(const std::string& folder, FilesOptions options)
        : folder_(absolute(folder)),
          options_(std::move(options)),
          cache_control_(options_.cache_control()),
          page_cache_control_(options_.cache_control(true)) {
        std::string what = "files(\"" + folder + "\")";
        Descriptor opened = open_folder(folder_, what);
        if (options_.fallback().empty()) return;
        Opened fallback = open_beneath(opened.number(), options_.fallback());
        if (!fallback.file)
            throw std::system_error(fallback.error == 0 ? EINVAL : fallback.error, std::generic_category(),
                                    "kvolt: " + what + ": the fallback file \"" + options_.fallback() + '"');
    }

    /// Answer with what the rest of the path names.
    ///
    /// @param routes  Know what other ones the path has.
    void serve(const Routes& routes, Context& c) const {
        std::string_view rest = c.raw_param("path");
        bool root = c.request().raw_path().size() == rest.size() + 1;
        auto wanted = parse_file_path(rest, options_.serves_dot_files(), root);
        if (!wanted) return refuse(routes, c);
        Descriptor folder(::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!folder) throw_unopened(errno, folder_);
        std::string path = wanted->is_folder ? index_of(wanted->path) : wanted->path;
        Opened opened;
        if (!wanted->is_folder || !options_.index().empty()) opened = open(folder.number(), path);
        if (opened.file) return answer(c, folder.number(), path, std::move(opened.file), cache_control(path, root));
        if (!wanted->is_folder && opened.is_folder && has_index(folder.number(), path)) return redirect(c);
        serve_fallback(routes, c, folder.number(), rest);
    }

    /// Send the client to the same path with a slash behind it. Relative to what it has asked for, so that it works
    /// behind proxies which change the path, and leads nowhere else.
    static void redirect(Context& c) {
        std::string_view path = c.request().raw_path(), query = c.request().raw_query();
        std::string location = "./" + std::string(path.substr(path.rfind('/') + 1)) + '/';
        if (!query.empty()) (location += '?') += query;
        c.redirect(location, 301);
    }

private:
    // Also where the working folder changes. Links stay what they are.
    static std::string absolute(const std::string& folder) {
        if (folder.starts_with('/')) return folder;
        std::string here(4097, '\0');
        if (::getcwd(here.data(), here.size()) == nullptr)
            throw std::system_error(errno, std::generic_category(), "kvolt: the working folder");
        here.resize(here.find('\0'));
        return here + '/' + folder;
    }

    Opened open(int folder, const std::string& path) const {
        Opened opened = open_beneath(folder, path);
        bool absent = means_absent(opened.error) || opened.error == EACCES || opened.error == EPERM;
        if (!opened.file && !absent) throw_unopened(opened.error, folder_ + '/' + path);
        return opened;
    }

    std::string index_of(const std::string& path) const {
        return path.empty() ? options_.index() : path + '/' + options_.index();
    }

    bool has_index(int folder, const std::string& path) const {
        return !options_.index().empty() && open(folder, index_of(path)).file != nullptr;
    }

    std::string_view cache_control(const std::string& path, bool root) const {
        std::string_view type = media_type(path), name = std::string_view(path).substr(path.rfind('/') + 1);
        bool page = type.starts_with("text/html") || type.starts_with("application/xhtml+xml") ||
                    name == options_.index() || (root && path.starts_with(".well-known/"));
        return page ? page_cache_control_ : cache_control_;
    }

    void serve_fallback(const Routes& routes, Context& c, int folder, std::string_view rest) const {
        PageWish wish = page_wish(c.request());
        bool extension = rest.find('.', rest.rfind('/') + 1) != rest.npos;
        bool wanted =
            wish == PageWish::sure || (wish == PageWish::possible && !extension && better_methods(routes, c).empty());
        if (options_.fallback().empty() || !wanted) return refuse(routes, c);
        Opened opened = open(folder, options_.fallback());
        if (!opened.file) return refuse(routes, c);
        answer(c, folder, options_.fallback(), std::move(opened.file), "no-cache");
    }

    static std::string better_methods(const Routes& routes, const Context& c) {
        return routes.better_methods(c.request().raw_path(), c.route());
    }

    // As if there were no files here.
    [[noreturn]] static void refuse(const Routes& routes, const Context& c) {
        std::string methods = better_methods(routes, c);
        if (methods.empty()) throw HttpError(404, "Not Found");
        throw HttpError(405, "Method Not Allowed").header("Allow", methods);
    }

    void answer(Context& c, int folder, const std::string& path, std::shared_ptr<const File> file,
                std::string_view cache_control) const {
        FileFields fields;
        fields.content_type = media_type(path);
        fields.cache_control = cache_control;
        if (options_.looks_for_precompressed() && is_compressible(fields.content_type)) {
            std::string_view codings[2];
            std::shared_ptr<const File> variants[2];
            std::size_t count = 0;
            for (auto [coding, suffix] : {std::pair("br", ".br"), std::pair("gzip", ".gz")}) {
                variants[count] = open(folder, path + suffix).file;
                if (variants[count]) codings[count++] = coding;
            }
            std::string accepted = joined_fields(c.request(), "Accept-Encoding").value_or("");
            std::string_view chosen = choose_encoding(accepted, std::span(codings, count));
            for (std::size_t i = 0; i < count; ++i) {
                if (codings[i] != chosen) continue;
                file = std::move(variants[i]);
                fields.content_encoding = chosen;
            }
            fields.varies = count > 0;
        }
        c.file(std::move(file), fields);
    }

    const std::string folder_;
    const FilesOptions options_;
    const std::string cache_control_, page_cache_control_;
};

}  // namespace detail

template <class, class>
void Group::files(std::string_view prefix, const std::string& folder, const FilesOptions& options) const {
    auto served = std::make_shared<const detail::ServedFolder>(folder, options);
    std::string base(prefix.ends_with('/') ? prefix.substr(0, prefix.size() - 1) : prefix);
    add("GET", base + "/*path", [served, &routes = app_->core()->routes](Context& c) { served->serve(routes, c); });
    if (!base.empty() || index_ != 0) add("GET", base, [](Context& c) { detail::ServedFolder::redirect(c); });
}

template <class, class>
void Group::files(std::string_view prefix, const std::string& folder) const {
    files(prefix, folder, FilesOptions());
}

KVOLT_INLINE void Context::file(std::shared_ptr<const detail::File> file, const detail::FileFields& fields) {
    check_head();
    detail::answer_file(request_, response_, file, fields);
    answered_ = true;
}

template <class, class>
void Context::file(const std::string& path) {
    file(detail::open_to_serve(path), {detail::media_type(path)});
}

template <class, class>
void Context::attachment(const std::string& path, std::string_view name) {
    if (name.empty()) name = std::string_view(path).substr(path.rfind('/') + 1);
    std::string disposition = detail::attachment_disposition(name);
    detail::FileFields fields{detail::media_type(path)};
    fields.disposition = disposition;
    file(detail::open_to_serve(path), fields);
}

}  // namespace kvolt

#endif
