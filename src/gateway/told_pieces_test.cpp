// SPDX-License-Identifier: Apache-2.0
#include "gateway/told_pieces.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::StreamEvent;
using Kind = StreamEvent::Kind;
using PartKind = dialects::Part::Kind;
using routing::DeltaCount;
using Side = routing::AnswerTexts::Side;

StreamEvent event(Kind kind, std::int64_t part, PartKind part_kind, std::string text = {}) {
    StreamEvent made = dialects::event_of(kind);
    made.part = part;
    made.part_kind = part_kind;
    (kind == Kind::part_start ? made.name : made.text) = std::move(text);
    return made;
}

dialects::StreamFrame frame(std::vector<StreamEvent> events) {
    dialects::StreamFrame made;
    made.events = std::move(events);
    return made;
}

const dialects::StreamFrame kBegun = frame(
    {event(Kind::delta, 0, PartKind::text, "Let me look."),
     event(Kind::part_start, 1, PartKind::tool_call, "find"),
     event(Kind::delta, 1, PartKind::tool_call, "{\"q\":"),
     event(Kind::part_start, 2, PartKind::tool_call, "go"),
     event(Kind::delta, 2, PartKind::tool_call, "{}")}
);
const dialects::StreamFrame kFirstOver = frame(
    {event(Kind::delta, 1, PartKind::tool_call, "1}"), event(Kind::part_end, 1, PartKind::tool_call)
    }
);
const dialects::StreamFrame kSecondOver = frame({event(Kind::part_end, 2, PartKind::tool_call)});

TEST(ToldPieces, ACallIsToldWithItsEndWhereOllamasClientsGetItWhole) {
    ToldPieces told(Dialect::chat, Dialect::ollama);
    routing::AnswerTexts texts;

    EXPECT_EQ(told.untold(kBegun), (DeltaCount{.visible = 3}));
    EXPECT_EQ(told.tell(kBegun, &texts), (DeltaCount{.visible = 1}));
    EXPECT_EQ(texts.texts().at({0, Side::visible}), "Let me look.");
    EXPECT_EQ(told.untold(kFirstOver), (DeltaCount{.visible = 3}));
    EXPECT_EQ(told.tell(kFirstOver, &texts), (DeltaCount{.visible = 2}));
    EXPECT_EQ(texts.texts().at({0, Side::visible}), "Let me look.find{\"q\":1}");
    EXPECT_EQ(told.tell(kSecondOver, &texts), (DeltaCount{.visible = 1}));
    EXPECT_EQ(texts.texts().at({0, Side::visible}), "Let me look.find{\"q\":1}go{}");
    EXPECT_TRUE(told.untold(kSecondOver).empty());
    EXPECT_TRUE(told.tell(kSecondOver, &texts).empty()) << "it was over";
}

TEST(ToldPieces, OtherClientsAndOtherEnginesTellACallAsItComes) {
    for (const auto& [engine, client] :
         {std::pair{Dialect::chat, Dialect::anthropic}, {Dialect::ollama, Dialect::ollama}}) {
        ToldPieces told(engine, client);
        routing::AnswerTexts texts;
        EXPECT_EQ(told.tell(kBegun, &texts), (DeltaCount{.visible = 3}));
        EXPECT_EQ(texts.texts().at({0, Side::visible}), "Let me look.find{\"q\":go{}");
        EXPECT_EQ(told.tell(kFirstOver, nullptr), (DeltaCount{.visible = 1}));
        EXPECT_TRUE(told.untold(kSecondOver).empty());
    }
}

TEST(ToldPieces, WhatOnlyTheEnginesDialectKnowsIsToldWhereBytesPassThrough) {
    const dialects::StreamFrame said = frame(
        {event(Kind::delta, 0, PartKind::native, "x"),
         event(Kind::delta, 1, PartKind::reasoning, "hm")}
    );
    EXPECT_EQ(
        ToldPieces(Dialect::anthropic, Dialect::chat).tell(said, nullptr),
        (DeltaCount{.reasoning = 1})
    );
    EXPECT_EQ(
        ToldPieces(Dialect::anthropic, Dialect::anthropic).tell(said, nullptr),
        (DeltaCount{.visible = 1, .reasoning = 1})
    );
}

}  // namespace
}  // namespace penstock::gateway
