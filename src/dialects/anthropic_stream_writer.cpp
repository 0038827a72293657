// SPDX-License-Identifier: Apache-2.0
#include "dialects/anthropic.h"
#include "dialects/citations.h"
#include "dialects/stream.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

using Event = StreamEvent::Kind;
using PartKind = Part::Kind;

std::string word(const Json* value) {
    return value == nullptr || value->if_string() == nullptr ? std::string() : *value->if_string();
}

std::string_view error_type(int status) {
    if (status == 400) return "invalid_request_error";
    if (status == 429) return "rate_limit_error";
    if (status == 504) return "timeout_error";
    if (status == 503 || status == 529) return "overloaded_error";
    return "api_error";
}

void write_failure(const StreamFailure& failure, std::string& out) {
    append_sse(
        out, "error",
        Json::Object{
            {"type", "error"},
            {"error",
             Json::Object{
                 {"type", std::string(error_type(failure.status))}, {"message", failure.message}
             }}
        }
    );
}

class SameAnthropicWriter final : public StreamWriter {
  public:
    Result<void> write(const StreamFrame& frame, std::string& out) override {
        Json::Object object;
        Json::Object message;
        for (const StreamEvent& event : frame.events) write_event(event, object, message);
        if (!message.empty()) put(object, "message", std::move(message));
        merge(object, frame.native);
        merge(object, frame.shape);
        append_sse(out, word(find(object, "type")), object);
        return {};
    }
    void fail(const StreamFailure& failure, std::string& out) override {
        write_failure(failure, out);
    }

  private:
    static void write_delta(const StreamEvent& event, Json::Object& object) {
        const std::string_view key = event.name == "text_delta"        ? "text"
                                     : event.name == "thinking_delta"  ? "thinking"
                                     : event.name == "signature_delta" ? "signature"
                                                                       : "partial_json";
        if (event.name.empty()) {
            // Told as the block began.
            if (event.part_kind == PartKind::tool_call) return;
            // A block that begins with its text.
            Json::Object& block = *find(object, "content_block")->if_object();
            put(block, event.part_kind == PartKind::reasoning ? "thinking" : "text", event.text);
            return;
        }
        Json::Object delta{{"type", event.name}};
        const bool spoken = event.kind == Event::delta || event.kind == Event::signature;
        if (spoken) delta.push_back({std::string(key), event.text});
        merge(delta, event.native);
        merge(delta, event.shape);
        put(object, "index", event.part);
        put(object, "delta", std::move(delta));
    }

    static void write_event(const StreamEvent& event, Json::Object& object, Json::Object& message) {
        switch (event.kind) {
            case Event::start:
                message = {{"id", event.id}, {"model", event.name}};
                return;
            case Event::part_start: {
                Json::Object block{{"type", event.text}};
                if (event.part_kind == PartKind::tool_call)
                    merge(block, {{"id", event.id}, {"name", event.name}});
                merge(block, event.native);
                merge(block, event.shape);
                put(object, "index", event.part);
                put(object, "content_block", std::move(block));
                return;
            }
            case Event::part_end:
                put(object, "index", event.part);
                return;
            case Event::finish:
                put(object, "delta", Json::Object{{"stop_reason", event.finish.written}});
                return;
            case Event::usage:
                put(message.empty() ? object : message, "usage", event.usage.written);
                return;
            case Event::delta:
            case Event::citation:
                return write_delta(event, object);
            case Event::signature:
            case Event::native:
                if (!event.name.empty()) write_delta(event, object);
                return;
            case Event::role:
            case Event::logprobs:
            case Event::choice:
            case Event::ping:
            case Event::end:
            case Event::error:
                return;
        }
    }
};

// Blocks stand one after the other there. The reason to stop is told with the usage, which other
// dialects send later: it waits for the engine's end.
class AnthropicWriter final : public StreamWriter {
  public:
    AnthropicWriter(Dialect from, AnswerContext context)
        : from_(from), context_(std::move(context)) {}

    Result<void> write(const StreamFrame& frame, std::string& out) override {
        lose_natives(frame, true);
        for (const StreamEvent& event : frame.events)
            if (event.choice == 0 && event.part_kind != PartKind::native) write_event(event, out);
        return {};
    }
    void fail(const StreamFailure& failure, std::string& out) override {
        write_failure(failure, out);
    }

  private:
    void write_event(const StreamEvent& event, std::string& out) {
        switch (event.kind) {
            case Event::start:
                return start(out);
            case Event::part_start:
                return begin(event, out);
            case Event::delta:
                if (!event.text.empty()) add(event.part, delta_of(event), out);
                return;
            case Event::citation:
                return add(
                    event.part,
                    Json::Object{
                        {"type", "citations_delta"}, {"citation", citation_json(event.citation)}
                    },
                    out
                );
            case Event::logprobs:
                return lose(event.path);
            case Event::signature:
                return add(
                    event.part,
                    Json::Object{{"type", "signature_delta"}, {"signature", event.text}}, out
                );
            case Event::part_end:
                if (event.part == open_) close(out);
                return;
            case Event::finish:
                finish_ = event.finish;
                return;
            case Event::usage:
                usage_ = event.usage.tokens;
                return;
            case Event::ping:
                return append_sse(out, "ping", Json::Object{{"type", "ping"}});
            case Event::end:
                return end(out);
            case Event::role:
            case Event::choice:
            case Event::error:
            case Event::native:
                return;
        }
    }

    void start(std::string& out) {
        Json::Object message{
            {"id", "msg_" + context_.id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", context_.model},
            {"content", Json::Array{}},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr},
            // Required here; the numbers come with message_delta and replace these.
            {"usage", Json::Object{{"input_tokens", 0}, {"output_tokens", 0}}},
        };
        append_sse(
            out, "message_start",
            Json::Object{{"type", "message_start"}, {"message", std::move(message)}}
        );
    }

    void begin(const StreamEvent& event, std::string& out) {
        close(out);
        open_ = event.part;
        Json::Object block;
        if (event.part_kind == PartKind::tool_call)
            block = {
                {"type", "tool_use"},
                {"id", call_id(event.id, context_, static_cast<std::size_t>(event.part))},
                {"name", event.name},
                {"input", Json::Object{}}
            };
        else if (!event.data.empty())
            block = {{"type", "redacted_thinking"}, {"data", event.data}};
        else if (event.part_kind == PartKind::reasoning)
            block = {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
        else
            block = {{"type", "text"}, {"text", ""}};
        append_sse(
            out, "content_block_start",
            Json::Object{
                {"type", "content_block_start"},
                {"index", event.part},
                {"content_block", std::move(block)}
            }
        );
    }

    static Json::Object delta_of(const StreamEvent& event) {
        if (event.part_kind == PartKind::tool_call)
            return {{"type", "input_json_delta"}, {"partial_json", event.text}};
        if (event.part_kind == PartKind::reasoning)
            return {{"type", "thinking_delta"}, {"thinking", event.text}};
        return {{"type", "text_delta"}, {"text", event.text}};
    }

    // A call whose block is closed already (an engine that lets calls alternate) still gets its
    // arguments: clients collect them by index.
    static void add(std::int64_t part, Json::Object delta, std::string& out) {
        append_sse(
            out, "content_block_delta",
            Json::Object{
                {"type", "content_block_delta"}, {"index", part}, {"delta", std::move(delta)}
            }
        );
    }

    void close(std::string& out) {
        if (open_ < 0) return;
        append_sse(
            out, "content_block_stop",
            Json::Object{{"type", "content_block_stop"}, {"index", std::exchange(open_, -1)}}
        );
    }

    void end(std::string& out) {
        close(out);
        Json::Object usage;
        if (usage_) usage = *anthropic_usage(*usage_).if_object();
        merge(usage, {{"output_tokens", 0}});
        Json reason = nullptr;
        Json sequence = nullptr;
        if (finish_) reason = anthropic_finish(*finish_, from_);
        if (finish_ && !finish_->sequence.empty()) sequence = finish_->sequence;
        append_sse(
            out, "message_delta",
            Json::Object{
                {"type", "message_delta"},
                {"delta",
                 Json::Object{
                     {"stop_reason", std::move(reason)}, {"stop_sequence", std::move(sequence)}
                 }},
                {"usage", std::move(usage)}
            }
        );
        append_sse(out, "message_stop", Json::Object{{"type", "message_stop"}});
    }

    Dialect from_;
    AnswerContext context_;
    std::int64_t open_ = -1;
    std::optional<Finish> finish_;
    std::optional<TokenCounts> usage_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_anthropic_writer(Dialect from, AnswerContext context) {
    if (from == Dialect::anthropic) return std::make_unique<SameAnthropicWriter>();
    return std::make_unique<AnthropicWriter>(from, std::move(context));
}

}  // namespace penstock::dialects
