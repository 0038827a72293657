// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::tokenizer {

using TokenId = std::uint32_t;

constexpr std::size_t kFileBytesMax = 256U << 20;   // of a tokenizer.json, or the head of a GGUF
constexpr std::size_t kStoredBytesMax = 64U << 20;  // of one that a platform keeps for its gateways
constexpr std::size_t kTextBytesMax = 64U << 20;
constexpr std::size_t kTokensMax = 4'000'000;

// Whether "<|im_start|>" in the text is one token, or the letters that a user typed.
enum class SpecialTokens : std::uint8_t { as_text, recognised };

// Immutable once made; may be shared between threads.
class Tokenizer {
  public:
    // The whole text of a tokenizer.json, or the beginning of a GGUF file (its metadata; the
    // weights behind them are not needed). invalid_argument with the path inside the file when it
    // is malformed, or when it names a step that is not implemented here.
    static Result<Tokenizer> from_hugging_face(std::string_view json);
    static Result<Tokenizer> from_gguf(std::string_view bytes);
    // Whichever of the two it is, by its first bytes.
    static Result<Tokenizer> from_file(std::string_view bytes);

    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;
    ~Tokenizer();

    // Without tokens that a model puts around a text (begin, end). `text` is UTF-8;
    // invalid_argument where it is not, resource_exhausted above kTextBytesMax.
    Result<std::vector<TokenId>> encode(std::string_view text, SpecialTokens special) const;
    Result<std::int64_t> count(std::string_view text, SpecialTokens special) const;

    std::size_t size() const;  // tokens of the vocabulary, added ones included

  private:
    struct Parts;
    explicit Tokenizer(std::unique_ptr<const Parts> parts);
    std::unique_ptr<const Parts> parts_;
};

}  // namespace penstock::tokenizer
