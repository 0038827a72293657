// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dialects/responses.h"
#include "dialects/shared.h"
#include "dialects/usage.h"

namespace penstock::dialects {

Finish read_responses_finish(const std::string& status, const Json* details, bool called) {
    Finish finish{.written = status};
    if (status == "completed") finish.kind = called ? Finish::Kind::tool_calls : Finish::Kind::stop;
    const Json* reason = details == nullptr ? nullptr : details->find("reason");
    if (status != "incomplete" || reason == nullptr || reason->if_string() == nullptr)
        return finish;
    finish.written = *reason->if_string();
    if (finish.written == "max_output_tokens") finish.kind = Finish::Kind::length;
    if (finish.written == "content_filter") finish.kind = Finish::Kind::content_filter;
    return finish;
}

void put_responses_finish(Json::Object& out, const std::optional<Finish>& finish) {
    std::string reason;
    if (finish && finish->kind == Finish::Kind::length) reason = "max_output_tokens";
    if (finish && finish->kind == Finish::Kind::content_filter) reason = "content_filter";
    if (finish && finish->kind == Finish::Kind::other) reason = finish->written;
    // Nobody knows whether an answer is whole whose engine gave no reason to stop.
    put(out, "status", finish && reason.empty() ? "completed" : "incomplete");
    put(out, "incomplete_details",
        reason.empty() ? Json() : Json(Json::Object{{"reason", std::move(reason)}}));
}

Json::Object responses_head(const AnswerContext& context, std::string_view status) {
    Json::Object out{
        {"id", "resp_" + context.id},    {"object", "response"},    {"created_at", context.created},
        {"status", std::string(status)}, {"error", nullptr},        {"incomplete_details", nullptr},
        {"model", context.model},        {"output", Json::Array{}},
    };
    merge(out, context.echo);
    merge(
        out, {{"instructions", nullptr},
              {"metadata", Json::Object{}},
              {"parallel_tool_calls", true},
              {"temperature", nullptr},
              {"tool_choice", "auto"},
              {"tools", Json::Array{}},
              {"top_p", nullptr},
              {"max_output_tokens", nullptr},
              {"previous_response_id", nullptr},
              {"store", false},
              {"usage", nullptr}}
    );
    return out;
}

Result<Response> read_responses_response(Json body) {
    Trouble trouble(ErrorCode::unavailable);
    Response response{.dialect = Dialect::responses};
    Fields fields(std::move(body), "", trouble);
    response.id = fields.text("id").value_or("");
    response.model = fields.text("model").value_or("");
    std::optional<Json::Array> output = fields.array("output");
    if (!output) trouble.add("output", "'output' is missing");
    Choice choice;
    Json::Array items;
    bool called = false;
    for (std::size_t i = 0; output && i < output->size(); ++i) {
        Turn turn = read_item(std::move((*output)[i]), index_path("output", i), trouble);
        for (const Part& part : turn.parts) {
            called = called || part.kind == Part::Kind::tool_call;
            choice.parts.push_back(part);
        }
        // How the items were cut and named, for the same dialect.
        items.push_back(Json::Object{
            {"parts", static_cast<std::int64_t>(turn.parts.size())},
            {"plain", turn.plain},
            {"shape", turn.shape},
            {"native", turn.native}
        });
    }
    put(choice.shape, "items", std::move(items));
    if (const std::optional<std::string> status = fields.text("status")) {
        const std::optional<Json> details = fields.take("incomplete_details");
        choice.finish = read_responses_finish(*status, details ? &*details : nullptr, called);
        fields.put_shape("status", *status);
        if (details) fields.put_shape("incomplete_details", *details);
    }
    response.choices.push_back(std::move(choice));
    if (std::optional<Json> usage = fields.take("usage"))
        response.usage = read_responses_usage(*std::move(usage));
    fields.finish(response);
    // What an answer says of its request and of its keeping is no part of what the model said.
    merge(response.shape, std::exchange(response.native, {}));
    return trouble.result(std::move(response));
}

namespace {

Json::Array same_items(const Choice& choice, Writer& writer) {
    Json::Array out;
    const Json* items = find(choice.shape, "items");
    auto next = choice.parts.begin();
    for (const Json& item : *items->if_array()) {
        Turn turn;
        turn.role = Role::assistant;
        turn.plain = *item.find("plain")->if_bool();
        turn.shape = *item.find("shape")->if_object();
        turn.native = *item.find("native")->if_object();
        const std::int64_t count = *item.find("parts")->if_integer();
        turn.parts.assign(next, next + count);
        next += count;
        for (Json& written : write_items(turn, {}, writer)) out.push_back(std::move(written));
    }
    return out;
}

// Of the whole answer; there they stand with the text, of which others have one.
void put_logprobs(Json::Object& out, const Json::Array& logprobs) {
    for (Json& item : *find(out, "output")->if_array()) {
        Json* content = find(*item.if_object(), "content");
        const bool message = *item.find("type") == Json("message") && content != nullptr;
        if (!message || content->if_array() == nullptr) continue;
        for (Json& part : *content->if_array())
            if (*part.find("type") == Json("output_text"))
                return put(*part.if_object(), "logprobs", logprobs);
    }
}

}  // namespace

Json write_responses_response(
    const Response& response, const AnswerContext& context, Writer& writer
) {
    const Choice choice = response.choices.empty() ? Choice{} : response.choices.front();
    if (writer.same()) {
        Json::Object out{
            {"id", response.id}, {"model", response.model}, {"output", same_items(choice, writer)}
        };
        if (response.usage) out.push_back({"usage", response.usage->written});
        writer.extras(out, response);
        return out;
    }
    for (std::size_t i = 1; i < response.choices.size(); ++i)
        writer.lose(response.choices[i], "message");
    Json::Object out = responses_head(context, "completed");
    Turn turn{{}, Role::assistant, choice.parts};
    put(out, "output", write_items(turn, context.id, writer));
    if (!choice.logprobs.empty()) put_logprobs(out, choice.logprobs);
    if (choice.finish && !choice.finish->sequence.empty())
        writer.leave_out(own_name(response.dialect, "stop_sequence"));
    put_responses_finish(out, choice.finish);
    if (response.usage) put(out, "usage", responses_usage(response.usage->tokens));
    lose_message(choice, writer);
    Json::Object nothing;
    writer.around(nothing, choice);
    writer.around(nothing, response);
    return out;
}

}  // namespace penstock::dialects
