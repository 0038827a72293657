// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>

#include "dialects/citations.h"
#include "dialects/reasoning.h"
#include "dialects/responses.h"
#include "dialects/shared.h"
#include "dialects/stream.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

using Event = StreamEvent::Kind;
using PartKind = Part::Kind;

// One part of the answer and where it stands: texts are contents of a message, the rest are items.
struct Place {
    PartKind kind = PartKind::text;
    std::string item_id;
    std::int64_t output_index = 0;
    std::int64_t content_index = 0;
    std::string text;
    Part hidden;  // of a reasoning: proof, or all of it
    std::vector<Citation> citations;
    Json::Array logprobs;
};

// Responses tells everything three times: as deltas, at the end of a part, and at the end of the
// answer. What that needs is kept, up to kStreamKeptBytesMax.
class ResponsesWriter final : public StreamWriter {
  public:
    ResponsesWriter(Dialect from, AnswerContext context)
        : from_(from), context_(std::move(context)) {}

    Result<void> write(const StreamFrame& frame, std::string& out) override {
        lose_natives(frame, true);
        for (const StreamEvent& event : frame.events) {
            if (event.choice != 0 || event.part_kind == PartKind::native) continue;
            write_event(event, out);
            if (kept_ > kStreamKeptBytesMax)
                return penstock::fail(
                    ErrorCode::resource_exhausted, "the engine's answer is too long"
                );
        }
        return {};
    }

    void fail(const StreamFailure& failure, std::string& out) override {
        send(
            "error",
            {{"code", failure.code.empty() ? Json(failure.type) : Json(failure.code)},
             {"message", failure.message},
             {"param", nullptr}},
            out
        );
    }

  private:
    void write_event(const StreamEvent& event, std::string& out) {
        switch (event.kind) {
            case Event::start:
                send(
                    "response.created", {{"response", responses_head(context_, "in_progress")}}, out
                );
                send(
                    "response.in_progress", {{"response", responses_head(context_, "in_progress")}},
                    out
                );
                return;
            case Event::part_start:
                return begin(event, out);
            case Event::delta:
                if (!event.text.empty()) delta(event, out);
                return;
            case Event::part_end:
                return end_part(event.part, out);
            case Event::signature:
                if (const auto found = places_.find(event.part); found != places_.end())
                    found->second.hidden.signature += event.text;
                return;
            case Event::citation:
                return cite(event);
            case Event::logprobs:
                kept_ += print_json(event.logprobs).size();
                std::ranges::copy(event.logprobs, std::back_inserter(logprobs_));
                return;
            case Event::finish:
                finish_ = event.finish;
                if (!finish_->sequence.empty()) leave_out(own_name(from_, "stop_sequence"));
                return end_message(out);
            case Event::usage:
                usage_ = event.usage.tokens;
                return;
            case Event::end:
                return end(out);
            case Event::role:
            case Event::choice:
            case Event::ping:
            case Event::error:
            case Event::native:
                return;
        }
    }

    void send(std::string_view type, Json::Object members, std::string& out) {
        Json::Object event{{"type", std::string(type)}, {"sequence_number", sequence_++}};
        for (Member& member : members) event.push_back(std::move(member));
        append_sse(out, type, event);
    }

    // Told at the end of the text, which may be cited as a whole.
    void cite(const StreamEvent& event) {
        const auto found = places_.find(event.part);
        if (found == places_.end()) return;
        kept_ += kItemBytes + event.citation.url.size() + event.citation.title.size();
        found->second.citations.push_back(event.citation);
    }

    void send_citations(Place& place, std::string& out) {
        for (std::size_t i = 0; i < place.citations.size(); ++i) {
            Citation& citation = place.citations[i];
            if (citation.end == 0) citation.end = characters_in(place.text);
            send_at(
                "response.output_text.annotation.added", place,
                {{"annotation_index", static_cast<std::int64_t>(i)},
                 {"annotation", annotation_json(citation, AnnotationForm::flat)}},
                out
            );
        }
    }

    static Json::Object content_of(const Place& place) {
        if (place.kind == PartKind::refusal) return {{"type", "refusal"}, {"refusal", place.text}};
        if (place.kind == PartKind::reasoning)
            return {{"type", "reasoning_text"}, {"text", place.text}};
        Json::Array annotations;
        for (const Citation& citation : place.citations)
            annotations.push_back(annotation_json(citation, AnnotationForm::flat));
        return {
            {"type", "output_text"},
            {"text", place.text},
            {"annotations", std::move(annotations)},
            {"logprobs", place.logprobs}
        };
    }

    void add_item(Json::Object item, std::string& out) {
        send(
            "response.output_item.added",
            {{"output_index", static_cast<std::int64_t>(items_.size())}, {"item", item}}, out
        );
        items_.push_back(std::move(item));
    }
    std::string next_id(std::string_view kind) const {
        return std::string(kind) + context_.id + "_" + std::to_string(items_.size());
    }

    void begin(const StreamEvent& event, std::string& out) {
        Place place{.kind = event.part_kind};
        if (event.part_kind == PartKind::tool_call || event.part_kind == PartKind::reasoning) {
            end_message(out);
            place.output_index = static_cast<std::int64_t>(items_.size());
            place.item_id = next_id(event.part_kind == PartKind::tool_call ? "fc_" : "rs_");
            Json::Object item{{"id", place.item_id}};
            if (event.part_kind == PartKind::tool_call)
                merge(
                    item,
                    {{"type", "function_call"},
                     {"status", "in_progress"},
                     {"call_id", call_id(event.id, context_, static_cast<std::size_t>(event.part))},
                     {"name", event.name},
                     {"arguments", ""}}
                );
            else
                merge(
                    item, {{"type", "reasoning"},
                           {"status", "in_progress"},
                           {"summary", Json::Array{}},
                           {"content", Json::Array{}}}
                );
            add_item(std::move(item), out);
        } else {
            if (message_ < 0) begin_message(out);
            place.output_index = message_;
            place.item_id = message_id_;
            place.content_index = contents_++;
        }
        kept_ += kItemBytes;
        place.hidden.data = event.data;
        if (place.kind != PartKind::tool_call && event.data.empty())
            send_at("response.content_part.added", place, {{"part", content_of(place)}}, out);
        places_[event.part] = std::move(place);
    }

    void begin_message(std::string& out) {
        message_ = static_cast<std::int64_t>(items_.size());
        message_id_ = next_id("msg_");
        contents_ = 0;
        add_item(
            {{"id", message_id_},
             {"type", "message"},
             {"status", "in_progress"},
             {"role", "assistant"},
             {"content", Json::Array{}}},
            out
        );
    }

    void send_at(
        std::string_view type, const Place& place, Json::Object members, std::string& out
    ) {
        Json::Object all{{"item_id", place.item_id}, {"output_index", place.output_index}};
        if (place.kind != PartKind::tool_call)
            all.push_back({"content_index", place.content_index});
        for (Member& member : members) all.push_back(std::move(member));
        send(type, std::move(all), out);
    }

    static std::string stem(PartKind kind) {
        if (kind == PartKind::tool_call) return "response.function_call_arguments";
        if (kind == PartKind::reasoning) return "response.reasoning_text";
        return kind == PartKind::refusal ? "response.refusal" : "response.output_text";
    }

    void delta(const StreamEvent& event, std::string& out) {
        const auto found = places_.find(event.part);
        if (found == places_.end()) return;
        Place& place = found->second;
        place.text += event.text;
        kept_ += event.text.size();
        Json::Object members{{"delta", event.text}};
        if (place.kind == PartKind::text) {
            members.push_back({"logprobs", logprobs_});
            std::ranges::move(
                std::exchange(logprobs_, Json::Array()), std::back_inserter(place.logprobs)
            );
        }
        send_at(stem(place.kind) + ".delta", place, std::move(members), out);
    }

    void end_part(std::int64_t part, std::string& out) {
        const auto found = places_.find(part);
        if (found == places_.end()) return;
        if (found->second.kind == PartKind::tool_call && found->second.text.empty()) {
            // Where others may leave them out, no arguments are an empty object.
            StreamEvent nothing;
            nothing.part = part;
            nothing.text = "{}";
            delta(nothing, out);
        }
        Place place = std::move(found->second);
        places_.erase(found);
        Json::Object& item = *items_[static_cast<std::size_t>(place.output_index)].if_object();
        if (place.kind == PartKind::tool_call) {
            send_at(
                stem(place.kind) + ".done", place,
                {{"name", *find(item, "name")}, {"arguments", place.text}}, out
            );
            put(item, "arguments", place.text);
            return end_item(place.output_index, out);
        }
        if (std::string hidden = encrypted_content(place.hidden); !hidden.empty())
            put(item, "encrypted_content", std::move(hidden));
        if (!place.hidden.data.empty()) return end_item(place.output_index, out);
        send_citations(place, out);
        const char* key = place.kind == PartKind::refusal ? "refusal" : "text";
        Json::Object done{{key, place.text}};
        if (place.kind == PartKind::text) done.push_back({"logprobs", place.logprobs});
        send_at(stem(place.kind) + ".done", place, std::move(done), out);
        send_at("response.content_part.done", place, {{"part", content_of(place)}}, out);
        find(item, "content")->if_array()->push_back(content_of(place));
        if (place.kind == PartKind::reasoning) end_item(place.output_index, out);
    }

    void end_item(std::int64_t index, std::string& out) {
        Json& item = items_[static_cast<std::size_t>(index)];
        put(*item.if_object(), "status", "completed");
        send("response.output_item.done", {{"output_index", index}, {"item", item}}, out);
    }

    void end_message(std::string& out) {
        if (message_ >= 0) end_item(std::exchange(message_, -1), out);
    }

    void end(std::string& out) {
        end_message(out);
        Json::Object response = responses_head(context_, "completed");
        put(response, "output", items_);
        if (usage_) put(response, "usage", responses_usage(*usage_));
        put_responses_finish(response, finish_);
        const bool whole = *find(response, "status") == Json("completed");
        send(
            whole ? "response.completed" : "response.incomplete",
            {{"response", std::move(response)}}, out
        );
    }

    static constexpr std::size_t kItemBytes = 512;  // what an item costs beside its text
    Dialect from_;
    AnswerContext context_;
    std::int64_t sequence_ = 0;
    Json::Array items_;
    std::map<std::int64_t, Place> places_;  // parts that are open
    std::int64_t message_ = -1;             // the open message among the items
    std::string message_id_;
    std::int64_t contents_ = 0;
    Json::Array logprobs_;  // of the next text
    std::size_t kept_ = 0;
    std::optional<Finish> finish_;
    std::optional<TokenCounts> usage_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_responses_writer(Dialect from, AnswerContext context) {
    return std::make_unique<ResponsesWriter>(from, std::move(context));
}

}  // namespace penstock::dialects
