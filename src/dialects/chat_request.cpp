// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dialects/chat.h"
#include "dialects/chat_message.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

void read_tool(Json value, std::string path, Request& request, Trouble& trouble) {
    const Json* type = value.find("type");
    Tool tool;
    if (type == nullptr || type->if_string() == nullptr || *type->if_string() != "function") {
        tool.function = false;
        tool.path = std::move(path);
        if (Json::Object* object = value.if_object()) tool.native = std::move(*object);
        request.tools.push_back(std::move(tool));
        return;
    }
    Fields outer(std::move(value), path, trouble);
    outer.shape({"type"});
    Fields fields(outer.take("function").value_or(Json()), path + ".function", trouble);
    read_function_tool(fields, "parameters", tool);
    Extras around;
    outer.finish(around);
    merge(tool.native, around.native);
    request.tools.push_back(std::move(tool));
}

void read_tool_choice(Fields& fields, Request& request) {
    std::optional<Json> value = fields.take("tool_choice");
    if (!value) return;
    ToolChoice& choice = request.tool_choice;
    choice.path = "tool_choice";
    if (const std::string* word = value->if_string()) {
        read_choice_word(*word, choice);
        return;
    }
    const Json* function = value->find("function");
    const Json* name = function == nullptr ? nullptr : function->find("name");
    if (name != nullptr && name->if_string() != nullptr) {
        choice.kind = ToolChoice::Kind::named;
        choice.name = *name->if_string();
    } else {
        choice.kind = ToolChoice::Kind::native;
        if (Json::Object* object = value->if_object()) choice.native = std::move(*object);
    }
}

void read_response_format(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("response_format");
    if (!object) return;
    ResponseFormat& format = request.format;
    Fields outer(std::move(*object), "response_format", fields.trouble());
    const std::string type = outer.need_text("type");
    if (type == "text") {
        format.kind = ResponseFormat::Kind::text;
    } else if (type == "json_object") {
        format.kind = ResponseFormat::Kind::json;
    } else if (type == "json_schema") {
        format.kind = ResponseFormat::Kind::schema;
        Fields inner(
            outer.take("json_schema").value_or(Json()), "response_format.json_schema",
            fields.trouble()
        );
        read_schema_format(inner, format);
    } else {
        format.kind = ResponseFormat::Kind::native;
        put(format.native, "type", type);
    }
    outer.finish(format);
}

void read_bounds(Fields& fields, Request& request) {
    // Engines differ in which of the two wins; both are kept where both were given.
    const std::optional<std::int64_t> newer = fields.integer("max_completion_tokens");
    const std::optional<std::int64_t> older = fields.integer("max_tokens");
    request.output_tokens_max = newer ? newer : older;
    if (newer) fields.put_shape("max_completion_tokens", *newer);
    if (older) fields.put_shape("max_tokens", *older);
    if (const std::optional<std::int64_t> n = fields.integer("n")) {
        request.choices = *n;
        fields.put_shape("n", *n);
    }
}

void read_stream(Fields& fields, Request& request) {
    if (const std::optional<bool> stream = fields.boolean("stream")) {
        request.stream = *stream;
        fields.put_shape("stream", *stream);
    }
    const std::optional<Json::Object> options = fields.object("stream_options");
    if (!options) return;
    const Json* wanted = find(*options, "include_usage");
    request.include_usage = wanted != nullptr && wanted->if_bool() != nullptr && *wanted->if_bool();
    for (const Member& option : *options)
        if (option.key != "include_usage" && !says_nothing(option.value))
            request.lost.push_back(member_path("stream_options", option.key));
    fields.put_shape("stream_options", *options);
}

Json tool_choice_json(const Request& request, Writer& writer) {
    const ToolChoice& choice = request.tool_choice;
    switch (choice.kind) {
        case ToolChoice::Kind::absent:
            return nullptr;
        case ToolChoice::Kind::automatic:
            return "auto";
        case ToolChoice::Kind::none:
            return "none";
        case ToolChoice::Kind::required:
            return "required";
        case ToolChoice::Kind::named:
            return Json::Object{
                {"type", "function"}, {"function", Json::Object{{"name", choice.name}}}
            };
        case ToolChoice::Kind::native:
            break;
    }
    if (writer.same()) return choice.native;
    writer.lose("tool_choice");
    return nullptr;
}

void write_format(Json::Object& out, const Request& request, Writer& writer) {
    const ResponseFormat& format = request.format;
    Json::Object object;
    switch (format.kind) {
        case ResponseFormat::Kind::absent:
            return;
        case ResponseFormat::Kind::text:
            object = {{"type", "text"}};
            break;
        case ResponseFormat::Kind::json:
            object = {{"type", "json_object"}};
            break;
        case ResponseFormat::Kind::schema:
            object = {
                {"type", "json_schema"}, {"json_schema", schema_format(format, {}, "schema")}
            };
            break;
        case ResponseFormat::Kind::native:
            break;
    }
    writer.extras(object, format);
    if (!object.empty()) out.push_back({"response_format", std::move(object)});
}

void write_tools(Json::Object& out, const Request& request, Writer& writer) {
    Json::Array tools;
    for (const Tool& tool : request.tools) {
        if (!tool.function) {
            if (writer.same())
                tools.push_back(tool.native);
            else
                writer.lose(tool, "type");
            continue;
        }
        Json::Object function = function_tool(tool, "parameters");
        writer.extras(function, tool);
        tools.push_back(Json::Object{{"type", "function"}, {"function", std::move(function)}});
    }
    if (!tools.empty()) out.push_back({"tools", std::move(tools)});
    if (Json choice = tool_choice_json(request, writer); !choice.is_null())
        out.push_back({"tool_choice", std::move(choice)});
    if (request.parallel_tool_calls)
        out.push_back({"parallel_tool_calls", *request.parallel_tool_calls});
}

void write_effort(Json::Object& out, const Request& request, Writer& writer) {
    const Effort& effort = request.effort;
    if (effort.tokens_max) writer.lose("thinking.budget_tokens");
    if (const std::string level = level_of(request, writer); !level.empty())
        out.push_back({"reasoning_effort", level});
    // "Think" without saying how much is what a reasoning model does anyway.
}

void write_limits(Json::Object& out, const Request& request, Writer& writer) {
    if (request.output_tokens_max && !writer.same())
        out.push_back({"max_tokens", *request.output_tokens_max});
    write_sampling(out, Dialect::chat, request, writer);
    if (!request.stop.empty() && find(request.shape, "stop") == nullptr)
        out.push_back({"stop", Json::Array(request.stop.begin(), request.stop.end())});
    write_logprobs(out, request);
    if (request.user) out.push_back({"user", *request.user});
}

}  // namespace

Result<Request> read_chat_request(Json body) {
    Trouble trouble(ErrorCode::invalid_argument);
    Request request{.dialect = Dialect::chat};
    Fields fields(std::move(body), "", trouble);
    request.model = fields.need_text("model");
    std::optional<Json::Array> messages = fields.array("messages");
    if (!messages || messages->empty()) trouble.add("messages", "expected at least one message");
    if (messages)
        for (std::size_t i = 0; i < messages->size(); ++i)
            request.turns.push_back(
                read_chat_message(std::move((*messages)[i]), index_path("messages", i), trouble)
            );
    read_stream(fields, request);
    read_bounds(fields, request);
    read_sampling(fields, Dialect::chat, request);
    read_stop(fields, "stop", request);
    if (std::optional<Json::Array> tools = fields.array("tools")) {
        if (tools->empty()) fields.put_shape("tools", Json::Array{});
        for (std::size_t i = 0; i < tools->size(); ++i)
            read_tool(std::move((*tools)[i]), index_path("tools", i), request, trouble);
    }
    read_tool_choice(fields, request);
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls");
    request.logprobs = fields.boolean("logprobs");
    request.top_logprobs = fields.integer("top_logprobs");
    read_response_format(fields, request);
    request.effort.level = fields.text("reasoning_effort").value_or("");
    request.user = fields.text("user");
    read_openai(fields, request);
    if (std::optional<Json> verbosity = fields.take("verbosity"))
        put(request.openai, "verbosity", *std::move(verbosity));
    fields.shape_if("store", false);
    fields.shape_if("modalities", Json::Array{"text"});
    fields.finish(request);
    return trouble.result(std::move(request));
}

Json write_chat_request(const Request& request, Writer& writer) {
    Json::Object out{{"model", request.model}, {"messages", chat_messages(request, writer)}};
    if (!writer.same() && request.stream)
        merge(out, {{"stream", true}, {"stream_options", Json::Object{{"include_usage", true}}}});
    write_limits(out, request, writer);
    write_tools(out, request, writer);
    write_format(out, request, writer);
    write_effort(out, request, writer);
    write_openai(out, Dialect::chat, request, writer);
    writer.extras(out, request);
    return out;
}

}  // namespace penstock::dialects
