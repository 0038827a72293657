// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include "dialects/chat.h"
#include "dialects/chat_message.h"
#include "dialects/citations.h"
#include "dialects/shared.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

Choice read_choice(Json value, const std::string& path, Trouble& trouble) {
    Fields fields(std::move(value), path, trouble);
    Choice choice;
    choice.index = fields.integer("index").value_or(0);
    Fields message(fields.take("message").value_or(Json()), path + ".message", trouble);
    bool plain = false;
    message.shape({"role"});
    read_assistant(message, choice.parts, plain);
    Extras around;
    message.finish(around);
    if (std::optional<std::string> reason = fields.text("finish_reason"))
        choice.finish = read_chat_finish(*std::move(reason));
    if (choice.finish) read_met_sequence(fields, *choice.finish);
    choice.logprobs = read_logprobs(fields, choice);
    fields.finish(choice);
    // Members of the message stand below one name of their own.
    if (!around.shape.empty()) put(choice.shape, "message", around.shape);
    if (!around.native.empty()) put(choice.native, "message", around.native);
    std::ranges::move(around.lost, std::back_inserter(choice.lost));
    return choice;
}

void join(Part& text, const Part& more) {
    const std::int64_t before = characters_in(text.text);
    text.text += more.text;
    for (Citation citation : more.citations) {
        citation.begin += before;
        citation.end += before;
        text.citations.push_back(std::move(citation));
    }
    merge(text.native, more.native);
    text.lost.insert(text.lost.end(), more.lost.begin(), more.lost.end());
}

// The text of all parts of one kind: Chat has one content for them.
std::vector<Part> merged(const std::vector<Part>& parts) {
    std::vector<Part> out;
    for (const Part& part : parts) {
        const bool text = part.kind == Part::Kind::text || part.kind == Part::Kind::refusal;
        Part* same = nullptr;
        for (Part& there : out)
            if (text && there.kind == part.kind) same = &there;
        if (same != nullptr)
            join(*same, part);
        else
            out.push_back(part);
        if (part.kind == Part::Kind::refusal) out.back().plain = true;
    }
    return out;
}

// What vLLM and others tell beside OpenAI's members, under their names for it.
void put_beside(Json::Object& out, const Choice& choice) {
    if (!choice.logprobs.empty())
        out.push_back({"logprobs", Json::Object{{"content", choice.logprobs}, {"refusal", nullptr}}}
        );
    if (choice.finish && !choice.finish->sequence.empty())
        out.push_back({"stop_reason", choice.finish->sequence});
}

}  // namespace

Finish read_chat_finish(std::string written) {
    Finish finish{.written = std::move(written)};
    if (finish.written == "stop") finish.kind = Finish::Kind::stop;
    if (finish.written == "length") finish.kind = Finish::Kind::length;
    if (finish.written == "tool_calls") finish.kind = Finish::Kind::tool_calls;
    if (finish.written == "content_filter") finish.kind = Finish::Kind::content_filter;
    return finish;
}

std::string chat_finish(const Finish& finish, Dialect from) {
    if (from == Dialect::chat) return finish.written;
    switch (finish.kind) {
        case Finish::Kind::stop:
        case Finish::Kind::stop_sequence:
            return "stop";
        case Finish::Kind::length:
            return "length";
        case Finish::Kind::tool_calls:
            return "tool_calls";
        case Finish::Kind::content_filter:
            return "content_filter";
        case Finish::Kind::other:
            break;
    }
    return finish.written;
}

void read_met_sequence(Fields& fields, Finish& finish) {
    for (const std::string_view name : {"stop_reason", "matched_stop"}) {
        // Tokens that end a model's turn are told by number.
        const Json* met = fields.look(name);
        if (met == nullptr || met->if_string() == nullptr || finish.kind != Finish::Kind::stop)
            continue;
        finish.sequence = *met->if_string();
        fields.shape({name});
        finish.kind = Finish::Kind::stop_sequence;
    }
}

Json::Array read_logprobs(Fields& fields, Extras& extras) {
    std::optional<Json::Object> object = fields.object("logprobs");
    if (!object) return {};
    std::optional<Json> content = take(*object, "content");
    Json::Array logprobs;
    if (content && content->if_array() != nullptr) logprobs = *content->if_array();
    Json::Object shape;
    if (content) shape.push_back({"content", *std::move(content)});
    for (Member& member : *object) {
        const bool says = !member.value.is_null() && member.value != Json(Json::Array{});
        if (says) extras.lost.push_back(fields.at("logprobs." + member.key));
        shape.push_back(std::move(member));
    }
    fields.put_shape("logprobs", std::move(shape));
    return logprobs;
}

Result<Response> read_chat_response(Json body) {
    Trouble trouble(ErrorCode::unavailable);
    Response response{.dialect = Dialect::chat};
    Fields fields(std::move(body), "", trouble);
    response.id = fields.text("id").value_or("");
    response.model = fields.text("model").value_or("");
    std::optional<Json::Array> choices = fields.array("choices");
    if (!choices) trouble.add("choices", "'choices' is missing");
    if (choices)
        for (std::size_t i = 0; i < choices->size(); ++i)
            response.choices.push_back(
                read_choice(std::move((*choices)[i]), index_path("choices", i), trouble)
            );
    if (std::optional<Json> usage = fields.take("usage"))
        response.usage = read_chat_usage(*std::move(usage));
    fields.shape({"object", "created", "system_fingerprint", "service_tier", "timings"});
    fields.finish(response);
    return trouble.result(std::move(response));
}

Json write_chat_response(const Response& response, const AnswerContext& context, Writer& writer) {
    Json::Array choices;
    for (const Choice& choice : response.choices) {
        Json::Object message;
        if (writer.same()) {
            const Json* shape = find(choice.shape, "message");
            write_assistant(message, choice.parts, true, writer);
            const Json* content = find(message, "content");
            const bool written = shape != nullptr && shape->find("content") != nullptr;
            if (content->is_null() && !written) take(message, "content");
        } else {
            message = {{"role", "assistant"}};
            write_assistant(message, merged(choice.parts), true, writer);
        }
        Json::Object out{{"index", choice.index}, {"message", std::move(message)}};
        Json finish = nullptr;
        if (choice.finish) finish = chat_finish(*choice.finish, response.dialect);
        out.push_back({"finish_reason", std::move(finish)});
        if (!writer.same()) put_beside(out, choice);
        lose_message(choice, writer);
        writer.around(out, choice);
        choices.push_back(std::move(out));
    }
    Json::Object out;
    if (writer.same()) {
        out = {{"id", response.id}, {"model", response.model}, {"choices", std::move(choices)}};
        if (response.usage) out.push_back({"usage", response.usage->written});
    } else {
        out = {
            {"id", "chatcmpl-" + context.id}, {"object", "chat.completion"},
            {"created", context.created},     {"model", context.model},
            {"choices", std::move(choices)},
        };
        if (response.usage) out.push_back({"usage", chat_usage(response.usage->tokens)});
    }
    writer.around(out, response);
    return out;
}

}  // namespace penstock::dialects
