// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>

#include "dialects/ollama.h"
#include "dialects/reasoning.h"
#include "dialects/shared.h"
#include "dialects/stream.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

using Event = StreamEvent::Kind;
using PartKind = Part::Kind;

class OllamaReader final : public StreamReader {
  public:
    explicit OllamaReader(std::string_view call_prefix) : call_prefix_(call_prefix) {}

    Result<StreamFrame> read(std::string_view, std::string_view data) override {
        Trouble trouble(ErrorCode::unavailable);
        StreamFrame frame;
        Json value = TRY(parse_frame(data));
        const Json whole = value;
        Fields fields(std::move(value), "", trouble);
        if (const std::optional<Json> error = fields.take("error")) {
            StreamEvent event = event_of(Event::error);
            if (error->if_string() != nullptr) event.text = *error->if_string();
            fields.put_shape("error", *error);
            frame.events.push_back(std::move(event));
        }
        if (!std::exchange(started_, true)) {
            StreamEvent start = event_of(Event::start);
            if (const Json* model = whole.find("model"); model != nullptr && model->if_string())
                start.name = *model->if_string();
            frame.events.push_back(std::move(start));
            frame.events.push_back(event_of(Event::role));
        }
        if (std::optional<Json> message = fields.take("message"))
            read_message(*std::move(message), frame, trouble);
        if (const std::optional<bool> done = fields.boolean("done")) {
            fields.put_shape("done", *done);
            if (*done) read_end(fields, whole, frame);
        }
        read_token_logprobs(fields, frame);
        fields.shape(
            {"model", "created_at", "total_duration", "load_duration", "prompt_eval_duration",
             "eval_duration", "prompt_eval_count", "eval_count"}
        );
        fields.finish(frame);
        note(frame);
        return trouble.result(std::move(frame));
    }

  private:
    void read_message(Json value, StreamFrame& frame, Trouble& trouble) {
        Fields message(std::move(value), "message", trouble);
        message.shape({"role"});
        StreamEvent choice = event_of(Event::choice);
        const std::size_t at = frame.events.size();
        frame.events.push_back(std::move(choice));
        int count = calls_;
        for (Part& part : read_ollama_parts(message, call_prefix_, count)) {
            if (part.name == kReasoningDetails)
                add_proof(part, frame, trouble);
            else if (part.kind == PartKind::tool_call)
                add_call(std::move(part), frame, trouble);
            else
                add_text(part, message, frame, trouble);
        }
        calls_ = count;
        message.finish(frame.events[at]);
        frame.events[at].path = "message";
    }

    // They stand beside the message, and come before its text here.
    static void read_token_logprobs(Fields& fields, StreamFrame& frame) {
        StreamEvent event = event_of(Event::logprobs);
        event.logprobs = read_ollama_logprobs(fields);
        event.path = "logprobs";
        if (event.logprobs.empty()) return;
        const auto text = std::ranges::find(frame.events, Event::delta, &StreamEvent::kind);
        frame.events.insert(text, std::move(event));
    }

    std::int64_t begin(PartKind kind, StreamFrame& frame, Trouble& trouble) {
        if (parts_ >= kStreamPartsMax)
            trouble.add("message", "the engine's answer has too many parts");
        StreamEvent event = event_of(Event::part_start);
        event.part = parts_;
        event.part_kind = kind;
        frame.events.push_back(std::move(event));
        return parts_++;
    }

    void end_text(StreamFrame& frame) {
        if (open_ < 0) return;
        StreamEvent event = event_of(Event::part_end);
        event.part = std::exchange(open_, -1);
        event.part_kind = open_kind_;
        frame.events.push_back(std::move(event));
    }

    void add_text(const Part& part, Fields& message, StreamFrame& frame, Trouble& trouble) {
        const char* name = part.kind == PartKind::reasoning ? "thinking" : "content";
        // The last line, and each line of the other kind, has it empty.
        if (part.text.empty()) return message.put_shape(name, "");
        if (open_ < 0 || open_kind_ != part.kind) {
            end_text(frame);
            open_ = begin(part.kind, frame, trouble);
            open_kind_ = part.kind;
        }
        StreamEvent event = event_of(Event::delta);
        event.part = open_;
        event.part_kind = part.kind;
        event.text = part.text;
        event.name = name;
        frame.events.push_back(std::move(event));
    }

    // Another gateway's, that has an engine of another dialect behind it.
    void add_proof(const Part& part, StreamFrame& frame, Trouble& trouble) {
        const bool open = open_ >= 0 && open_kind_ == PartKind::reasoning && part.data.empty();
        if (!open) {
            end_text(frame);
            open_ = begin(PartKind::reasoning, frame, trouble);
            open_kind_ = PartKind::reasoning;
            frame.events.back().data = part.data;
        }
        StreamEvent event = event_of(Event::signature);
        event.part = open_;
        event.part_kind = PartKind::reasoning;
        event.text = part.signature;
        if (!event.text.empty()) frame.events.push_back(std::move(event));
        end_text(frame);
    }

    void add_call(Part part, StreamFrame& frame, Trouble& trouble) {
        end_text(frame);
        const std::int64_t number = begin(PartKind::tool_call, frame, trouble);
        frame.events.back().id = part.id;
        frame.events.back().name = part.name;
        StreamEvent delta = event_of(Event::delta);
        delta.part = number;
        delta.part_kind = PartKind::tool_call;
        delta.text = std::move(part.text);
        delta.native = std::move(part.native);
        delta.shape = std::move(part.shape);
        frame.events.push_back(std::move(delta));
        StreamEvent end = event_of(Event::part_end);
        end.part = number;
        end.part_kind = PartKind::tool_call;
        frame.events.push_back(std::move(end));
    }

    void read_end(Fields& fields, const Json& whole, StreamFrame& frame) {
        end_text(frame);
        if (std::optional<std::string> reason = fields.text("done_reason")) {
            StreamEvent event = event_of(Event::finish);
            event.finish = read_ollama_finish(*std::move(reason), calls_ > 0);
            frame.events.push_back(std::move(event));
        }
        if (fields.has("prompt_eval_count") || fields.has("eval_count")) {
            StreamEvent event = event_of(Event::usage);
            event.usage = read_ollama_usage(whole);
            frame.events.push_back(std::move(event));
        }
        frame.events.push_back(event_of(Event::end));
    }

    std::string call_prefix_;
    bool started_ = false;
    std::int64_t parts_ = 0;
    std::int64_t open_ = -1;
    PartKind open_kind_ = PartKind::text;
    int calls_ = 0;
};

void write_line(std::string& out, const Json& value) { out.append(print_json(value)).append("\n"); }

class SameOllamaWriter final : public StreamWriter {
  public:
    Result<void> write(const StreamFrame& frame, std::string& out) override {
        Writer writer(Dialect::ollama, Dialect::ollama);
        Json::Object line;
        Json::Object message;
        Json::Array calls;
        const StreamEvent* started = nullptr;
        bool any = false;
        for (const StreamEvent& event : frame.events) {
            if (event.kind == Event::choice) {
                any = true;
                merge(message, event.native);
                merge(message, event.shape);
            }
            if (event.kind == Event::part_start) started = &event;
            if (event.kind == Event::finish) put(line, "done_reason", event.finish.written);
            if (event.kind != Event::delta) continue;
            if (event.part_kind != PartKind::tool_call) {
                put(message, event.name, event.text);
                continue;
            }
            Part part{{event.native, event.shape, {}}, PartKind::tool_call, event.text};
            part.name = started->name;
            calls.push_back(ollama_call(part, writer));
        }
        if (!calls.empty()) put(message, "tool_calls", std::move(calls));
        if (any) put(line, "message", std::move(message));
        merge(line, frame.native);
        merge(line, frame.shape);
        write_line(out, line);
        return {};
    }
    void fail(const StreamFailure& failure, std::string& out) override {
        write_line(out, Json::Object{{"error", failure.message}});
    }
};

// Calls are told whole there, with their arguments as an object.
class OllamaWriter final : public StreamWriter {
  public:
    OllamaWriter(Dialect from, AnswerContext context) : from_(from), context_(std::move(context)) {}

    Result<void> write(const StreamFrame& frame, std::string& out) override {
        lose_natives(frame, true);
        for (const StreamEvent& event : frame.events) {
            if (event.choice != 0 || event.part_kind == PartKind::native) continue;
            TRY(write_event(event, out));
        }
        if (logprobs_.size() > kLogprobsWaitingMax)
            return penstock::fail(
                ErrorCode::resource_exhausted, "the engine tells of too many tokens without text"
            );
        return {};
    }
    void fail(const StreamFailure& failure, std::string& out) override {
        write_line(out, Json::Object{{"error", failure.message}});
    }

  private:
    Result<void> write_event(const StreamEvent& event, std::string& out) {
        switch (event.kind) {
            case Event::part_start:
                begin(event);
                return {};
            case Event::delta:
                return write_delta(event, out);
            case Event::part_end:
                if (event.part_kind == PartKind::tool_call) return write_call(event, out);
                if (event.part_kind == PartKind::reasoning) write_proof(event.part, out);
                return {};
            case Event::signature:
                if (proven_) proven_->signature += event.text;
                return {};
            case Event::citation:
                lose(event.path);
                return {};
            case Event::logprobs:
                std::ranges::copy(event.logprobs, std::back_inserter(logprobs_));
                return {};
            case Event::finish:
                finish_ = event.finish;
                if (!finish_->sequence.empty()) leave_out(own_name(from_, "stop_sequence"));
                return {};
            case Event::usage:
                usage_ = event.usage.tokens;
                return {};
            case Event::end:
                write_end(out);
                return {};
            case Event::start:
            case Event::role:
            case Event::choice:
            case Event::ping:
            case Event::error:
            case Event::native:
                return {};
        }
        return {};
    }

    Json::Object head(Json::Object message, bool done) const {
        Json::Object whole{{"role", "assistant"}, {"content", ""}};
        for (Member& member : message) put(whole, member.key, std::move(member.value));
        return {
            {"model", context_.model},
            {"created_at", ollama_time(context_.created)},
            {"message", std::move(whole)},
            {"done", done}
        };
    }

    Result<void> write_delta(const StreamEvent& event, std::string& out) {
        if (event.text.empty()) return {};
        const bool reasons = event.part_kind == PartKind::reasoning;
        if (event.part_kind != PartKind::tool_call) {
            Json::Object line = head({{reasons ? "thinking" : "content", event.text}}, false);
            if (!reasons && !logprobs_.empty())
                line.push_back({"logprobs", std::exchange(logprobs_, Json::Array())});
            write_line(out, line);
            // A proof may follow, which is told with the text that it is of.
            if (!reasons || !proven_ || from_ != Dialect::anthropic) return {};
        }
        kept_ += event.text.size();
        if (kept_ > kStreamKeptBytesMax)
            return penstock::fail(
                ErrorCode::resource_exhausted, "what is kept of the engine's answer is too long"
            );
        if (reasons)
            proven_->text += event.text;
        else
            calls_[event.part].text += event.text;
        return {};
    }

    Result<void> write_call(const StreamEvent& event, std::string& out) {
        Writer writer(from_, Dialect::ollama);
        Json::Object call = ollama_call(calls_[event.part], writer);
        if (!writer.take_losses().empty())
            return penstock::fail(
                ErrorCode::unavailable, "the engine's call has arguments that are no JSON object"
            );
        write_line(out, head({{"tool_calls", Json::Array{std::move(call)}}}, false));
        calls_.erase(event.part);
        return {};
    }

    void begin(const StreamEvent& event) {
        if (event.part_kind == PartKind::tool_call) {
            calls_[event.part].kind = PartKind::tool_call;
            calls_[event.part].name = event.name;
        }
        if (event.part_kind != PartKind::reasoning) return;
        proven_.emplace();
        proven_->data = event.data;
    }

    void write_proof(std::int64_t index, std::string& out) {
        if (!proven_) return;
        const Part part = *std::exchange(proven_, std::nullopt);
        if (part.signature.empty() && part.data.empty()) return;
        Json::Array details{reasoning_detail(part, index)};
        write_line(out, head({{std::string(kReasoningDetails), std::move(details)}}, false));
    }

    void write_end(std::string& out) const {
        Json::Object line = head({}, true);
        if (finish_) line.push_back({"done_reason", ollama_finish(*finish_, from_)});
        if (usage_) add_ollama_usage(line, *usage_);
        write_line(out, line);
    }

    Dialect from_;
    AnswerContext context_;
    std::map<std::int64_t, Part> calls_;
    std::optional<Part> proven_;  // the open reasoning
    Json::Array logprobs_;        // of the next text
    std::size_t kept_ = 0;
    std::optional<Finish> finish_;
    std::optional<TokenCounts> usage_;
};

}  // namespace

std::unique_ptr<StreamReader> make_ollama_reader(std::string_view call_prefix) {
    return std::make_unique<OllamaReader>(call_prefix);
}

std::unique_ptr<StreamWriter> make_ollama_writer(Dialect from, AnswerContext context) {
    if (from == Dialect::ollama) return std::make_unique<SameOllamaWriter>();
    return std::make_unique<OllamaWriter>(from, std::move(context));
}

}  // namespace penstock::dialects
