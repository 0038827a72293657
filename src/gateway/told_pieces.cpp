// SPDX-License-Identifier: Apache-2.0
#include "gateway/told_pieces.h"

namespace penstock::gateway {
namespace {

using dialects::StreamEvent;
using Kind = StreamEvent::Kind;
using PartKind = dialects::Part::Kind;
using Side = routing::AnswerTexts::Side;

void count(const StreamEvent& event, routing::DeltaCount& pieces) {
    if (event.text.empty()) return;
    if (event.part_kind == PartKind::reasoning)
        ++pieces.reasoning;
    else
        ++pieces.visible;
}

void add_text(const StreamEvent& event, routing::AnswerTexts& texts) {
    if (event.kind == Kind::part_start) return texts.add(event.choice, Side::visible, event.name);
    const bool reasons = event.part_kind == PartKind::reasoning;
    texts.add(event.choice, reasons ? Side::reasoning : Side::visible, event.text);
}

bool names_call(const StreamEvent& event) {
    return event.kind == Kind::part_start && event.part_kind == PartKind::tool_call;
}

}  // namespace

// What only the engine's dialect knows is told where bytes pass through.
bool ToldPieces::is_told(const StreamEvent& event) const {
    const bool native = event.part_kind == PartKind::native;
    return event.kind == Kind::delta && !(native && converts_);
}

bool ToldPieces::is_kept(const StreamEvent& event) const {
    return whole_calls_ && event.part_kind == PartKind::tool_call;
}

routing::DeltaCount ToldPieces::untold(const dialects::StreamFrame& frame) const {
    routing::DeltaCount pieces{.visible = kept_};
    for (const StreamEvent& event : frame.events)
        if (is_told(event)) count(event, pieces);
    return pieces;
}

void ToldPieces::keep(const StreamEvent& event, bool with_text) {
    KeptCall& call = calls_[{event.choice, event.part}];
    const std::string& said = event.kind == Kind::part_start ? event.name : event.text;
    if (with_text) call.text += said;
    if (event.kind != Kind::delta || said.empty()) return;
    ++call.pieces;
    ++kept_;
}

routing::DeltaCount ToldPieces::tell(
    const dialects::StreamFrame& frame, routing::AnswerTexts* texts
) {
    routing::DeltaCount told;
    for (const StreamEvent& event : frame.events) {
        if (is_kept(event) && event.kind == Kind::part_end) {
            const auto over = calls_.extract({event.choice, event.part});
            if (over.empty()) continue;
            const KeptCall& call = over.mapped();
            told.visible += call.pieces;
            kept_ -= call.pieces;
            if (texts != nullptr) texts->add(event.choice, Side::visible, call.text);
            continue;
        }
        if (!names_call(event) && !is_told(event)) continue;
        if (is_kept(event)) {
            keep(event, texts != nullptr);
            continue;
        }
        if (event.kind == Kind::delta) count(event, told);
        if (texts != nullptr) add_text(event, *texts);
    }
    return told;
}

}  // namespace penstock::gateway
