// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <map>
#include <set>

#include "dialects/chat.h"
#include "dialects/stream.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

using Event = StreamEvent::Kind;
using PartKind = Part::Kind;

struct TextField {
    std::string_view name;
    PartKind kind;
};
constexpr std::array<TextField, 4> kTextFields{{
    {"reasoning_content", PartKind::reasoning},
    {"reasoning", PartKind::reasoning},
    {"content", PartKind::text},
    {"refusal", PartKind::refusal},
}};

// Numbers the parts of one choice: Chat tells which field a delta belongs to, not where it begins.
struct ChoiceState {
    std::int64_t parts = 0;
    std::int64_t open = -1;  // a text of some kind
    PartKind open_kind = PartKind::text;
    std::map<std::int64_t, std::int64_t> calls;  // Chat's index of a call → its part
};

class ChatReader final : public StreamReader {
  public:
    Result<StreamFrame> read(std::string_view, std::string_view data) override {
        StreamFrame frame;
        if (data == "[DONE]") {
            frame.events.push_back(event_of(Event::end));
            note(frame);
            return frame;
        }
        Trouble trouble(ErrorCode::unavailable);
        Fields fields(TRY(parse_frame(data)), "", trouble);
        read_head(fields, frame);
        if (std::optional<Json::Array> choices = fields.array("choices")) {
            if (choices->empty()) fields.put_shape("choices", Json::Array{});
            for (Json& choice : *choices) read_choice(std::move(choice), frame, trouble);
        }
        if (std::optional<Json> usage = fields.take("usage")) {
            StreamEvent event = event_of(Event::usage);
            event.usage = read_chat_usage(*std::move(usage));
            // An empty one says nothing, and takes nothing back that was said before.
            if (event.usage.tokens == TokenCounts{} && event.usage.violations == 0)
                fields.put_shape("usage", std::move(event.usage.written));
            else
                frame.events.push_back(std::move(event));
        }
        fields.shape({"object", "created", "system_fingerprint", "service_tier", "obfuscation"});
        fields.finish(frame);
        note(frame);
        return trouble.result(std::move(frame));
    }

  private:
    void read_head(Fields& fields, StreamFrame& frame) {
        if (const std::optional<Json> error = fields.take("error")) {
            StreamEvent event = event_of(Event::error);
            const Json* message = error->find("message");
            if (message != nullptr && message->if_string() != nullptr)
                event.text = *message->if_string();
            frame.events.push_back(std::move(event));
            fields.put_shape("error", *error);
            return;
        }
        const std::string id = fields.text("id").value_or("");
        const std::string model = fields.text("model").value_or("");
        fields.put_shape("id", id);
        fields.put_shape("model", model);
        if (std::exchange(started_, true)) return;
        StreamEvent start = event_of(Event::start);
        start.id = id;
        start.name = model;
        frame.events.push_back(std::move(start));
    }

    void read_choice(Json value, StreamFrame& frame, Trouble& trouble) {
        Fields fields(std::move(value), "choices", trouble);
        const std::int64_t index = fields.integer("index").value_or(0);
        if (index < 0 || index >= kStreamChoicesMax)
            return trouble.add("choices", "the engine answers with too many choices");
        ChoiceState& state = choices_[index];
        const std::size_t at = frame.events.size();
        frame.events.push_back(event_of(Event::choice, index));
        Extras delta_extras;
        if (std::optional<Json> delta = fields.take("delta")) {
            Fields inner(*std::move(delta), "delta", trouble);
            read_delta(inner, index, state, frame);
            inner.finish(delta_extras);
        }
        if (std::optional<std::string> reason = fields.text("finish_reason")) {
            close_all(index, state, frame);
            StreamEvent event = event_of(Event::finish, index);
            event.finish = read_chat_finish(*std::move(reason));
            frame.events.push_back(std::move(event));
        }
        StreamEvent& choice = frame.events[at];
        fields.finish(choice);
        if (!delta_extras.shape.empty()) put(choice.shape, "delta", delta_extras.shape);
        if (!delta_extras.native.empty()) put(choice.native, "delta", delta_extras.native);
    }

    // Some engines say the hidden text under both of its names.
    static bool repeats(const StreamFrame& frame, PartKind kind, const std::string& text) {
        const StreamEvent& last = frame.events.back();
        return kind == PartKind::reasoning && last.kind == Event::delta &&
               last.part_kind == PartKind::reasoning && last.text == text;
    }

    void read_delta(Fields& fields, std::int64_t index, ChoiceState& state, StreamFrame& frame) {
        if (const std::optional<std::string> role = fields.text("role")) {
            frame.events.push_back(event_of(Event::role, index));
            fields.put_shape("role", *role);
        }
        for (const TextField& field : kTextFields) {
            const std::optional<std::string> text = fields.text(field.name);
            if (!text) continue;
            if (text->empty()) {
                // Says that there is such a field, not that a part begins.
                fields.put_shape(field.name, "");
                continue;
            }
            if (repeats(frame, field.kind, *text)) {
                fields.put_shape(field.name, *text);
                continue;
            }
            StreamEvent event = event_of(Event::delta, index);
            event.part = open_text(index, field.kind, state, frame, fields.trouble());
            event.part_kind = field.kind;
            event.name = std::string(field.name);
            event.text = *text;
            frame.events.push_back(std::move(event));
        }
        std::optional<Json::Array> calls = fields.array("tool_calls");
        if (!calls) return;
        if (calls->empty()) fields.put_shape("tool_calls", Json::Array{});
        for (Json& call : *calls) read_call(std::move(call), index, state, frame, fields.trouble());
    }

    std::int64_t open_text(
        std::int64_t index, PartKind kind, ChoiceState& state, StreamFrame& frame, Trouble& trouble
    ) {
        if (state.open >= 0 && state.open_kind == kind) return state.open;
        close_text(index, state, frame);
        state.open = begin_part(index, kind, state, frame, trouble);
        state.open_kind = kind;
        return state.open;
    }

    static std::int64_t begin_part(
        std::int64_t index, PartKind kind, ChoiceState& state, StreamFrame& frame, Trouble& trouble
    ) {
        if (state.parts >= kStreamPartsMax)
            trouble.add("choices", "the engine's answer has too many parts");
        StreamEvent event = event_of(Event::part_start, index);
        event.part = state.parts;
        event.part_kind = kind;
        frame.events.push_back(std::move(event));
        return state.parts++;
    }

    static void close_text(std::int64_t index, ChoiceState& state, StreamFrame& frame) {
        if (state.open < 0) return;
        StreamEvent event = event_of(Event::part_end, index);
        event.part = std::exchange(state.open, -1);
        event.part_kind = state.open_kind;
        frame.events.push_back(std::move(event));
    }

    // Deltas of several calls may alternate, so calls are over when the message is.
    static void close_all(std::int64_t index, ChoiceState& state, StreamFrame& frame) {
        close_text(index, state, frame);
        for (const auto& [number, part] : state.calls) {
            StreamEvent event = event_of(Event::part_end, index);
            event.part = part;
            event.part_kind = PartKind::tool_call;
            frame.events.push_back(std::move(event));
        }
        state.calls.clear();
    }

    void read_call(
        Json value, std::int64_t index, ChoiceState& state, StreamFrame& frame, Trouble& trouble
    ) {
        Fields fields(std::move(value), "delta.tool_calls", trouble);
        const std::int64_t number = fields.integer("index").value_or(0);
        Fields function(
            fields.take("function").value_or(Json::Object{}), "delta.tool_calls.function", trouble
        );
        const auto known = state.calls.find(number);
        const bool fresh = known == state.calls.end();
        std::int64_t part = fresh ? 0 : known->second;
        if (fresh) {
            close_text(index, state, frame);
            part = begin_part(index, PartKind::tool_call, state, frame, trouble);
            state.calls[number] = part;
            StreamEvent& start = frame.events.back();
            start.id = fields.text("id").value_or("");
            start.name = function.text("name").value_or("");
        }
        StreamEvent delta = event_of(Event::delta, index);
        delta.part = part;
        delta.part_kind = PartKind::tool_call;
        const std::optional<std::string> arguments = function.text("arguments");
        delta.text = arguments.value_or("");
        delta.name = arguments ? "arguments" : "";
        Extras inner;
        function.finish(inner);
        fields.shape({"id", "type"});
        fields.finish(delta);
        put(delta.shape, "index", number);
        if (!inner.shape.empty()) put(delta.shape, "function", inner.shape);
        if (!inner.native.empty()) put(delta.native, "function", inner.native);
        frame.events.push_back(std::move(delta));
    }

    bool started_ = false;
    std::map<std::int64_t, ChoiceState> choices_;
};

void append_text(Json::Object& object, std::string_view key, const std::string& text) {
    if (Json* there = find(object, key))
        *there = *there->if_string() + text;
    else
        object.push_back({std::string(key), text});
}

std::string_view text_field(PartKind kind) {
    if (kind == PartKind::reasoning) return "reasoning_content";
    return kind == PartKind::refusal ? "refusal" : "content";
}

// The stream in its own dialect again.
class SameChatWriter final : public StreamWriter {
  public:
    Result<void> write(const StreamFrame& frame, std::string& out) override {
        Json::Object chunk;
        std::map<std::int64_t, Json::Object> choices;
        for (const StreamEvent& event : frame.events) {
            if (event.kind == Event::end) {
                out += "data: [DONE]\n\n";
                return {};
            }
            if (event.kind == Event::usage) put(chunk, "usage", event.usage.written);
            if (event.kind == Event::choice)
                choices[event.choice] =
                    Json::Object{{"index", event.choice}, {"delta", Json::Object{}}};
            if (event.kind == Event::part_start && event.part_kind == PartKind::tool_call)
                started_ = &event;
            if (event.kind == Event::delta) write_delta(event, choices[event.choice]);
            if (event.kind == Event::finish)
                put(choices[event.choice], "finish_reason", event.finish.written);
        }
        for (const StreamEvent& event : frame.events) {
            if (event.kind != Event::choice) continue;
            merge(choices[event.choice], event.native);
            merge(choices[event.choice], event.shape);
        }
        if (!choices.empty()) {
            Json::Array list;
            for (auto& [index, choice] : choices) list.push_back(std::move(choice));
            put(chunk, "choices", std::move(list));
        }
        merge(chunk, frame.native);
        merge(chunk, frame.shape);
        append_sse(out, {}, chunk);
        return {};
    }
    void fail(const StreamFailure& failure, std::string& out) override;

  private:
    void write_delta(const StreamEvent& event, Json::Object& choice) {
        Json::Object& delta = *find(choice, "delta")->if_object();
        if (event.part_kind != PartKind::tool_call)
            return append_text(delta, event.name, event.text);
        Json::Object function;
        Json::Object call;
        if (started_ != nullptr && started_->part == event.part) {
            if (!started_->id.empty()) call.push_back({"id", started_->id});
            if (!started_->name.empty()) function.push_back({"name", started_->name});
            started_ = nullptr;
        }
        if (!event.name.empty()) function.push_back({event.name, event.text});
        call.push_back({"function", std::move(function)});
        merge(call, event.native);
        merge(call, event.shape);
        if (find(delta, "tool_calls") == nullptr) put(delta, "tool_calls", Json::Array{});
        find(delta, "tool_calls")->if_array()->push_back(std::move(call));
    }
    const StreamEvent* started_ = nullptr;  // within one frame
};

void write_failure(const StreamFailure& failure, std::string& out) {
    append_sse(
        out, {},
        Json::Object{
            {"error",
             Json::Object{
                 {"message", failure.message},
                 {"type", failure.type},
                 {"param", nullptr},
                 {"code", failure.code}
             }}
        }
    );
}

void SameChatWriter::fail(const StreamFailure& failure, std::string& out) {
    write_failure(failure, out);
}

// The stream of another dialect as Chat's chunks.
class ChatWriter final : public StreamWriter {
  public:
    ChatWriter(Dialect from, AnswerContext context) : from_(from), context_(std::move(context)) {}

    Result<void> write(const StreamFrame& frame, std::string& out) override {
        for (const StreamEvent& event : frame.events) write_event(event, out);
        return {};
    }
    void fail(const StreamFailure& failure, std::string& out) override {
        write_failure(failure, out);
    }

  private:
    void write_event(const StreamEvent& event, std::string& out) {
        switch (event.kind) {
            case Event::role:
                return write_delta({{"role", "assistant"}, {"content", ""}}, out);
            case Event::part_start:
                if (event.part_kind == PartKind::tool_call) begin_call(event, out);
                return;
            case Event::delta:
                if (event.text.empty()) return;
                if (event.part_kind == PartKind::tool_call) return add_arguments(event, out);
                return write_delta({{std::string(text_field(event.part_kind)), event.text}}, out);
            case Event::finish:
                return write_chunk(Json::Object{}, chat_finish(event.finish, from_), out);
            case Event::usage:
                usage_ = event.usage.tokens;
                return;
            case Event::end:
                return end(out);
            case Event::part_end:
                return end_call(event, out);
            case Event::start:
            case Event::signature:  // Chat has no place for it
            case Event::choice:
            case Event::ping:
            case Event::error:
            case Event::native:
                return;
        }
    }
    void begin_call(const StreamEvent& event, std::string& out) {
        const std::int64_t number = static_cast<std::int64_t>(calls_.size());
        calls_[event.part] = number;
        empty_.insert(event.part);
        write_delta(
            {{"tool_calls", Json::Array{Json::Object{
                                {"index", number},
                                {"id", event.id},
                                {"type", "function"},
                                {"function", Json::Object{{"name", event.name}, {"arguments", ""}}}
                            }}}},
            out
        );
    }
    void add_arguments(const StreamEvent& event, std::string& out) {
        empty_.erase(event.part);
        write_delta(
            {{"tool_calls", Json::Array{Json::Object{
                                {"index", calls_[event.part]},
                                {"function", Json::Object{{"arguments", event.text}}}
                            }}}},
            out
        );
    }
    // No arguments are an empty object there, which in Chat somebody must say.
    void end_call(const StreamEvent& event, std::string& out) {
        if (!empty_.contains(event.part)) return;
        StreamEvent nothing = event;
        nothing.text = "{}";
        add_arguments(nothing, out);
    }
    void end(std::string& out) {
        if (context_.include_usage && usage_) {
            Json::Object chunk = head();
            chunk.push_back({"choices", Json::Array{}});
            chunk.push_back({"usage", chat_usage(*usage_)});
            append_sse(out, {}, chunk);
        }
        out += "data: [DONE]\n\n";
    }
    Json::Object head() const {
        return {
            {"id", context_.told_id.empty() ? "chatcmpl-" + context_.id : context_.told_id},
            {"object", "chat.completion.chunk"},
            {"created", context_.created},
            {"model", context_.model},
        };
    }
    void write_delta(Json::Object delta, std::string& out) {
        write_chunk(std::move(delta), nullptr, out);
    }
    void write_chunk(Json::Object delta, Json finish, std::string& out) {
        Json::Object chunk = head();
        chunk.push_back(
            {"choices",
             Json::Array{Json::Object{
                 {"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish)}
             }}}
        );
        append_sse(out, {}, chunk);
    }

    Dialect from_;
    AnswerContext context_;
    std::map<std::int64_t, std::int64_t> calls_;  // part → Chat's index
    std::set<std::int64_t> empty_;                // calls without arguments so far
    std::optional<TokenCounts> usage_;
};

}  // namespace

std::unique_ptr<StreamReader> make_chat_reader() { return std::make_unique<ChatReader>(); }

std::unique_ptr<StreamWriter> make_chat_writer(Dialect from, AnswerContext context) {
    if (from == Dialect::chat) return std::make_unique<SameChatWriter>();
    return std::make_unique<ChatWriter>(from, std::move(context));
}

}  // namespace penstock::dialects
