// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "gateway/continuation.h"
#include "gateway/engine_request.h"

// What an engine is asked that goes on with another one's answer.
namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using dialects::Request;
using dialects::Role;

std::string format_name(Dialect dialect) {
    if (dialect == Dialect::ollama) return "format";
    if (dialect == Dialect::responses) return "text.format";
    return dialect == Dialect::anthropic ? "output_config.format" : "response_format";
}

bool thinks(const dialects::Effort& effort) {
    return (!effort.level.empty() && effort.level != "none") || effort.enabled == true ||
           effort.tokens_max.value_or(0) > 0;
}

void put_bounds(Json::Object& body, Dialect engine, std::int64_t left) {
    if (engine == Dialect::ollama) {
        Json::Object options;
        if (const Json* given = find(body, "options"))
            if (given->if_object() != nullptr) options = *given->if_object();
        put(options, "num_predict", left);
        put(body, "options", std::move(options));
        return;
    }
    const bool newer = engine == Dialect::chat && find(body, "max_completion_tokens") != nullptr;
    static_cast<void>(take(body, newer ? "max_tokens" : "max_completion_tokens"));
    put(body, newer ? "max_completion_tokens" : "max_tokens", left);
}

void put_stream(Json::Object& body, Dialect engine) {
    put(body, "stream", true);
    if (engine == Dialect::chat) put(body, "stream_options", Json::Object{{"include_usage", true}});
}

void put_way(Json::Object& body, penstock::Continuation way) {
    switch (way) {
        case penstock::Continuation::final_message:
            put(body, "continue_final_message", true);
            put(body, "add_generation_prompt", false);
            return;
        case penstock::Continuation::prefix:
            if (Json* messages = find(body, "messages"))
                if (Json::Array* list = messages->if_array(); list != nullptr && !list->empty())
                    if (Json::Object* last = list->back().if_object()) put(*last, "prefix", true);
            return;
        case penstock::Continuation::prefill:
        case penstock::Continuation::none:
            return;
    }
}

}  // namespace

std::string obstacle_in(const Request& request) {
    using Format = dialects::ResponseFormat::Kind;
    using Choice = dialects::ToolChoice::Kind;
    if (request.choices > 1) return "n";
    if (request.logprobs.value_or(false) || request.top_logprobs) return "logprobs";
    if (request.format.kind != Format::absent && request.format.kind != Format::text)
        return format_name(request.dialect);
    if (thinks(request.effort))
        return request.dialect == Dialect::anthropic ? "thinking" : "reasoning_effort";
    const Choice choice = request.tool_choice.kind;
    if (choice == Choice::required || choice == Choice::named || choice == Choice::native)
        return "tool_choice";
    if (std::ranges::any_of(request.tools, [](const dialects::Tool& tool) {
            return !tool.function;
        }))
        return "tools";
    // What the platform has no word for may ask for anything: a grammar, sounds, images.
    if (!request.native.empty()) return request.native.front().key;
    if (!request.turns.empty() && request.turns.back().role == Role::assistant) return "messages";
    return {};
}

std::optional<std::string> body_to_go_on(const AskedOn& asked) {
    const Dialect engine = dialect_of_protocol(asked.endpoint->protocol);
    Request request = *asked.request;
    request.model = asked.endpoint->upstream_model;
    request.stream = true;
    request.output_tokens_max = asked.left;
    dialects::Turn turn{.role = Role::assistant, .plain = true};
    turn.parts.push_back({.kind = dialects::Part::Kind::text, .text = std::string(asked.text)});
    request.turns.push_back(std::move(turn));
    dialects::Written written = dialects::write_request(request, engine);
    if (!written.dropped.empty() && !asked.drops) return std::nullopt;
    Json::Object* body = written.body.if_object();
    if (body == nullptr) return std::nullopt;
    put_bounds(*body, engine, asked.left);
    put_stream(*body, engine);
    put_way(*body, asked.endpoint->continuation.value_or(penstock::Continuation::none));
    return dialects::print_json(written.body);
}

}  // namespace penstock::gateway
