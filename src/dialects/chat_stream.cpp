// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>

#include "dialects/chat.h"
#include "dialects/citations.h"
#include "dialects/reasoning.h"
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
    std::int64_t text = -1;  // the last part of each kind
    std::int64_t reasoning = -1;
    bool reasons = false;  // it has told reasoning beside its details
    struct Call {
        std::int64_t part = 0;
        std::string id;
        std::string name;
    };
    std::map<std::int64_t, Call> calls;  // by Chat's index
    std::int64_t last_call = 0;
};

std::string word(const Json* value) {
    if (value == nullptr) return {};
    // Codes are numbers at some engines.
    return value->if_string() == nullptr ? std::string(value->number_text()) : *value->if_string();
}

class ChatReader final : public StreamReader {
  public:
    Result<StreamFrame> read(std::string_view, std::string_view data) override {
        StreamFrame frame;
        if (data == "[DONE]") {
            // An engine that gave no reason to stop leaves its parts open.
            for (auto& [index, state] : choices_) close_all(index, state, frame);
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
            event.text = word(error->find("message"));
            event.id = word(error->find("type"));
            event.name = word(error->find("code"));
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
        const std::string path = index_path("choices", static_cast<std::size_t>(index));
        read_token_logprobs(fields, index, path, frame);
        Extras delta_extras;
        if (std::optional<Json> delta = fields.take("delta")) {
            Fields inner(*std::move(delta), path + ".delta", trouble);
            read_delta(inner, index, state, frame);
            inner.finish(delta_extras);
        }
        if (std::optional<std::string> reason = fields.text("finish_reason")) {
            close_all(index, state, frame);
            StreamEvent event = event_of(Event::finish, index);
            event.finish = read_chat_finish(*std::move(reason));
            read_met_sequence(fields, event.finish);
            frame.events.push_back(std::move(event));
        }
        StreamEvent& choice = frame.events[at];
        fields.finish(choice);
        choice.path = path;
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
            state.reasons = state.reasons || field.kind == PartKind::reasoning;
            StreamEvent event = event_of(Event::delta, index);
            event.part = open_text(index, field.kind, state, frame, fields.trouble());
            event.part_kind = field.kind;
            event.name = std::string(field.name);
            event.text = *text;
            frame.events.push_back(std::move(event));
        }
        read_details(fields, index, state, frame);
        read_cited(fields, index, state, frame);
        std::optional<Json::Array> calls = fields.array("tool_calls");
        if (!calls) return;
        if (calls->empty()) fields.put_shape("tool_calls", Json::Array{});
        for (Json& call : *calls) read_call(std::move(call), index, state, frame, fields.trouble());
    }

    static void read_token_logprobs(
        Fields& fields, std::int64_t index, const std::string& path, StreamFrame& frame
    ) {
        StreamEvent event = event_of(Event::logprobs, index);
        event.logprobs = read_logprobs(fields, frame.events.back());
        event.path = path + ".logprobs";
        if (!event.logprobs.empty()) frame.events.push_back(std::move(event));
    }

    // Engines that tell the hidden text in its own field tell it here again.
    void read_details(Fields& fields, std::int64_t index, ChoiceState& state, StreamFrame& frame) {
        for (Part& detail : read_reasoning_details(fields)) {
            if (!detail.data.empty()) {
                close_text(index, state, frame);
                const std::int64_t part =
                    begin_part(index, PartKind::reasoning, state, frame, fields.trouble());
                frame.events.back().data = std::move(detail.data);
                StreamEvent end = event_of(Event::part_end, index);
                end.part = part;
                end.part_kind = PartKind::reasoning;
                frame.events.push_back(std::move(end));
                continue;
            }
            const bool fresh = !detail.text.empty() && !state.reasons;
            if (!fresh && detail.signature.empty()) continue;
            const bool open = state.open >= 0 && state.open_kind == PartKind::reasoning;
            StreamEvent event = event_of(Event::delta, index);
            event.part = fresh || open || state.reasoning < 0
                             ? open_text(index, PartKind::reasoning, state, frame, fields.trouble())
                             : state.reasoning;
            event.part_kind = PartKind::reasoning;
            event.name = std::string(kReasoningDetails);
            event.text = std::move(detail.text);
            if (fresh) frame.events.push_back(event);
            event.kind = Event::signature;
            event.text = std::move(detail.signature);
            if (!event.text.empty()) frame.events.push_back(std::move(event));
        }
    }

    static void read_cited(
        Fields& fields, std::int64_t index, const ChoiceState& state, StreamFrame& frame
    ) {
        Part cited;
        read_annotations(fields, AnnotationForm::nested, cited);
        StreamEvent& choice = *std::ranges::find_if(frame.events, [&](const StreamEvent& event) {
            return event.kind == Event::choice && event.choice == index;
        });
        for (std::string& place : cited.lost) choice.lost.push_back(std::move(place));
        for (Citation& citation : cited.citations) {
            StreamEvent event = event_of(Event::citation, index);
            event.part = std::max<std::int64_t>(state.text, 0);
            event.citation = std::move(citation);
            event.path = fields.at("annotations");
            frame.events.push_back(std::move(event));
        }
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
        if (kind == PartKind::text) state.text = state.parts;
        if (kind == PartKind::reasoning) state.reasoning = state.parts;
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
        for (const auto& [number, call] : state.calls) {
            StreamEvent event = event_of(Event::part_end, index);
            event.part = call.part;
            event.part_kind = PartKind::tool_call;
            frame.events.push_back(std::move(event));
        }
        state.calls.clear();
    }

    // Some engines leave out which call a piece belongs to: another id is another call.
    static std::int64_t number_of(
        std::optional<std::int64_t> told, const std::string& id, const ChoiceState& state
    ) {
        if (told) return *told;
        if (id.empty() || state.calls.empty()) return state.last_call;
        for (const auto& [number, call] : state.calls)
            if (call.id == id) return number;
        return state.calls.rbegin()->first + 1;
    }

    void read_call(
        Json value, std::int64_t index, ChoiceState& state, StreamFrame& frame, Trouble& trouble
    ) {
        Fields fields(std::move(value), "delta.tool_calls", trouble);
        const std::optional<std::int64_t> told = fields.integer("index");
        const Json* written = fields.look("id");
        const std::int64_t number = number_of(told, word(written), state);
        Fields function(
            fields.take("function").value_or(Json::Object{}), "delta.tool_calls.function", trouble
        );
        state.last_call = number;
        const auto known = state.calls.find(number);
        if (known == state.calls.end())
            begin_call(fields, function, index, number, state, frame, trouble);
        else
            function.shape_if("name", known->second.name);  // some engines say it in each piece
        StreamEvent delta = event_of(Event::delta, index);
        delta.part = state.calls[number].part;
        delta.part_kind = PartKind::tool_call;
        const std::optional<std::string> arguments = function.text("arguments");
        delta.text = arguments.value_or("");
        delta.name = arguments ? "arguments" : "";
        Extras inner;
        function.finish(inner);
        fields.shape({"id", "type"});
        fields.finish(delta);
        if (told) put(delta.shape, "index", number);
        if (!inner.shape.empty()) put(delta.shape, "function", inner.shape);
        if (!inner.native.empty()) put(delta.native, "function", inner.native);
        frame.events.push_back(std::move(delta));
    }

    static void begin_call(
        Fields& fields, Fields& function, std::int64_t index, std::int64_t number,
        ChoiceState& state, StreamFrame& frame, Trouble& trouble
    ) {
        close_text(index, state, frame);
        ChoiceState::Call call;
        call.part = begin_part(index, PartKind::tool_call, state, frame, trouble);
        call.id = fields.text("id").value_or("");
        call.name = function.text("name").value_or("");
        StreamEvent& start = frame.events.back();
        start.id = call.id;
        start.name = call.name;
        state.calls[number] = std::move(call);
    }

    bool started_ = false;
    std::map<std::int64_t, ChoiceState> choices_;
};

}  // namespace

std::unique_ptr<StreamReader> make_chat_reader() { return std::make_unique<ChatReader>(); }

}  // namespace penstock::dialects
