#ifndef KVOLT_DETAIL_MIDDLEWARE_METRICS_TEXT_HPP
#define KVOLT_DETAIL_MIDDLEWARE_METRICS_TEXT_HPP

// The text format of Prometheus, version 0.0.4.

#include <kvolt/detail/core/utf8.hpp>

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

class MetricsText {
public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// Begin a family of samples.
    ///
    /// @param type  `counter`, `gauge` or `histogram`.
    void family(std::string_view name, std::string_view type, std::string_view help) {
        ((text_ += "# HELP ") += name) += ' ';
        append_escaped(help, false);
        (((text_ += "\n# TYPE ") += name) += ' ') += type;
        text_ += '\n';
    }

    void sample(std::string_view name, Labels labels, std::uint64_t value) {
        begin(name, labels);
        text_ += std::to_string(value);
        text_ += '\n';
    }

    void sample(std::string_view name, Labels labels, double value) {
        begin(name, labels);
        text_ += number(value);
        text_ += '\n';
    }

    /// The shortest text that means this number.
    static std::string number(double value) {
        char digits[32];
        return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    }

    std::string take() { return std::move(text_); }

private:
    void begin(std::string_view name, Labels labels) {
        text_ += name;
        char separator = '{';
        for (const auto& [label, value] : labels) {
            ((text_ += separator) += label) += "=\"";
            append_escaped(value, true);
            text_ += '"';
            separator = ',';
        }
        text_ += labels.size() > 0 ? "} " : " ";
    }

    void append_escaped(std::string_view text, bool quotes) {
        for (char c : utf8_text(text)) {
            if (c == '\n') {
                text_ += "\\n";
                continue;
            }
            if (c == '\\' || (quotes && c == '"')) text_ += '\\';
            text_ += c;
        }
    }

    std::string text_;
};

}  // namespace kvolt::detail

#endif
