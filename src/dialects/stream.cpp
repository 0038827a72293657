// SPDX-License-Identifier: Apache-2.0
#include "dialects/stream.h"

#include <algorithm>

namespace penstock::dialects {

void StreamReader::note(const StreamFrame& frame) {
    for (const StreamEvent& event : frame.events) {
        finished_ = finished_ || event.kind == StreamEvent::Kind::finish;
        ended_ = ended_ || event.kind == StreamEvent::Kind::end;
    }
}

StreamFrame StreamReader::close() const {
    StreamFrame frame;
    if (finished_ && !ended_) frame.events.push_back(event_of(StreamEvent::Kind::end));
    return frame;
}

std::unique_ptr<StreamReader> make_stream_reader(Dialect dialect, std::string_view call_prefix) {
    switch (dialect) {
        case Dialect::chat:
            return make_chat_reader();
        case Dialect::anthropic:
            return make_anthropic_reader();
        case Dialect::ollama:
            return make_ollama_reader(call_prefix);
        case Dialect::responses:
            break;
    }
    return nullptr;  // no engine is asked in it
}

std::unique_ptr<StreamWriter> make_stream_writer(Dialect from, Dialect to, AnswerContext context) {
    switch (to) {
        case Dialect::chat:
            return make_chat_writer(from, std::move(context));
        case Dialect::anthropic:
            return make_anthropic_writer(from, std::move(context));
        case Dialect::ollama:
            return make_ollama_writer(from, std::move(context));
        case Dialect::responses:
            break;
    }
    return make_responses_writer(from, std::move(context));
}

std::string_view stream_content_type(Dialect dialect) {
    return dialect == Dialect::ollama ? "application/x-ndjson" : "text/event-stream";
}

void append_sse(std::string& out, std::string_view name, const Json& data) {
    if (!name.empty()) out.append("event: ").append(name).append("\n");
    out.append("data: ").append(print_json(data)).append("\n\n");
}

StreamEvent event_of(StreamEvent::Kind kind, std::int64_t choice) {
    StreamEvent event;
    event.kind = kind;
    event.choice = choice;
    return event;
}

Result<Json> parse_frame(std::string_view data) {
    Result<Json> frame = parse_json(data, JsonFrom::engine);
    if (!frame || frame->if_object() == nullptr)
        return fail(ErrorCode::unavailable, "the engine sent an event that is not a JSON object");
    return frame;
}

}  // namespace penstock::dialects
