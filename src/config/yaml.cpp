// SPDX-License-Identifier: Apache-2.0
#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>
#include <sstream>

namespace penstock::yaml {
namespace {

std::unexpected<Error> at(const YAML::Mark& mark, std::string message) {
    if (mark.is_null()) return fail(ErrorCode::invalid_argument, std::move(message));
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("line {}, column {}: {}", mark.line + 1, mark.column + 1, std::move(message))
    );
}

bool all_of(std::string_view text, std::string_view allowed) {
    return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

std::string_view without_sign(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    return text;
}

// [-+]? ( "." [0-9]+ | [0-9]+ ( "." [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_decimal(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789";
    text = without_sign(text);
    const std::size_t exponent = text.find_first_of("eE");
    if (exponent != std::string_view::npos) {
        if (!all_of(without_sign(text.substr(exponent + 1)), kDigits)) return false;
        text = text.substr(0, exponent);
    }
    const std::size_t point = text.find('.');
    if (point == std::string_view::npos) return all_of(text, kDigits);
    const std::string_view whole = text.substr(0, point);
    const std::string_view fraction = text.substr(point + 1);
    return (whole.empty() || all_of(whole, kDigits)) &&
           (fraction.empty() || all_of(fraction, kDigits)) && !(whole.empty() && fraction.empty());
}

template <class T>
std::optional<T> integer(std::string_view text, int base) {
    if (text.starts_with('+')) text.remove_prefix(1);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// A plain scalar in the 1.2 core schema; nothing for what would be a number but fits none.
std::optional<json::Value> read_plain(const std::string& text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
        return json::Value(nullptr);
    if (text == "true" || text == "True" || text == "TRUE") return json::Value(true);
    if (text == "false" || text == "False" || text == "FALSE") return json::Value(false);
    const bool hexadecimal =
        text.starts_with("0x") && all_of(text.substr(2), "0123456789abcdefABCDEF");
    const bool octal = text.starts_with("0o") && all_of(text.substr(2), "01234567");
    const std::string_view digits =
        hexadecimal || octal ? std::string_view(text).substr(2) : std::string_view(text);
    if (hexadecimal || octal || all_of(without_sign(text), "0123456789")) {
        const int base = hexadecimal ? 16 : octal ? 8 : 10;
        if (const auto value = integer<std::int64_t>(digits, base)) return json::Value(*value);
        if (const auto value = integer<std::uint64_t>(digits, base)) return json::Value(*value);
        return std::nullopt;
    }
    if (is_decimal(text)) {
        const double value = std::strtod(text.c_str(), nullptr);
        if (value - value != 0) return std::nullopt;
        return json::Value(value);
    }
    return json::Value(boost::json::string(text));
}

// The tree of yaml-cpp, whose aliases are shared nodes, into a JSON tree, which has none.
class Converter {
  public:
    explicit Converter(Lines& lines) : lines_(lines) {}

    Result<json::Value> convert(
        const YAML::Node& node, const std::string& path, std::size_t depth
    ) {
        if (++nodes_ > kNodesMax)
            return at(
                node.Mark(),
                fmt::format("the document has more than {} values, aliases expanded", kNodesMax)
            );
        if (depth > json::kDepthMax)
            return at(node.Mark(), fmt::format("more than {} levels of nesting", json::kDepthMax));
        if (!path.empty() && !node.Mark().is_null())
            lines_.emplace(path, static_cast<std::size_t>(node.Mark().line) + 1);
        switch (node.Type()) {
            case YAML::NodeType::Undefined:
            case YAML::NodeType::Null:
                return json::Value(nullptr);
            case YAML::NodeType::Scalar:
                return scalar(node);
            case YAML::NodeType::Sequence:
                return sequence(node, path, depth);
            case YAML::NodeType::Map:
                return map(node, path, depth);
        }
        return json::Value(nullptr);
    }

  private:
    static Result<json::Value> scalar(const YAML::Node& node) {
        const std::string& tag = node.Tag();
        const std::string& text = node.Scalar();
        if (tag == "!" || tag == "tag:yaml.org,2002:str")
            return json::Value(boost::json::string(text));
        if (tag != "?" && !tag.empty())
            return at(node.Mark(), fmt::format("the tag '{}' is not supported", tag));
        if (text == ".inf" || text == "-.inf" || text == "+.inf" || text == ".nan" ||
            text == ".Inf" || text == ".NaN")
            return at(node.Mark(), fmt::format("'{}' is not a number that can be used here", text));
        std::optional<json::Value> value = read_plain(text);
        if (!value)
            return at(
                node.Mark(),
                fmt::format("the number {} is too large; quote it if it is a text", text)
            );
        return *std::move(value);
    }
    Result<json::Value> sequence(
        const YAML::Node& node, const std::string& path, std::size_t depth
    ) {
        json::Array array;
        for (const YAML::Node& item : node)
            array.push_back(TRY(convert(item, fmt::format("{}[{}]", path, array.size()), depth + 1))
            );
        return array;
    }
    Result<json::Value> map(const YAML::Node& node, const std::string& path, std::size_t depth) {
        json::Object object;
        for (const auto& member : node) {
            const YAML::Node& key = member.first;
            if (!key.IsScalar()) return at(key.Mark(), "a key must be a plain text");
            const std::string& name = key.Scalar();
            if (name == "<<" && key.Tag() == "?")
                return at(key.Mark(), "merge keys (<<) are not supported: write the fields out");
            if (object.contains(name))
                return at(key.Mark(), fmt::format("the key '{}' is given twice", name));
            const std::string member_path = path.empty() ? name : path + "." + name;
            // The line of the key: an unknown one has no other.
            lines_.emplace(member_path, static_cast<std::size_t>(key.Mark().line) + 1);
            object.emplace(name, TRY(convert(member.second, member_path, depth + 1)));
        }
        return object;
    }

    Lines& lines_;
    std::size_t nodes_ = 0;
};

// yaml-cpp's own message for a tab tells nothing of tabs.
std::optional<std::size_t> line_with_tab_indent(std::string_view text) {
    std::size_t number = 1;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        const std::size_t first = line.find_first_not_of(' ');
        if (first != std::string_view::npos && line[first] == '\t' &&
            line.find_first_not_of(" \t\r") != std::string_view::npos)
            return number;
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
    }
    return std::nullopt;
}

class DocumentStarts final : public YAML::EventHandler {
  public:
    std::optional<YAML::Mark> last;

  private:
    void OnDocumentStart(const YAML::Mark& mark) override { last = mark; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&)
        override {}
    void OnSequenceStart(
        const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value
    ) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(
        const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value
    ) override {}
    void OnMapEnd() override {}
};

// Where a second document begins. No further: of what is no document, like ",", yaml-cpp makes
// endlessly many empty ones (and LoadAll keeps them all).
std::optional<YAML::Mark> second_document(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    DocumentStarts starts;
    if (!parser.HandleNextDocument(starts)) return std::nullopt;
    starts.last.reset();
    return parser.HandleNextDocument(starts) ? starts.last : std::nullopt;
}

// A comma where no value begins is a second document to yaml-cpp.
std::string name_second_document(std::string_view text, const YAML::Mark& mark) {
    const auto begin = static_cast<std::size_t>(mark.pos);
    if (begin < text.size() && text[begin] == ',') return "no key or value begins with ','";
    return "a second document; only one is read";
}

Result<json::Value> parse_with_lines(std::string_view text, Lines& lines) {
    if (text.size() > kBytesMax)
        return fail(
            ErrorCode::resource_exhausted,
            fmt::format("the document is larger than {} bytes", kBytesMax)
        );
    if (text.contains('\0'))
        return fail(ErrorCode::invalid_argument, "the document contains a NUL byte");
    try {
        const std::string whole(text);
        if (const std::optional<YAML::Mark> second = second_document(whole))
            return at(*second, name_second_document(whole, *second));
        return Converter(lines).convert(YAML::Load(whole), "", 0);
    } catch (const YAML::Exception& error) {
        if (const auto line = line_with_tab_indent(text))
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("line {}: indented with a tab; YAML allows spaces only", *line)
            );
        return at(error.mark, error.msg);
    }
}

bool plain_is_safe(const std::string& text) {
    constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@` \t";
    constexpr std::string_view kDocumentMarks = ".";
    if (text.empty() || kIndicators.contains(text.front()) || kDocumentMarks.contains(text.front()))
        return false;
    if (text.back() == ' ' || text.back() == ':' || text == "<<") return false;
    if (text.contains(": ") || text.contains(" #") || text.starts_with("---")) return false;
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F)
            return false;
    const std::optional<json::Value> read = read_plain(text);
    if (!read || !read->is_string()) return false;
    // Other readers still follow YAML 1.1, where these are not texts.
    static constexpr std::array<std::string_view, 8> kOldWords = {"yes", "no", "on",  "off",
                                                                  "y",   "n",  "inf", "nan"};
    std::string lower = text;
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    if (std::ranges::find(kOldWords, lower) != kOldWords.end()) return false;
    // Dates, versions, times: texts here, but not to everybody.
    return !(text.front() >= '0' && text.front() <= '9') && text.front() != '+' &&
           text.front() != '=';
}

bool fits_block(std::string_view text) {
    // A literal block keeps these as they are: lines of printable text that end in one line break.
    if (!text.contains('\n') || !text.ends_with('\n') || text.ends_with("\n\n") ||
        text.front() == '\n' || text.front() == ' ')
        return false;
    return std::ranges::all_of(
               text, [](char c) { return c == '\n' || static_cast<unsigned char>(c) >= 0x20; }
           ) &&
           !text.contains('\x7F') && !text.contains("\n ") &&
           std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

class Printer {
  public:
    // `inline_first`: the first line continues one that has a key or a dash on it.
    void print(const json::Value& value, std::size_t indent, bool after_key) {
        if (const json::Object* object = value.if_object(); object != nullptr && !object->empty()) {
            if (after_key) out_ += '\n';
            bool first = !after_key;
            for (const auto& [key, member] : *object) {
                if (!std::exchange(first, false)) out_.append(indent, ' ');
                out_ += scalar(std::string(key)) + ":";
                member_value(member, indent);
            }
        } else if (const json::Array* array = value.if_array();
                   array != nullptr && !array->empty()) {
            if (after_key) out_ += '\n';
            bool first = !after_key;
            for (const json::Value& item : *array) {
                if (!std::exchange(first, false)) out_.append(indent, ' ');
                out_ += "- ";
                print(item, indent + 2, false);
            }
        } else {
            if (after_key) out_ += ' ';
            out_ += leaf(value, indent) + "\n";
        }
    }
    std::string take() { return std::move(out_); }

  private:
    void member_value(const json::Value& member, std::size_t indent) {
        print(member, indent + 2, true);
    }

    static std::string scalar(const std::string& text) {
        return plain_is_safe(text) ? text : boost::json::serialize(boost::json::string(text));
    }
    static std::string leaf(const json::Value& value, std::size_t indent) {
        const auto* text = value.if_string();
        if (text == nullptr) return boost::json::serialize(value);
        if (!fits_block(*text)) return scalar(std::string(*text));
        std::string block = "|";
        std::string_view left(*text);
        while (!left.empty()) {
            const std::size_t end = left.find('\n');
            block += '\n';
            if (end > 0)
                block.append(std::max<std::size_t>(indent, 2), ' ').append(left.substr(0, end));
            left.remove_prefix(end + 1);
        }
        return block;
    }
    std::string out_;
};

}  // namespace

Document::Document(std::unique_ptr<json::Value> value, Lines lines)
    : value_(std::move(value)), lines_(std::move(lines)) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Result<Document> Document::parse(std::string_view text) {
    Lines lines;
    auto value = std::make_unique<json::Value>(TRY(parse_with_lines(text, lines)));
    return Document(std::move(value), std::move(lines));
}

Result<json::Value> parse(std::string_view text) {
    Lines lines;
    return parse_with_lines(text, lines);
}

std::string print(const json::Value& value) {
    Printer printer;
    printer.print(value, 0, false);
    return printer.take();
}

}  // namespace penstock::yaml
