// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "cli/messages_en.h"

namespace penstock::cli {

enum class Language : std::uint8_t { en, zh };
std::optional<Language> parse_language(std::string_view text);  // "zh", "en"

// Names a text of the catalogue. An unknown key does not compile.
class MessageKey {
  public:
    consteval MessageKey(const char* key) : index_(index_of(key)) {}
    std::size_t index() const { return index_; }
    std::string_view key() const { return kMessagesEn[index_].key; }

  private:
    static consteval std::size_t index_of(std::string_view key) {
        for (std::size_t i = 0; i < std::size(kMessagesEn); ++i)
            if (kMessagesEn[i].key == key) return i;
        throw "this key is not in cli/messages_en.h";
    }
    std::size_t index_;
};

std::string_view text(Language language, MessageKey key);
// The text of a key made at run time; nothing when there is none.
std::optional<std::string_view> find_text(Language language, std::string_view key);

// The text with its {} filled in.
template <class... Args>
std::string format(Language language, MessageKey key, const Args&... args) {
    return fmt::vformat(text(language, key), fmt::make_format_args(args...));
}

}  // namespace penstock::cli
