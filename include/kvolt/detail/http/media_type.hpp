#ifndef KVOLT_DETAIL_HTTP_MEDIA_TYPE_HPP
#define KVOLT_DETAIL_HTTP_MEDIA_TYPE_HPP

#include <kvolt/detail/core/list.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// What a file's name says about its content, as the Content-Type field says it; text is taken for UTF-8.
inline std::string_view media_type(std::string_view path) {
    struct Entry {
        std::string_view extension, type;
    };
    static constexpr Entry table[] = {
        {"7z", "application/x-7z-compressed"},
        {"aac", "audio/aac"},
        {"apng", "image/apng"},
        {"atom", "application/atom+xml"},
        {"avi", "video/x-msvideo"},
        {"avif", "image/avif"},
        {"bmp", "image/bmp"},
        {"br", "application/octet-stream"},
        {"bz2", "application/x-bzip2"},
        {"c", "text/plain; charset=utf-8"},
        {"cjs", "text/javascript; charset=utf-8"},
        {"conf", "text/plain; charset=utf-8"},
        {"cpp", "text/plain; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"doc", "application/msword"},
        {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {"eot", "application/vnd.ms-fontobject"},
        {"epub", "application/epub+zip"},
        {"flac", "audio/flac"},
        {"geojson", "application/geo+json"},
        {"gif", "image/gif"},
        {"glb", "model/gltf-binary"},
        {"gltf", "model/gltf+json"},
        {"gz", "application/gzip"},
        {"h", "text/plain; charset=utf-8"},
        {"heic", "image/heic"},
        {"hpp", "text/plain; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"html", "text/html; charset=utf-8"},
        {"ico", "image/x-icon"},
        {"ics", "text/calendar; charset=utf-8"},
        {"jpeg", "image/jpeg"},
        {"jpg", "image/jpeg"},
        {"js", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"jsonld", "application/ld+json"},
        {"jxl", "image/jxl"},
        {"log", "text/plain; charset=utf-8"},
        {"m3u8", "application/vnd.apple.mpegurl"},
        {"m4a", "audio/mp4"},
        {"m4v", "video/mp4"},
        {"map", "application/json"},
        {"md", "text/markdown; charset=utf-8"},
        {"mid", "audio/midi"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"mkv", "video/x-matroska"},
        {"mov", "video/quicktime"},
        {"mp3", "audio/mpeg"},
        {"mp4", "video/mp4"},
        {"mpd", "application/dash+xml"},
        {"mpeg", "video/mpeg"},
        {"mpg", "video/mpeg"},
        {"odp", "application/vnd.oasis.opendocument.presentation"},
        {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
        {"odt", "application/vnd.oasis.opendocument.text"},
        {"oga", "audio/ogg"},
        {"ogg", "audio/ogg"},
        {"ogv", "video/ogg"},
        {"opus", "audio/ogg"},
        {"otf", "font/otf"},
        {"pdf", "application/pdf"},
        {"png", "image/png"},
        {"ppt", "application/vnd.ms-powerpoint"},
        {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
        {"rar", "application/vnd.rar"},
        {"rss", "application/rss+xml"},
        {"rtf", "application/rtf"},
        {"svg", "image/svg+xml"},
        {"tar", "application/x-tar"},
        {"tgz", "application/gzip"},
        {"tif", "image/tiff"},
        {"tiff", "image/tiff"},
        {"ts", "video/mp2t"},
        {"ttf", "font/ttf"},
        {"txt", "text/plain; charset=utf-8"},
        {"vtt", "text/vtt; charset=utf-8"},
        {"wasm", "application/wasm"},
        {"wav", "audio/wav"},
        {"weba", "audio/webm"},
        {"webm", "video/webm"},
        {"webmanifest", "application/manifest+json"},
        {"webp", "image/webp"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
        {"xhtml", "application/xhtml+xml"},
        {"xls", "application/vnd.ms-excel"},
        {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"xml", "application/xml"},
        {"xz", "application/x-xz"},
        {"yaml", "application/yaml"},
        {"yml", "application/yaml"},
        {"zip", "application/zip"},
        {"zst", "application/zstd"},
    };
    static_assert(std::is_sorted(std::begin(table), std::end(table),
                                 [](const Entry& a, const Entry& b) { return a.extension < b.extension; }));
    constexpr std::string_view unknown = "application/octet-stream";
    std::string_view name = path.substr(path.rfind('/') + 1);
    std::size_t dot = name.rfind('.');
    if (dot == name.npos || dot == 0) return unknown;
    std::string extension = lowered(name.substr(dot + 1));
    auto entry = std::lower_bound(std::begin(table), std::end(table), extension,
                                  [](const Entry& a, const std::string& b) { return a.extension < b; });
    return entry != std::end(table) && entry->extension == extension ? entry->type : unknown;
}

/// True if content of this type gets much smaller by compression: text, and what is text at heart.
inline bool is_compressible(std::string_view content_type) {
    std::string type = lowered(trimmed(content_type.substr(0, content_type.find(';'))));
    if (type.starts_with("text/") || type.ends_with("+json") || type.ends_with("+xml")) return true;
    for (std::string_view known :
         {"application/json", "application/x-ndjson", "application/xml", "application/yaml", "application/wasm",
          "application/rtf", "application/vnd.apple.mpegurl", "application/javascript", "application/vnd.ms-fontobject",
          "font/otf", "font/ttf", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon"})
        if (type == known) return true;
    return false;
}

}  // namespace kvolt::detail

#endif
