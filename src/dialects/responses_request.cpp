// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "dialects/chat_message.h"
#include "dialects/responses.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

// What an answer may be asked to include. Proofs of reasoning always are.
constexpr std::string_view kLogprobs = "message.output_text.logprobs";
constexpr std::string_view kProofs = "reasoning.encrypted_content";

void read_tools(Fields& fields, Request& request) {
    std::optional<Json::Array> tools = fields.array("tools");
    if (!tools) return;
    if (tools->empty()) fields.put_shape("tools", Json::Array{});
    for (std::size_t i = 0; i < tools->size(); ++i) {
        Json& value = (*tools)[i];
        const Json* type = value.find("type");
        Tool tool;
        if (type != nullptr && *type == Json("function")) {
            Fields inner(std::move(value), index_path("tools", i), fields.trouble());
            inner.shape({"type"});
            read_function_tool(inner, "parameters", tool);
        } else {
            tool.function = false;
            tool.path = index_path("tools", i);
            if (Json::Object* object = value.if_object()) tool.native = std::move(*object);
        }
        request.tools.push_back(std::move(tool));
    }
}

void read_tool_choice(Fields& fields, Request& request) {
    std::optional<Json> value = fields.take("tool_choice");
    if (!value) return;
    ToolChoice& choice = request.tool_choice;
    choice.path = "tool_choice";
    const Json* type = value->find("type");
    if (const std::string* word = value->if_string()) {
        read_choice_word(*word, choice);
    } else if (type != nullptr && *type == Json("function") && value->find("name") != nullptr) {
        Fields inner(*std::move(value), "tool_choice", fields.trouble());
        choice.kind = ToolChoice::Kind::named;
        choice.name = inner.need_text("name");
        inner.shape({"type"});
        inner.finish(choice);
    } else {
        choice.kind = ToolChoice::Kind::native;
        if (Json::Object* object = value->if_object()) choice.native = std::move(*object);
    }
}

void read_text(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("text");
    if (!object) return;
    Fields outer(*object, "text", fields.trouble());
    if (std::optional<Json::Object> inner = outer.object("format")) {
        ResponseFormat& format = request.format;
        Fields members(*std::move(inner), "text.format", fields.trouble());
        const std::string type = members.need_text("type");
        format.kind = type == "text"          ? ResponseFormat::Kind::text
                      : type == "json_object" ? ResponseFormat::Kind::json
                      : type == "json_schema" ? ResponseFormat::Kind::schema
                                              : ResponseFormat::Kind::native;
        read_schema_format(members, format);
    }
    if (std::optional<Json> verbosity = outer.take("verbosity"))
        put(request.openai, "verbosity", *std::move(verbosity));
    Extras extras;
    outer.finish(extras);
    fields.put_shape("text", *std::move(object));
    for (Member& member : extras.native)
        put(request.native, "text." + member.key, std::move(member.value));
}

void read_reasoning(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("reasoning");
    if (!object) return;
    Fields inner(*object, "reasoning", fields.trouble());
    request.effort.level = inner.text("effort").value_or("");
    Extras extras;
    inner.finish(extras);
    fields.put_shape("reasoning", *std::move(object));
    for (Member& member : extras.native)
        put(request.native, "reasoning." + member.key, std::move(member.value));
}

void read_include(Fields& fields, Request& request) {
    const std::optional<Json::Array> list = fields.array("include");
    if (!list) return;
    fields.put_shape("include", *list);
    for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string* word = (*list)[i].if_string();
        if (word != nullptr && *word == kLogprobs)
            request.logprobs = true;
        else if (word == nullptr || *word != kProofs)
            request.lost.push_back(index_path("include", i));
    }
}

void read_input(Fields& fields, Request& request) {
    if (std::optional<std::string> text = fields.text("instructions")) {
        Turn turn{{}, Role::system, {}, true};
        turn.path = "instructions";
        turn.parts.push_back(Part{{}, Part::Kind::text, *std::move(text)});
        request.turns.push_back(std::move(turn));
    }
    std::optional<Json> input = fields.take("input");
    if (!input) return fields.trouble().add("input", "'input' is missing");
    if (const std::string* text = input->if_string()) {
        Turn turn{{}, Role::user, {}, true};
        turn.path = "input";
        turn.parts.push_back(Part{{}, Part::Kind::text, *text});
        request.turns.push_back(std::move(turn));
        return;
    }
    Json::Array* items = input->if_array();
    if (items == nullptr)
        return fields.trouble().add("input", "expected a string or a list of items");
    for (std::size_t i = 0; i < items->size(); ++i)
        request.turns.push_back(
            read_item(std::move((*items)[i]), index_path("input", i), fields.trouble())
        );
}

Json input_json(const Request& request, Json::Object& out, Writer& writer) {
    Json::Array items;
    for (std::size_t i = 0; i < request.turns.size(); ++i) {
        const Turn& turn = request.turns[i];
        const bool first_system = i == 0 && turn.role == Role::system && turn.plain;
        if (turn.path == "instructions" || (first_system && !writer.same())) {
            out.push_back({"instructions", turn.parts.front().text});
            writer.lose_natives(turn);
            continue;
        }
        if (turn.path == "input") return turn.parts.front().text;
        for (Json& item : write_items(turn, {}, writer)) items.push_back(std::move(item));
    }
    return items;
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
        case ToolChoice::Kind::named: {
            Json::Object out{{"type", "function"}, {"name", choice.name}};
            writer.extras(out, choice);
            return out;
        }
        case ToolChoice::Kind::native:
            break;
    }
    if (writer.same()) return choice.native;
    writer.lose("tool_choice");
    return nullptr;
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
        Json::Object object{{"type", "function"}};
        merge(object, function_tool(tool, "parameters"));
        // It is strict there unless told otherwise.
        if (!writer.same() && !tool.strict) object.push_back({"strict", false});
        writer.extras(object, tool);
        tools.push_back(std::move(object));
    }
    if (!tools.empty()) out.push_back({"tools", std::move(tools)});
    if (Json choice = tool_choice_json(request, writer); !choice.is_null())
        out.push_back({"tool_choice", std::move(choice)});
    if (request.parallel_tool_calls)
        out.push_back({"parallel_tool_calls", *request.parallel_tool_calls});
}

void write_shared(Json::Object& out, const Request& request, Writer& writer) {
    if (request.stream) out.push_back({"stream", true});
    if (!request.stop.empty()) writer.lose(own_name(request.dialect, "stop"));
    if (request.choices != 1) writer.lose("n");
    if (request.logprobs == true) out.push_back({"include", Json::Array{std::string(kLogprobs)}});
    if (request.effort.tokens_max) writer.lose("thinking.budget_tokens");
    if (const std::string level = level_of(request, writer); !level.empty())
        out.push_back({"reasoning", Json::Object{{"effort", level}}});
    const ResponseFormat& format = request.format;
    Json::Object written;
    if (format.kind == ResponseFormat::Kind::text) written = {{"type", "text"}};
    if (format.kind == ResponseFormat::Kind::json) written = {{"type", "json_object"}};
    if (format.kind == ResponseFormat::Kind::schema)
        written = schema_format(format, {{"type", "json_schema"}}, "schema");
    if (format.kind == ResponseFormat::Kind::native)
        writer.lose(own_name(request.dialect, "response_format"));
    Json::Object text;
    if (!written.empty()) text.push_back({"format", std::move(written)});
    if (const Json* verbosity = find(request.openai, "verbosity"))
        text.push_back({"verbosity", *verbosity});
    if (!text.empty()) out.push_back({"text", std::move(text)});
    writer.lose_natives(format);
    writer.lose_natives(request);
}

}  // namespace

Json::Object responses_echo(const Json& request_body) {
    constexpr std::array<std::string_view, 13> kRepeated{
        "instructions", "metadata", "parallel_tool_calls", "temperature", "tool_choice",
        "tools",        "top_p",    "max_output_tokens",   "reasoning",   "text",
        "truncation",   "user",     "top_logprobs"
    };
    Json::Object out;
    for (const std::string_view name : kRepeated)
        if (const Json* value = request_body.find(name)) out.push_back({std::string(name), *value});
    return out;
}

Result<Request> read_responses_request(Json body) {
    Trouble trouble(ErrorCode::invalid_argument);
    Request request{.dialect = Dialect::responses};
    Fields fields(std::move(body), "", trouble);
    request.model = fields.need_text("model");
    read_input(fields, request);
    if (const std::optional<bool> stream = fields.boolean("stream")) {
        request.stream = *stream;
        fields.put_shape("stream", *stream);
    }
    request.output_tokens_max = fields.integer("max_output_tokens");
    read_sampling(fields, Dialect::responses, request);
    read_tools(fields, request);
    read_tool_choice(fields, request);
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls");
    request.top_logprobs = fields.integer("top_logprobs");
    read_text(fields, request);
    read_reasoning(fields, request);
    request.user = fields.text("user");
    read_openai(fields, request);
    read_include(fields, request);
    fields.shape_if("stream_options", Json::Object{{"include_obfuscation", false}});
    fields.shape_if("store", false);
    fields.shape_if("background", false);
    fields.shape_if("truncation", "disabled");
    fields.finish(request);
    return trouble.result(std::move(request));
}

Json write_responses_request(const Request& request, Writer& writer) {
    Json::Object out{{"model", request.model}};
    Json input = input_json(request, out, writer);
    out.push_back({"input", std::move(input)});
    if (request.output_tokens_max) out.push_back({"max_output_tokens", *request.output_tokens_max});
    write_sampling(out, Dialect::responses, request, writer);
    write_tools(out, request, writer);
    if (request.top_logprobs) out.push_back({"top_logprobs", *request.top_logprobs});
    if (request.user) out.push_back({"user", *request.user});
    write_openai(out, Dialect::responses, request, writer);
    if (!writer.same()) {
        write_shared(out, request, writer);
        return out;
    }
    for (const Member& member : request.native)
        if (member.key.find('.') == std::string::npos) out.push_back(member);
    merge(out, request.shape);
    return out;
}

}  // namespace penstock::dialects
