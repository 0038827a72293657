// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "identity/c_url_error.h"
#include "identity/character.h"

namespace penstock::identity {

// One piece of a C-URL and where it stands in the whole text.
struct Token {
    std::string_view text;
    std::size_t position = 0;

    bool empty() const { return text.empty(); }
    // Without the first `count` octets; shorter tokens become empty.
    Token after(std::size_t count) const {
        count = count < text.size() ? count : text.size();
        return {text.substr(count), position + count};
    }
    // Cuts off and returns what stands before the next `separator`. What stands behind it stays;
    // `more` tells whether there was one, so that a trailing separator yields a last empty token.
    Token cut(char separator, bool& more) {
        const std::size_t found = text.find(separator);
        more = found != std::string_view::npos;
        const Token head{text.substr(0, found), position};
        *this = after(more ? found + 1 : text.size());
        return head;
    }
    // Length within [min, max], first octet of the one set, the others of the other.
    bool matches(std::size_t min, std::size_t max, CharacterSet first, CharacterSet rest) const {
        return text.size() >= min && text.size() <= max && (text.empty() || first.holds(text[0])) &&
               rest.holds_all(after(1).text);
    }
};

// Collects the verdict on one section of a text: the first syntax error ends it; the first breach
// of canonical form is remembered and told only when the syntax of the section is right.
// Internal to the parser. Functions return false once an error is set.
class Verdict {
  public:
    explicit Verdict(CUrlErrorCode syntax_code) : syntax_code_(syntax_code) {}

    bool malformed(const Token& at, std::string message, std::string remedy) {
        return refuse(syntax_code_, at, std::move(message), std::move(remedy));
    }
    bool refuse(CUrlErrorCode code, const Token& at, std::string message, std::string remedy) {
        error_ = CUrlError{code, at.position, std::move(message), std::move(remedy)};
        return false;
    }
    bool refuse(CUrlError error) {
        error_ = std::move(error);
        return false;
    }
    void not_canonical(const Token& at, std::string message, std::string remedy) {
        if (!untidy_)
            untidy_ = CUrlError{
                CUrlErrorCode::not_canonical, at.position, std::move(message), std::move(remedy)
            };
    }
    // Ends a section of right syntax.
    bool close() {
        if (untidy_) error_ = std::move(untidy_);
        return !error_;
    }
    // A number of 1 to `digits_max` digits within [1, max].
    std::optional<std::uint64_t> number(
        const Token& token, std::size_t digits_max, std::uint64_t max, std::string_view what
    );
    CUrlError take_error() {
        CHECK(error_.has_value(), "asked only after a reader returned false");
        return *std::move(error_);
    }

  private:
    CUrlErrorCode syntax_code_;
    std::optional<CUrlError> error_;
    std::optional<CUrlError> untidy_;
};

}  // namespace penstock::identity
