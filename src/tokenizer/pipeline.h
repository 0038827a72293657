// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/charsmap.h"
#include "tokenizer/merges.h"
#include "tokenizer/scored_merges.h"
#include "tokenizer/unigram.h"
#include "tokenizer/words.h"

namespace penstock::tokenizer {

// A pattern in PCRE2's syntax, with Unicode properties; matches are found from left to right.
class Pattern {
  public:
    // invalid_argument with the place in the pattern.
    static Result<Pattern> compile(const std::string& pattern);
    static Pattern literal(std::string text);

    // Calls `on_match(begin, end)` for each match that is not empty. resource_exhausted when the
    // pattern takes too many steps on this text.
    Result<void> each(
        std::string_view text, const std::function<void(std::size_t, std::size_t)>& on_match
    ) const;

  private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;  // shared: a Pattern is copied with its step
    std::string literal_;
};

// A step on the text between two added tokens.
using Normalizer = std::function<Result<std::string>(std::string text)>;
enum class Form : std::uint8_t { nfc, nfd, nfkc, nfkd };  // of Unicode's normal forms
Normalizer normalize_to(Form form);
Normalizer prepend(std::string text);
Normalizer replace(Pattern pattern, std::string with);
Normalizer lower_case();
Normalizer strip_space(bool left, bool right);
Normalizer strip_marks();  // accents that stand as characters of their own
struct BertOptions {
    bool cleans = true;         // control characters go, white space becomes spaces
    bool parts_chinese = true;  // a space on both sides of each ideograph
    bool strips_accents = true;
    bool lowers = true;
};
Normalizer normalize_as_bert(BertOptions options);
// As Hugging Face's library applies the table: grapheme by grapheme, the shortest match first.
Normalizer replace_by(Charsmap map);

// Cuts a piece into smaller ones, or changes it. `first`: it begins where the whole input begins.
using Pieces = std::vector<std::string>;
using Splitter = std::function<Result<void>(std::string_view piece, bool first, Pieces& out)>;

enum class Matches : std::uint8_t { isolated, removed };  // what becomes of them
// `invert`: what matches is kept and what lies between is what is isolated or removed.
Splitter split_by(Pattern pattern, Matches matches, bool invert);
// Spaces become `mark`; pieces begin at each mark when `split` is set.
enum class Prepend : std::uint8_t { never, first, always };
Splitter split_at_marks(std::string mark, Prepend prepend, bool split);
Splitter prepend_space();  // where the text does not begin with one

// In PCRE2's syntax: Unicode's property White_Space, and what Hugging Face's library calls
// punctuation (all of ASCII's marks, and Unicode's categories P).
inline constexpr const char* kSpacePattern =
    R"([\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}])";
inline constexpr const char* kPunctuationPattern = R"([!-/:-@\[-`{-~]|\p{P})";

// The pattern of GPT-2's byte level pre-tokenizer.
inline constexpr const char* kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct AddedToken {
    std::string text;
    TokenId id = 0;
    bool special = false;
    bool strips_left = false;  // whitespace beside it belongs to it
    bool strips_right = false;
};

// What makes tokens of a piece.
using Model = std::variant<Merges, Unigram, WordPiece, WordLevel, ScoredMerges>;

struct Pipeline {
    std::vector<AddedToken> added;
    std::vector<Normalizer> normalizers;
    std::vector<Splitter> splitters;
    Model model;
    std::size_t size = 0;
    // A space goes before the text and before what follows an added token, as in llama.cpp.
    bool spaces_texts = false;

    void index_added();  // once `added` is complete
    Result<void> encode(std::string_view text, SpecialTokens special, std::vector<TokenId>& out)
        const;

  private:
    Result<void> encode_plain(std::string_view text, bool first, std::vector<TokenId>& out) const;
    const AddedToken* next_added(
        std::string_view text, std::size_t from, SpecialTokens special, std::size_t& at
    ) const;

    std::array<std::vector<std::size_t>, 256> added_by_first_byte_;
};

// Text of a byte-level vocabulary, in which each byte stands as one printable character, as bytes;
// nothing when it has other characters.
std::optional<std::string> bytes_of_byte_level(std::string_view text);

// Bytes of white space (Unicode's property White_Space) that a text begins and ends with.
std::size_t space_before(std::string_view text);
std::size_t space_after(std::string_view text);
bool valid_utf8(std::string_view text);
// Length in bytes of the character that begins at `text[at]`; the text is valid UTF-8.
std::size_t character_length(std::string_view text, std::size_t at);
char32_t character_at(std::string_view text, std::size_t at);
void append_character(std::string& out, char32_t character);
bool is_space(char32_t character);      // Unicode's property White_Space
bool is_ideograph(char32_t character);  // of the blocks that BERT parts

Result<Pipeline> read_hugging_face(std::string_view json);
Result<Pipeline> read_gguf(std::string_view bytes);

}  // namespace penstock::tokenizer
