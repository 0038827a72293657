// SPDX-License-Identifier: Apache-2.0
#include "dialects/stream.h"

#include <array>

#include "dialects/fields.h"

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

// Natives of objects within the frame ({"message": {…}}) are told with the object's name.
void StreamWriter::lose_natives(const StreamFrame& frame, bool one_choice) {
    const bool unknown = !frame.events.empty() && !frame.events.front().id.empty() &&
                         frame.events.front().kind == StreamEvent::Kind::native;
    for (const Member& member : frame.native) {
        if (unknown || says_nothing(member.value)) continue;
        const Json::Object* inner = member.value.if_object();
        if (inner == nullptr || (member.key != "message" && member.key != "delta")) {
            leave_out(member.key);
            continue;
        }
        for (const Member& below : *inner)
            if (!says_nothing(below.value)) leave_out(member_path(member.key, below.key));
    }
    for (const StreamEvent& event : frame.events) {
        if (event.choice == 0 || !one_choice)
            lose_natives(event);
        else if (event.kind == StreamEvent::Kind::choice)
            lose(index_path("choices", static_cast<std::size_t>(event.choice)));
    }
}

void StreamWriter::lose_natives(const StreamEvent& event) {
    using Kind = StreamEvent::Kind;
    if (event.kind == Kind::native && event.path.empty()) {
        // An event of a name that nobody knows: its clients pass over it as well.
        if (!event.id.empty()) leave_out(member_path("events", event.id));
        return;
    }
    if (event.kind == Kind::native) return lose(event.path);
    for (const std::string& place : event.lost) lose(place);
    if (event.kind == Kind::part_start && event.part_kind == Part::Kind::native)
        return lose(member_path(event.path, "type"));
    for (const Member& member : event.native) {
        if (says_nothing(member.value)) continue;
        const Json::Object* delta = member.key == "delta" ? member.value.if_object() : nullptr;
        if (event.kind != Kind::choice || event.path == "message") {
            lose(member_path(event.path, member.key));
        } else if (delta == nullptr) {
            leave_out(member_path(event.path, member.key));
        } else {
            for (const Member& below : *delta)
                if (!says_nothing(below.value)) lose(member_path(event.path, "delta." + below.key));
        }
    }
}

namespace {

std::string word_for_status(std::string_view code) {
    struct Word {
        std::string_view status;
        std::string_view word;
    };
    static constexpr std::array<Word, 9> kWords{{
        {"400", "invalid_request"},
        {"404", "invalid_request"},
        {"408", "timeout"},
        {"413", "too_large"},
        {"422", "invalid_request"},
        {"429", "rate_limit"},
        {"503", "overloaded"},
        {"504", "timeout"},
        {"529", "overloaded"},
    }};
    for (const Word& known : kWords)
        if (known.status == code) return std::string(known.word);
    return {};
}

}  // namespace

StreamFailure failure_of(const StreamEvent& error) {
    struct Class {
        std::string_view word;  // in the engine's type or code
        int status;
        std::string_view type;
        std::string_view code;
    };
    static constexpr std::array<Class, 7> kClasses{{
        {"overloaded", 503, "server_error", "overloaded"},
        {"rate_limit", 429, "rate_limit_error", "rate_limit_exceeded"},
        {"timeout", 504, "timeout_error", "upstream_timeout"},
        {"context_length", 400, "invalid_request_error", "context_length_exceeded"},
        {"too_large", 400, "invalid_request_error", "request_too_large"},
        {"content_filter", 400, "invalid_request_error", "content_filter"},
        {"invalid_request", 400, "invalid_request_error", "invalid_request"},
    }};
    StreamFailure failure{
        .status = 502,
        .type = "server_error",
        .code = "upstream_error",
        .message = "the engine failed: " + error.text
    };
    // Engines name it in words, or by a status of HTTP.
    const std::string words = error.id + " " + error.name + " " + word_for_status(error.name);
    for (const Class& known : kClasses) {
        if (words.find(known.word) == std::string::npos) continue;
        failure.status = known.status;
        failure.type = known.type;
        failure.code = known.code;
        break;
    }
    return failure;
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
