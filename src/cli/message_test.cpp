// SPDX-License-Identifier: Apache-2.0
#include "cli/message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "cli/messages_zh.h"

namespace penstock::cli {
namespace {

// "key {}×n" for every text, so that a difference shows which one it is.
template <class Messages>
std::string outline(const Messages& messages) {
    std::map<std::string_view, int> holes;
    for (const Message& message : messages) {
        int count = 0;
        for (std::size_t at = 0; (at = message.text.find("{}", at)) != std::string_view::npos;
             at += 2)
            ++count;
        holes[message.key] = count;
    }
    std::string lines;
    for (const auto& [key, count] : holes)
        lines += std::string(key) + " " + std::to_string(count) + "\n";
    return lines;
}

TEST(Messages, BothLanguagesHaveTheSameKeysWithTheSameHoles) {
    EXPECT_EQ(outline(kMessagesEn), outline(messages_zh()));
}

TEST(Messages, EveryKeyStandsOnceAndInOrder) {
    EXPECT_TRUE(std::ranges::is_sorted(kMessagesEnButFlags, {}, &Message::key));
    EXPECT_TRUE(std::ranges::is_sorted(kMessagesEnOfFlags, {}, &Message::key));
    std::vector<Message> all(kMessagesEn.begin(), kMessagesEn.end());
    std::ranges::sort(all, {}, &Message::key);
    EXPECT_EQ(std::ranges::adjacent_find(all, {}, &Message::key), all.end());
}

TEST(Messages, FillsTheHoles) {
    EXPECT_EQ(format(Language::en, "list.shown", 10, 99), "Shown 10 of 99");
    EXPECT_EQ(format(Language::zh, "list.shown", 10, 99), "显示 10 条，共 99 条");
}

}  // namespace
}  // namespace penstock::cli
