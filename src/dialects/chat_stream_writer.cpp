// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "dialects/chat.h"
#include "dialects/citations.h"
#include "dialects/reasoning.h"
#include "dialects/shared.h"
#include "dialects/stream.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

using Event = StreamEvent::Kind;
using PartKind = Part::Kind;

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
            // What the details told is in the shape, as it came.
            const bool shaped = event.name == kReasoningDetails;
            if (event.kind == Event::delta && !shaped) write_delta(event, choices[event.choice]);
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
        lose_natives(frame, true);
        for (const StreamEvent& event : frame.events)
            if (event.choice == 0 && event.part_kind != PartKind::native) write_event(event, out);
        if (kept_ > kStreamKeptBytesMax || logprobs_.size() > kLogprobsWaitingMax)
            return penstock::fail(
                ErrorCode::resource_exhausted, "what is kept of the engine's answer is too long"
            );
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
                return begin_part(event, out);
            case Event::delta:
                return add(event, out);
            case Event::signature:
                if (proven_) proven_->signature += event.text;
                return;
            case Event::citation:
                kept_ += kCitationBytes + event.citation.url.size() + event.citation.title.size();
                citations_.push_back(event.citation);
                return;
            case Event::logprobs:
                std::ranges::copy(event.logprobs, std::back_inserter(logprobs_));
                return;
            case Event::finish:
                return write_finish(event.finish, out);
            case Event::usage:
                usage_ = event.usage.tokens;
                return;
            case Event::end:
                return end(out);
            case Event::part_end:
                return end_part(event, out);
            case Event::start:
            case Event::choice:
            case Event::ping:
            case Event::error:
            case Event::native:
                return;
        }
    }
    void begin_part(const StreamEvent& event, std::string& out) {
        if (event.part_kind == PartKind::tool_call) return begin_call(event, out);
        if (event.part_kind == PartKind::text) text_began_ = characters_;
        if (event.part_kind != PartKind::reasoning) return;
        proven_.emplace();
        proven_->data = event.data;
    }
    void add(const StreamEvent& event, std::string& out) {
        if (event.text.empty()) return;
        if (event.part_kind == PartKind::tool_call) return add_arguments(event, out);
        if (event.part_kind == PartKind::text) characters_ += characters_in(event.text);
        // A proof may follow, which is told with the text that it is of.
        if (event.part_kind == PartKind::reasoning && proven_ && from_ == Dialect::anthropic) {
            proven_->text += event.text;
            kept_ += event.text.size();
        }
        write_delta({{std::string(text_field(event.part_kind)), event.text}}, out);
    }
    void end_part(const StreamEvent& event, std::string& out) {
        if (event.part_kind == PartKind::tool_call) return end_call(event, out);
        if (event.part_kind == PartKind::reasoning && proven_) end_reasoning(event.part, out);
        if (citations_.empty()) return;
        Json::Array annotations;
        for (Citation& citation : citations_) {
            citation.begin += text_began_;
            citation.end = citation.end > 0 ? text_began_ + citation.end : characters_;
            annotations.push_back(annotation_json(citation, AnnotationForm::nested));
        }
        citations_.clear();
        write_delta({{"annotations", std::move(annotations)}}, out);
    }
    void end_reasoning(std::int64_t index, std::string& out) {
        const Part part = *std::exchange(proven_, std::nullopt);
        if (part.signature.empty() && part.data.empty()) return;
        write_delta(
            {{std::string(kReasoningDetails), Json::Array{reasoning_detail(part, index)}}}, out
        );
    }
    void write_finish(const Finish& finish, std::string& out) {
        Json::Object choice{
            {"index", 0}, {"delta", Json::Object{}}, {"finish_reason", chat_finish(finish, from_)}
        };
        if (!finish.sequence.empty()) choice.push_back({"stop_reason", finish.sequence});
        put_logprobs(choice);
        write_choice(std::move(choice), out);
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
        const bool text = find(delta, "content") != nullptr;
        Json::Object choice{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", nullptr}};
        if (text) put_logprobs(choice);
        write_choice(std::move(choice), out);
    }
    void put_logprobs(Json::Object& choice) {
        if (logprobs_.empty()) return;
        Json::Array content = std::exchange(logprobs_, Json::Array());
        choice.push_back(
            {"logprobs", Json::Object{{"content", std::move(content)}, {"refusal", nullptr}}}
        );
    }
    void write_choice(Json::Object choice, std::string& out) {
        Json::Object chunk = head();
        chunk.push_back({"choices", Json::Array{std::move(choice)}});
        append_sse(out, {}, chunk);
    }

    static constexpr std::size_t kCitationBytes = 128;  // beside its texts
    Dialect from_;
    AnswerContext context_;
    std::map<std::int64_t, std::int64_t> calls_;  // part → Chat's index
    std::set<std::int64_t> empty_;                // calls without arguments so far
    std::optional<Part> proven_;                  // the open reasoning
    std::vector<Citation> citations_;             // of the open text
    std::int64_t characters_ = 0;                 // of all texts
    std::int64_t text_began_ = 0;                 // among them
    Json::Array logprobs_;                        // of the next text
    std::size_t kept_ = 0;
    std::optional<TokenCounts> usage_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_chat_writer(Dialect from, AnswerContext context) {
    if (from == Dialect::chat) return std::make_unique<SameChatWriter>();
    return std::make_unique<ChatWriter>(from, std::move(context));
}

}  // namespace penstock::dialects
