// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/time.h"
#include "dialects/citations.h"
#include "dialects/ollama.h"
#include "dialects/reasoning.h"
#include "dialects/shared.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

Part read_call(Json value, const std::string& path, std::string id, Trouble& trouble) {
    Fields outer(std::move(value), path, trouble);
    Part part;
    part.kind = Part::Kind::tool_call;
    outer.shape({"type"});
    const std::optional<std::string> given = outer.text("id");
    part.id = given.value_or(std::move(id));
    if (given) outer.put_shape("id", *given);
    Fields function(outer.take("function").value_or(Json()), path + ".function", trouble);
    part.name = function.need_text("name");
    part.text = print_json(function.take("arguments").value_or(Json::Object{}));
    Extras inner;
    function.shape({"index"});
    function.finish(inner);
    outer.finish(part);
    merge(part.native, inner.native);
    if (!inner.shape.empty()) put(part.shape, "function", inner.shape);
    return part;
}

}  // namespace

Json::Array read_ollama_logprobs(Fields& fields) {
    std::optional<Json::Array> logprobs = fields.array("logprobs");
    if (!logprobs) return {};
    fields.put_shape("logprobs", *logprobs);
    return *std::move(logprobs);
}

std::vector<Part> read_ollama_parts(Fields& message, std::string_view call_prefix, int& count) {
    std::vector<Part> parts;
    std::vector<Part> details = read_reasoning_details(message);
    if (std::optional<std::string> thinking = message.text("thinking")) {
        Part part{{}, Part::Kind::reasoning, *std::move(thinking)};
        part.path = message.at("thinking");
        if (details.empty())
            parts.push_back(std::move(part));
        else
            message.put_shape("thinking", part.text);
    }
    std::ranges::move(details, std::back_inserter(parts));
    if (std::optional<std::string> text = message.text("content"))
        parts.push_back(Part{{}, Part::Kind::text, *std::move(text)});
    std::optional<Json::Array> calls = message.array("tool_calls");
    if (!calls) {
        place_reasoning(parts);
        return parts;
    }
    if (calls->empty()) message.put_shape("tool_calls", Json::Array{});
    for (std::size_t i = 0; i < calls->size(); ++i)
        parts.push_back(read_call(
            std::move((*calls)[i]), index_path(message.at("tool_calls"), i),
            std::string(call_prefix) + std::to_string(count++), message.trouble()
        ));
    place_reasoning(parts);
    return parts;
}

Json::Object ollama_call(const Part& part, Writer& writer) {
    Json::Object call{
        {"function",
         Json::Object{{"name", part.name}, {"arguments", arguments_object(part, writer)}}}
    };
    writer.extras(call, part);
    return call;
}

std::string ollama_time(std::int64_t seconds) {
    return to_rfc3339(Time(std::chrono::seconds(seconds)));
}

// It says "stop" also where the model called a tool.
Finish read_ollama_finish(std::string reason, bool called) {
    Finish finish{.written = std::move(reason)};
    if (finish.written == "stop")
        finish.kind = called ? Finish::Kind::tool_calls : Finish::Kind::stop;
    if (finish.written == "length") finish.kind = Finish::Kind::length;
    return finish;
}

std::string ollama_finish(const Finish& finish, Dialect from) {
    if (from == Dialect::ollama) return finish.written;
    switch (finish.kind) {
        case Finish::Kind::stop:
        case Finish::Kind::stop_sequence:
        case Finish::Kind::tool_calls:
            return "stop";
        case Finish::Kind::length:
            return "length";
        case Finish::Kind::content_filter:
            return "content_filter";
        case Finish::Kind::other:
            break;
    }
    return finish.written;
}

Result<Response> read_ollama_response(Json body, std::string_view call_prefix) {
    Trouble trouble(ErrorCode::unavailable);
    Response response{.dialect = Dialect::ollama};
    const Json whole = body;
    Fields fields(std::move(body), "", trouble);
    response.model = fields.text("model").value_or("");
    Choice choice;
    Fields message(fields.take("message").value_or(Json()), "message", trouble);
    message.shape({"role"});
    int count = 0;
    choice.parts = read_ollama_parts(message, call_prefix, count);
    choice.logprobs = read_ollama_logprobs(fields);
    Extras around;
    message.finish(around);
    put(choice.shape, "message", around.shape);
    if (!around.native.empty()) put(choice.native, "message", around.native);
    if (std::optional<std::string> reason = fields.text("done_reason"))
        choice.finish = read_ollama_finish(*std::move(reason), count > 0);
    response.choices.push_back(std::move(choice));
    if (fields.has("prompt_eval_count") || fields.has("eval_count"))
        response.usage = read_ollama_usage(whole);
    fields.shape(
        {"created_at", "done", "total_duration", "load_duration", "prompt_eval_duration",
         "eval_duration", "prompt_eval_count", "eval_count"}
    );
    fields.finish(response);
    return trouble.result(std::move(response));
}

Json write_ollama_response(const Response& response, const AnswerContext& context, Writer& writer) {
    const Choice choice = response.choices.empty() ? Choice{} : response.choices.front();
    for (std::size_t i = 1; i < response.choices.size(); ++i)
        writer.lose(response.choices[i], "message");
    Json::Object message;
    if (!writer.same()) message.push_back({"role", "assistant"});
    std::string text;
    std::string thinking;
    bool any_text = !writer.same();
    Json::Array calls;
    for (const Part& part : choice.parts) {
        any_text = any_text || part.kind == Part::Kind::text;
        if (part.kind == Part::Kind::text || part.kind == Part::Kind::refusal) text += part.text;
        if (part.kind == Part::Kind::reasoning && !is_in_shape(part, writer)) thinking += part.text;
        if (part.kind == Part::Kind::tool_call) calls.push_back(ollama_call(part, writer));
        if (part.kind == Part::Kind::native) writer.lose(part, "type");
        if (is_out_of_place(part, writer)) continue;
        if (!writer.same() && part.kind != Part::Kind::native) writer.lose_natives(part);
        if (!writer.same() && !part.citations.empty())
            writer.lose(citations_place(part, response.dialect));
    }
    if (!writer.same())
        if (Json::Array details = reasoning_details(choice.parts); !details.empty())
            message.push_back({std::string(kReasoningDetails), std::move(details)});
    if (any_text) message.push_back({"content", std::move(text)});
    if (!thinking.empty()) message.push_back({"thinking", std::move(thinking)});
    if (!calls.empty()) message.push_back({"tool_calls", std::move(calls)});
    Json::Object out{{"model", writer.same() ? response.model : context.model}};
    if (!writer.same()) out.push_back({"created_at", ollama_time(context.created)});
    out.push_back({"message", std::move(message)});
    if (choice.finish)
        out.push_back({"done_reason", ollama_finish(*choice.finish, response.dialect)});
    if (!writer.same()) {
        out.push_back({"done", true});
        if (response.usage) add_ollama_usage(out, response.usage->tokens);
    }
    if (!writer.same() && !choice.logprobs.empty()) out.push_back({"logprobs", choice.logprobs});
    if (!writer.same() && choice.finish && !choice.finish->sequence.empty())
        writer.leave_out(own_name(response.dialect, "stop_sequence"));
    lose_message(choice, writer);
    writer.around(out, choice);
    writer.around(out, response);
    return out;
}

}  // namespace penstock::dialects
