// SPDX-License-Identifier: Apache-2.0
#include "gateway/second_half.h"

#include <algorithm>

namespace penstock::gateway {
namespace {

using dialects::StreamEvent;
using dialects::StreamFrame;
using Kind = StreamEvent::Kind;
using PartKind = dialects::Part::Kind;

std::unexpected<Error> unfit(std::string message) {
    return fail(ErrorCode::unavailable, std::move(message));
}

}  // namespace

Result<StreamFrame> SecondHalf::take(const StreamFrame& frame) {
    StreamFrame out;
    out.native = frame.native;
    for (const StreamEvent& event : frame.events) TRY(take(event, out));
    return out;
}

Result<void> SecondHalf::take(const StreamEvent& event, StreamFrame& out) {
    if (event.choice != 0) return unfit("the engine that went on began several choices");
    switch (event.kind) {
        case Kind::part_start:
            return begin(event, out);
        case Kind::delta:
            add_text(event, out);
            return {};
        case Kind::part_end:
            if (const auto place = places_.find(event.part); place != places_.end()) {
                StreamEvent end = dialects::event_of(Kind::part_end);
                end.part = place->second;
                end.part_kind = event.part_kind;
                if (open_ == end.part) open_.reset();
                out.events.push_back(std::move(end));
                places_.erase(place);
            }
            return {};
        case Kind::finish: {
            close_open(out);
            StreamEvent finish = dialects::event_of(Kind::finish);
            finish.finish = event.finish;
            out.events.push_back(std::move(finish));
            return {};
        }
        case Kind::end:
            close_open(out);
            ended_ = true;
            return {};
        case Kind::error:
            return unfit("the engine that went on failed: " + event.text);
        case Kind::start:
        case Kind::role:
        case Kind::signature:
        case Kind::usage:
        case Kind::ping:
        case Kind::logprobs:  // not asked for: the request would not be continued
            return {};
        case Kind::citation:
            if (const auto place = places_.find(event.part); place != places_.end()) {
                out.events.push_back(event);
                out.events.back().part = place->second;
            }
            return {};
        case Kind::choice:
        case Kind::native:
            out.events.push_back(event);  // whoever writes it names what it cannot say
            return {};
    }
    return {};
}

Result<void> SecondHalf::begin(const StreamEvent& event, StreamFrame& out) {
    const bool is_text = event.part_kind == PartKind::text;
    if (!is_text && event.part_kind != PartKind::tool_call)
        return unfit("the engine that went on began something else than text or a call");
    if (is_text && open_ && places_.empty()) {
        places_[event.part] = *open_;
        return {};
    }
    close_open(out);
    StreamEvent start = dialects::event_of(Kind::part_start);
    start.part = parts_++;
    start.part_kind = event.part_kind;
    start.id = event.id;
    start.name = event.name;
    places_[event.part] = start.part;
    out.events.push_back(std::move(start));
    return {};
}

void SecondHalf::add_text(const StreamEvent& event, StreamFrame& out) {
    const auto place = places_.find(event.part);
    if (place == places_.end()) return;
    std::string_view text = event.text;
    if (event.part_kind == PartKind::text && !left_out_.empty() && !text.empty()) {
        const auto [differs, ignored] = std::ranges::mismatch(text, left_out_);
        const auto same = static_cast<std::size_t>(differs - text.begin());
        text.remove_prefix(same);
        left_out_.erase(0, text.empty() ? same : left_out_.size());
    }
    if (text.empty()) return;
    StreamEvent delta = dialects::event_of(Kind::delta);
    delta.part = place->second;
    delta.part_kind = event.part_kind;
    delta.text = text;
    out.events.push_back(std::move(delta));
}

// A text that nobody ends any more, since the engine went on with something else or with nothing.
void SecondHalf::close_open(StreamFrame& out) {
    if (!open_) return;
    StreamEvent end = dialects::event_of(Kind::part_end);
    end.part = *open_;
    out.events.push_back(std::move(end));
    for (auto place = places_.begin(); place != places_.end(); ++place)
        if (place->second == *open_) {
            places_.erase(place);
            break;
        }
    open_.reset();
}

}  // namespace penstock::gateway
