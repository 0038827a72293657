// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "json/codec.h"
#include "routing/json_scanner.h"

namespace penstock::routing {
namespace {

bool accepts(std::string_view text) {
    JsonScanner scan(text);
    return scan.skip() && scan.finish();
}

TEST(JsonScannerProperty, WhatItWritesItReadsBack) {
    EXPECT_TRUE(rc::check([](const std::string& text) {
        std::string written;
        append_json_string(written, text);
        JsonScanner scan(written);
        JsonScanner::String value;
        RC_ASSERT(scan.read_string(value));
        RC_ASSERT(scan.finish());
        std::string again;
        append_json_string(again, scan.decode(value));
        RC_ASSERT(again == written);
    }));
}

// Damaging a valid text must never be read differently by the scanner and by the strict codec: both
// accept or both refuse (the codec also refuses repeated keys, which this text does not get).
TEST(JsonScannerProperty, AgreesWithTheCodecOnDamagedTexts) {
    const std::string valid =
        R"({"model":"m","messages":[{"role":"user","content":"h\u00e9 \ud83d\ude00 \"q\""}],"n":1,"t":-0.5e3,"x":[true,null,{}]})";
    EXPECT_TRUE(rc::check([&](std::uint8_t byte) {
        std::string text = valid;
        const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
        switch (*rc::gen::inRange(0, 3)) {
            case 0:
                text[at] = static_cast<char>(byte);
                break;
            case 1:
                text.erase(at, 1);
                break;
            default:
                text.insert(at, 1, static_cast<char>(byte));
        }
        const bool codec = json::parse_value(text).has_value();
        const bool repeated =
            !codec && json::parse_value(text).error().message.find("twice") != std::string::npos;
        RC_PRE(!repeated);
        RC_ASSERT(accepts(text) == codec);
    }));
}

}  // namespace
}  // namespace penstock::routing
