// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

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

constexpr std::array<std::string_view, 8> kEvents{
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error"
};

std::string block_path(std::int64_t index) {
    return index_path("content", static_cast<std::size_t>(std::max<std::int64_t>(index, 0)));
}

// Each frame of Anthropic says one thing; its words are events, the rest is the frame's own.
class AnthropicReader final : public StreamReader {
  public:
    Result<StreamFrame> read(std::string_view, std::string_view data) override {
        Trouble trouble(ErrorCode::unavailable);
        StreamFrame frame;
        Json value = TRY(parse_frame(data));
        const std::string type = word(value.find("type"));
        Fields fields(std::move(value), "", trouble);
        fields.shape({"type"});
        if (type == "message_start") read_start(fields, frame);
        if (type == "content_block_start") read_block_start(fields, frame);
        if (type == "content_block_delta") read_delta(fields, frame);
        if (type == "content_block_stop") read_block_stop(fields, frame);
        if (type == "message_delta") read_message_delta(fields, frame);
        if (type == "message_stop") frame.events.push_back(event_of(Event::end));
        if (type == "ping") frame.events.push_back(event_of(Event::ping));
        if (type == "error") read_error(fields, frame);
        if (frame.events.empty()) {
            frame.events.push_back(event_of(Event::native));
            if (std::ranges::find(kEvents, type) == kEvents.end()) frame.events[0].id = type;
        }
        fields.finish(frame);
        note(frame);
        return trouble.result(std::move(frame));
    }

  private:
    void add_usage(Json written, StreamFrame& frame) {
        // Totals: a later one replaces, and what it leaves out still holds.
        Json earlier = usage_;
        usage_ = later_usage(std::move(usage_), written);
        StreamEvent event = event_of(Event::usage);
        event.usage = read_anthropic_usage(usage_);
        event.usage.written = std::move(written);
        event.usage.earlier = std::move(earlier);
        frame.events.push_back(std::move(event));
    }

    void read_start(Fields& fields, StreamFrame& frame) {
        Fields message(fields.take("message").value_or(Json()), "message", fields.trouble());
        StreamEvent start = event_of(Event::start);
        start.id = message.text("id").value_or("");
        start.name = message.text("model").value_or("");
        frame.events.push_back(std::move(start));
        frame.events.push_back(event_of(Event::role));
        if (std::optional<Json> usage = message.take("usage")) add_usage(*std::move(usage), frame);
        message.shape({"type", "role", "content"});
        Extras extras;
        message.finish(extras);
        fields.put_shape("message", extras.shape);
        if (!extras.native.empty()) put(frame.native, "message", extras.native);
    }

    static std::int64_t index_of(Fields& fields) {
        const std::int64_t index = fields.integer("index").value_or(-1);
        if (index < 0 || index >= kStreamPartsMax)
            fields.trouble().add("index", "the engine's answer has too many parts");
        return index;
    }

    void read_block_start(Fields& fields, StreamFrame& frame) {
        StreamEvent event = event_of(Event::part_start);
        event.part = index_of(fields);
        Fields block(
            fields.take("content_block").value_or(Json()), "content_block", fields.trouble()
        );
        const std::string type = block.need_text("type");
        std::string text;
        std::string signature;
        if (type == "tool_use") {
            event.part_kind = PartKind::tool_call;
            event.id = block.need_text("id");
            event.name = block.need_text("name");
            hold_input(block, event.part);
            block.shape_if("caller", Json::Object{{"type", "direct"}});
        } else if (type == "thinking") {
            event.part_kind = PartKind::reasoning;
            text = block.text("thinking").value_or("");
            if (const auto proof = block.text("signature")) {
                signature = *proof;
                block.put_shape("signature", signature);
            }
        } else if (type == "redacted_thinking") {
            event.part_kind = PartKind::reasoning;
            event.data = block.need_text("data");
            block.put_shape("data", event.data);
        } else if (type == "text") {
            text = block.text("text").value_or("");
            block.shape_if("citations", Json::Array{});
        } else {
            event.part_kind = PartKind::native;
        }
        kind_ = event.part_kind;
        event.text = type;
        frame.events.push_back(event);
        if (!text.empty()) frame.events.push_back(delta_of(event.part, text));
        if (!signature.empty()) {
            frame.events.push_back(delta_of(event.part, std::move(signature)));
            frame.events.back().kind = Event::signature;
        }
        block.finish(frame.events.front());
        frame.events.front().path = block_path(event.part);
        // A block begins with its text empty; it is written so again.
        if (text.empty() && type == "thinking") put(frame.events.front().shape, "thinking", "");
        if (text.empty() && type == "text") put(frame.events.front().shape, "text", "");
    }

    // A call begins with its input empty, and deltas tell it; some engines tell it at once instead.
    void hold_input(Fields& block, std::int64_t part) {
        const Json* input = block.look("input");
        const Json::Object* object = input == nullptr ? nullptr : input->if_object();
        input_.reset();
        if (object != nullptr && !object->empty()) input_ = {part, print_json(*input)};
        block.shape({"input"});
    }

    StreamEvent delta_of(std::int64_t part, std::string text) const {
        StreamEvent event = event_of(Event::delta);
        event.part = part;
        event.part_kind = kind_;
        event.text = std::move(text);
        return event;
    }

    void read_delta(Fields& fields, StreamFrame& frame) {
        const std::int64_t part = index_of(fields);
        Fields delta(fields.take("delta").value_or(Json()), "delta", fields.trouble());
        const std::string type = delta.need_text("type");
        StreamEvent event = event_of(Event::native);
        if (type == "text_delta") event = delta_of(part, delta.need_text("text"));
        if (type == "thinking_delta") event = delta_of(part, delta.need_text("thinking"));
        if (type == "input_json_delta") event = delta_of(part, delta.need_text("partial_json"));
        if (type == "input_json_delta" && !event.text.empty()) input_.reset();
        if (type == "signature_delta") {
            event = delta_of(part, delta.need_text("signature"));
            event.kind = Event::signature;
        }
        if (type == "citations_delta") event = citation_of(delta, part);
        event.part = part;
        event.name = type;
        delta.finish(event);
        event.path = block_path(part);
        if (type == "citations_delta")
            event.path += ".citations";
        else if (event.kind == Event::native)
            event.path += "." + type;
        frame.events.push_back(std::move(event));
    }

    static StreamEvent citation_of(Fields& delta, std::int64_t part) {
        const Json* entry = delta.look("citation");
        const std::optional<Citation> citation =
            entry == nullptr ? std::nullopt : read_citation(*entry);
        if (!citation) return event_of(Event::native);
        StreamEvent event = event_of(Event::citation);
        event.citation = *citation;
        // What Anthropic needs to cite the same again.
        if (!word(entry->find("encrypted_index")).empty())
            event.lost.push_back(block_path(part) + ".citations.encrypted_index");
        delta.shape({"citation"});
        return event;
    }

    void read_block_stop(Fields& fields, StreamFrame& frame) {
        StreamEvent event = event_of(Event::part_end);
        event.part = index_of(fields);
        event.part_kind = kind_;
        if (input_ && input_->first == event.part) {
            frame.events.push_back(delta_of(event.part, std::move(input_->second)));
            input_.reset();
        }
        frame.events.push_back(std::move(event));
    }

    void read_message_delta(Fields& fields, StreamFrame& frame) {
        Fields delta(fields.take("delta").value_or(Json::Object{}), "delta", fields.trouble());
        const std::optional<std::string> sequence = delta.text("stop_sequence");
        if (std::optional<std::string> reason = delta.text("stop_reason")) {
            StreamEvent event = event_of(Event::finish);
            event.finish = read_anthropic_finish(*std::move(reason), sequence.value_or(""));
            frame.events.push_back(std::move(event));
        }
        if (std::optional<Json> usage = fields.take("usage")) add_usage(*std::move(usage), frame);
        Extras extras;
        delta.finish(extras);
        if (sequence) put(extras.shape, "stop_sequence", *sequence);
        fields.put_shape("delta", extras.shape);
        if (!extras.native.empty()) put(frame.native, "delta", extras.native);
    }

    static void read_error(Fields& fields, StreamFrame& frame) {
        StreamEvent event = event_of(Event::error);
        const std::optional<Json> error = fields.take("error");
        if (error) {
            event.text = word(error->find("message"));
            event.id = word(error->find("type"));
            fields.put_shape("error", *error);
        }
        frame.events.push_back(std::move(event));
    }

    Json usage_;
    PartKind kind_ = PartKind::text;
    std::optional<std::pair<std::int64_t, std::string>> input_;  // of an open call, by its part
};

}  // namespace

std::unique_ptr<StreamReader> make_anthropic_reader() {
    return std::make_unique<AnthropicReader>();
}

}  // namespace penstock::dialects
