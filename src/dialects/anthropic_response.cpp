// SPDX-License-Identifier: Apache-2.0
#include "dialects/anthropic.h"
#include "dialects/shared.h"
#include "dialects/usage.h"

namespace penstock::dialects {

Finish read_anthropic_finish(std::string reason, std::string sequence) {
    Finish finish{.written = std::move(reason), .sequence = std::move(sequence)};
    if (finish.written == "end_turn") finish.kind = Finish::Kind::stop;
    if (finish.written == "stop_sequence") finish.kind = Finish::Kind::stop_sequence;
    if (finish.written == "max_tokens") finish.kind = Finish::Kind::length;
    if (finish.written == "tool_use") finish.kind = Finish::Kind::tool_calls;
    if (finish.written == "model_context_window_exceeded") finish.kind = Finish::Kind::length;
    if (finish.written == "refusal") finish.kind = Finish::Kind::content_filter;
    return finish;
}

std::string anthropic_finish(const Finish& finish, Dialect from) {
    if (from == Dialect::anthropic) return finish.written;
    switch (finish.kind) {
        case Finish::Kind::stop:
            return "end_turn";
        case Finish::Kind::stop_sequence:
            return "stop_sequence";
        case Finish::Kind::length:
            return "max_tokens";
        case Finish::Kind::tool_calls:
            return "tool_use";
        case Finish::Kind::content_filter:
            return "refusal";
        case Finish::Kind::other:
            break;
    }
    return finish.written;
}

Result<Response> read_anthropic_response(Json body) {
    Trouble trouble(ErrorCode::unavailable);
    Response response{.dialect = Dialect::anthropic};
    Fields fields(std::move(body), "", trouble);
    response.id = fields.text("id").value_or("");
    response.model = fields.text("model").value_or("");
    Choice choice;
    std::optional<Json::Array> content = fields.array("content");
    if (!content) trouble.add("content", "'content' is missing");
    if (content) choice.parts = read_blocks(*std::move(content), "content", trouble);
    std::optional<std::string> reason = fields.text("stop_reason");
    std::optional<std::string> sequence = fields.text("stop_sequence");
    if (reason) choice.finish = read_anthropic_finish(*std::move(reason), sequence.value_or(""));
    if (sequence) fields.put_shape("stop_sequence", *sequence);
    response.choices.push_back(std::move(choice));
    if (std::optional<Json> usage = fields.take("usage"))
        response.usage = read_anthropic_usage(*std::move(usage));
    fields.shape({"type", "role"});
    fields.finish(response);
    return trouble.result(std::move(response));
}

Json write_anthropic_response(
    const Response& response, const AnswerContext& context, Writer& writer
) {
    Json::Object out;
    if (writer.same())
        out = {{"id", response.id}, {"model", response.model}};
    else
        out = {
            {"id", "msg_" + context.id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", context.model}
        };
    const Choice choice = response.choices.empty() ? Choice{} : response.choices.front();
    for (std::size_t i = 1; i < response.choices.size(); ++i)
        writer.lose(response.choices[i], "message");
    out.push_back({"content", write_blocks(choice.parts, writer)});
    Json reason = nullptr;
    if (choice.finish) reason = anthropic_finish(*choice.finish, response.dialect);
    out.push_back({"stop_reason", std::move(reason)});
    if (!writer.same()) {
        const bool met = choice.finish && !choice.finish->sequence.empty();
        out.push_back({"stop_sequence", met ? Json(choice.finish->sequence) : Json()});
        Json::Object usage{{"input_tokens", 0}, {"output_tokens", 0}};
        if (response.usage) {
            Json written = anthropic_usage(response.usage->tokens);
            merge(*written.if_object(), usage);
            usage = *written.if_object();
        }
        out.push_back({"usage", std::move(usage)});
    } else if (response.usage) {
        out.push_back({"usage", response.usage->written});
    }
    if (!writer.same() && !choice.logprobs.empty()) writer.lose(choice, "logprobs");
    lose_message(choice, writer);
    writer.around(out, choice);
    writer.around(out, response);
    return out;
}

}  // namespace penstock::dialects
