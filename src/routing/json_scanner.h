// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::routing {

// Bytes [begin, end) of the text being scanned.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool empty() const { return begin == end; }
    std::size_t size() const { return end - begin; }
    bool operator==(const Span&) const = default;
};

// Walks over one JSON text without building a tree: constant memory however long the text is, and
// the place of every value is known, so that a few of them can be replaced and all other bytes
// kept. Errors stick: after the first one every call answers false, and problem() says what and
// where.
//     JsonScanner scan(text);
//     JsonScanner::String key;
//     if (scan.enter_object())
//         while (scan.next_member(key)) …read or skip the value…
//     if (!scan.finish()) return bad(scan.problem());
class JsonScanner {
  public:
    static constexpr std::size_t kDepthMax = 128;
    // A client's text must be valid UTF-8 without lone surrogates, since it is passed on to parsers
    // that may differ; an engine's text is forgiven both, since the client is the judge of it.
    enum class Text : std::uint8_t { strict, lenient };
    enum class Kind : std::uint8_t { object, array, string, number, boolean, null, none };
    // The text between the quotes.
    struct String : Span {
        bool escaped = false;
    };

    explicit JsonScanner(std::string_view text, Text mode = Text::strict)
        : text_(text), mode_(mode) {}

    // What comes next; `none` at the end of the text or before what no value begins with.
    Kind peek();
    bool enter_object();
    // False at the end of the object and after an error.
    bool next_member(String& key);
    bool enter_array();
    bool next_element();
    bool read_string(String& out);
    // Nothing where the value is another number than a whole one of 64 bits, or no number; the
    // value has been skipped then, unless failed().
    std::optional<std::int64_t> read_integer();
    std::optional<bool> read_boolean();
    // Any value; its place goes to `span`.
    bool skip(Span* span = nullptr);
    // Nothing but white space is left.
    bool finish();

    bool failed() const { return problem_ != nullptr; }
    // "expected ':' at byte 17"
    std::string problem() const;
    std::size_t offset() const { return at_; }
    std::string_view text() const { return text_; }

    std::string_view raw(Span span) const { return text_.substr(span.begin, span.size()); }
    // The string's value; lone surrogates become U+FFFD.
    std::string decode(const String& string) const;
    std::size_t decoded_size(const String& string) const;
    bool equals(const String& string, std::string_view text) const {
        return string.escaped ? decode(string) == text : raw(string) == text;
    }

  private:
    bool fail(const char* problem);
    void skip_space();
    std::size_t skip_plain(std::size_t at) const;
    bool scan_string(String& out);
    bool scan_escape(std::size_t& at);
    bool scan_number();
    bool scan_word(std::string_view word);
    bool enter(char bracket);
    bool next_item(char closing);

    std::string_view text_;
    Text mode_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::array<bool, kDepthMax> first_{};
    const char* problem_ = nullptr;
};

// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
// At most `bytes_max` bytes of it, ended between two characters. Invalid UTF-8 becomes U+FFFD.
std::string clip_text(std::string_view text, std::size_t bytes_max);

}  // namespace penstock::routing
