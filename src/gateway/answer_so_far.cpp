// SPDX-License-Identifier: Apache-2.0
#include "gateway/answer_so_far.h"

#include <algorithm>

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::StreamEvent;
using Kind = StreamEvent::Kind;
using PartKind = dialects::Part::Kind;

// Another than the client's, so that the dialect is written from the canonical form alone.
Dialect foreign_to(Dialect client) {
    return client == Dialect::chat ? Dialect::ollama : Dialect::chat;
}

std::string_view obstacle_of(PartKind kind) {
    switch (kind) {
        case PartKind::text:
            return {};
        case PartKind::tool_call:
        case PartKind::tool_result:
            return "a call of a tool had begun";
        case PartKind::reasoning:
            return "the model had shown its reasoning";
        case PartKind::refusal:
            return "the model had begun to refuse";
        case PartKind::image:
        case PartKind::document:
        case PartKind::native:
            break;
    }
    return "the answer was not plain text";
}

}  // namespace

void AnswerSoFar::add(const dialects::StreamFrame& frame) {
    if (!created_)
        if (const dialects::Json* created = dialects::find(frame.shape, "created"))
            created_ = created->if_integer();
    for (const StreamEvent& event : frame.events) add(event);
}

void AnswerSoFar::add(const StreamEvent& event) {
    if (event.choice != 0) hinder("the answer had several choices");
    switch (event.kind) {
        case Kind::start:
            id_ = event.id;
            return;
        case Kind::part_start:
            hinder(obstacle_of(event.part_kind));
            parts_ = std::max(parts_, event.part + 1);
            open_ = event.part;
            return;
        case Kind::part_end:
            open_.reset();
            return;
        case Kind::delta:
            hinder(obstacle_of(event.part_kind));
            if (text_.size() + event.text.size() > kTextBytesMax)
                hinder("the answer was longer than 64 KiB");
            else if (obstacle_.empty())
                text_ += event.text;
            return;
        case Kind::native:
            if (!event.name.empty()) hinder("the answer was not plain text");
            return;
        case Kind::finish:
            hinder("the model had finished");
            return;
        case Kind::citation:
            hinder("the answer was not plain text");
            return;
        case Kind::signature:
        case Kind::logprobs:
        case Kind::role:
        case Kind::usage:
        case Kind::choice:
        case Kind::ping:
        case Kind::end:
        case Kind::error:
            return;
    }
}

std::unique_ptr<dialects::StreamWriter> AnswerSoFar::writer(
    Dialect client, dialects::AnswerContext context
) const {
    context.told_id = id_;
    if (created_) context.created = *created_;
    std::unique_ptr<dialects::StreamWriter> writer =
        dialects::make_stream_writer(foreign_to(client), client, std::move(context));
    dialects::StreamFrame said;
    said.events.push_back(dialects::event_of(Kind::start));
    said.events.push_back(dialects::event_of(Kind::role));
    for (std::int64_t part = 0; part < parts_; ++part) {
        StreamEvent event = dialects::event_of(Kind::part_start);
        event.part = part;
        said.events.push_back(event);
        if (open_ == part) continue;
        event.kind = Kind::part_end;
        said.events.push_back(event);
    }
    std::string written;
    // A few marks without text: there is nothing that could be too long.
    static_cast<void>(writer->write(said, written));
    return writer;
}

}  // namespace penstock::gateway
