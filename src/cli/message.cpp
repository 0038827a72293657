// SPDX-License-Identifier: Apache-2.0
#include "cli/message.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "cli/messages_zh.h"

namespace penstock::cli {
namespace {

using Texts = std::array<std::string_view, std::size(kMessagesEn)>;

// The Chinese texts in the order of the English ones, so that a key is one index for both.
const Texts& chinese() {
    static const Texts kTexts = [] {
        Texts texts;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto found = std::ranges::find(messages_zh(), kMessagesEn[i].key, &Message::key);
            CHECK(found != messages_zh().end(), "a test compares the keys of both catalogues");
            texts[i] = found->text;
        }
        return texts;
    }();
    return kTexts;
}

}  // namespace

std::optional<Language> parse_language(std::string_view text) {
    if (text == "en") return Language::en;
    if (text == "zh") return Language::zh;
    return std::nullopt;
}

std::string_view text(Language language, MessageKey key) {
    return language == Language::zh ? chinese()[key.index()] : kMessagesEn[key.index()].text;
}

std::optional<std::string_view> find_text(Language language, std::string_view key) {
    const auto found = std::ranges::find(kMessagesEn, key, &Message::key);
    if (found == std::end(kMessagesEn)) return std::nullopt;
    return language == Language::zh
               ? chinese()[static_cast<std::size_t>(found - kMessagesEn.begin())]
               : found->text;
}

}  // namespace penstock::cli
