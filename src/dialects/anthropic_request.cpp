// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dialects/anthropic.h"
#include "dialects/citations.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

void read_content(Fields& fields, std::string_view key, Turn& turn) {
    std::optional<Json> content = fields.take(key);
    if (!content) return fields.trouble().add(fields.at(key), "'content' is missing");
    if (const std::string* text = content->if_string()) {
        turn.plain = true;
        turn.parts.push_back(Part{{}, Part::Kind::text, *text});
        turn.parts.back().path = fields.at(key);
    } else if (Json::Array* list = content->if_array()) {
        turn.parts = read_blocks(std::move(*list), fields.at(key), fields.trouble());
    } else {
        fields.trouble().add(fields.at(key), "expected a string or a list of blocks");
    }
}

Turn read_message(Json value, const std::string& path, Trouble& trouble) {
    Fields fields(std::move(value), path, trouble);
    Turn turn;
    const std::string role = fields.need_text("role");
    if (role == "assistant")
        turn.role = Role::assistant;
    else if (role == "system")
        turn.role = Role::system;
    else if (role != "user")
        trouble.add(path + ".role", "'" + role + "' is not a role of a message");
    read_content(fields, "content", turn);
    fields.finish(turn);
    return turn;
}

void read_tool(Json value, std::string path, Request& request, Trouble& trouble) {
    const Json* type = value.find("type");
    const bool custom = type == nullptr || type->is_null() ||
                        (type->if_string() != nullptr && *type->if_string() == "custom");
    Tool tool;
    if (!custom) {
        tool.function = false;
        tool.path = std::move(path);
        if (Json::Object* object = value.if_object()) tool.native = std::move(*object);
        request.tools.push_back(std::move(tool));
        return;
    }
    Fields fields(std::move(value), std::move(path), trouble);
    fields.shape({"type"});
    tool.name = fields.need_text("name");
    tool.description = fields.text("description");
    tool.parameters = fields.take("input_schema");
    fields.shape_if("strict", false);
    tool.strict = fields.boolean("strict").value_or(false);
    fields.finish(tool);
    request.tools.push_back(std::move(tool));
}

void read_tool_choice(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("tool_choice");
    if (!object) return;
    ToolChoice& choice = request.tool_choice;
    Fields inner(std::move(*object), "tool_choice", fields.trouble());
    const std::string type = inner.need_text("type");
    if (type == "auto")
        choice.kind = ToolChoice::Kind::automatic;
    else if (type == "none")
        choice.kind = ToolChoice::Kind::none;
    else if (type == "any")
        choice.kind = ToolChoice::Kind::required;
    else if (type == "tool")
        choice.kind = ToolChoice::Kind::named;
    else
        fields.trouble().add("tool_choice.type", "'" + type + "' is not a choice of tools");
    if (choice.kind == ToolChoice::Kind::named) choice.name = inner.need_text("name");
    if (const std::optional<bool> one = inner.boolean("disable_parallel_tool_use"))
        request.parallel_tool_calls = !*one;
    inner.finish(choice);
}

void read_thinking(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("thinking");
    if (!object) return;
    Extras extras;
    Fields inner(*object, "thinking", fields.trouble());
    const std::string type = inner.need_text("type");
    request.effort.enabled = type != "disabled";
    request.effort.tokens_max = inner.integer("budget_tokens");
    inner.finish(extras);
    fields.put_shape("thinking", *std::move(object));
    // Members beyond these stay Anthropic's own, under a path that tells them.
    for (Member& member : extras.native)
        put(request.native, "thinking." + member.key, std::move(member.value));
}

void read_output_config(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("output_config");
    if (!object) return;
    Fields inner(*object, "output_config", fields.trouble());
    request.effort.level = inner.text("effort").value_or("");
    if (std::optional<Json::Object> format = inner.object("format")) {
        Fields members(*std::move(format), "output_config.format", fields.trouble());
        const std::string type = members.need_text("type");
        request.format.kind =
            type == "json_schema" ? ResponseFormat::Kind::schema : ResponseFormat::Kind::native;
        request.format.schema = members.take("schema").value_or(Json());
        members.finish(request.format);
    }
    Extras extras;
    inner.finish(extras);
    fields.put_shape("output_config", *std::move(object));
    for (Member& member : extras.native)
        put(request.native, "output_config." + member.key, std::move(member.value));
}

void read_metadata(Fields& fields, Request& request) {
    std::optional<Json::Object> object = fields.object("metadata");
    if (!object) return;
    Fields inner(*object, "metadata", fields.trouble());
    request.user = inner.text("user_id");
    Extras extras;
    inner.finish(extras);
    fields.put_shape("metadata", *std::move(object));
    for (Member& member : extras.native)
        put(request.native, "metadata." + member.key, std::move(member.value));
}

Result<Request> read_request(Json body, bool bound_needed) {
    Trouble trouble(ErrorCode::invalid_argument);
    Request request{.dialect = Dialect::anthropic};
    Fields fields(std::move(body), "", trouble);
    request.model = fields.need_text("model");
    if (fields.has("system")) {
        Turn system;
        system.role = Role::system;
        system.path = "system";
        read_content(fields, "system", system);
        request.turns.push_back(std::move(system));
    }
    std::optional<Json::Array> messages = fields.array("messages");
    if (!messages || messages->empty()) trouble.add("messages", "expected at least one message");
    if (messages)
        for (std::size_t i = 0; i < messages->size(); ++i)
            request.turns.push_back(
                read_message(std::move((*messages)[i]), index_path("messages", i), trouble)
            );
    if (bound_needed && !fields.has("max_tokens"))
        trouble.add("max_tokens", "'max_tokens' is missing");
    request.output_tokens_max = fields.integer("max_tokens");
    if (const std::optional<bool> stream = fields.boolean("stream")) {
        request.stream = *stream;
        fields.put_shape("stream", *stream);
    }
    read_sampling(fields, Dialect::anthropic, request);
    read_stop(fields, "stop_sequences", request);
    if (std::optional<Json::Array> tools = fields.array("tools")) {
        if (tools->empty()) fields.put_shape("tools", Json::Array{});
        for (std::size_t i = 0; i < tools->size(); ++i)
            read_tool(std::move((*tools)[i]), index_path("tools", i), request, trouble);
    }
    read_tool_choice(fields, request);
    read_thinking(fields, request);
    read_output_config(fields, request);
    read_metadata(fields, request);
    read_standard_tier(fields, request);
    fields.finish(request);
    return trouble.result(std::move(request));
}

// ---- writing ----

// Texts of the system that stand before all else; a later one moves there, and is told as lost.
Json write_system(const Request& request, Writer& writer) {
    std::vector<Part> parts;
    bool plain = true;
    bool begun = false;
    for (const Turn& turn : request.turns) {
        const bool system = turn.role == Role::system || turn.role == Role::developer;
        if (!system) {
            begun = true;
            continue;
        }
        if (begun && !writer.same()) writer.lose(turn, "role");
        if (begun && writer.same()) continue;
        plain = plain && turn.plain && parts.empty();
        std::ranges::copy(turn.parts, std::back_inserter(parts));
        if (!writer.same()) writer.lose_natives(turn);
    }
    if (parts.empty() && !(plain && !request.turns.empty() && request.turns[0].path == "system"))
        return nullptr;
    if (plain && parts.size() == 1) {
        if (!writer.same()) writer.lose_natives(parts.front());
        return parts.front().text;
    }
    return write_blocks(parts, writer);
}

// Reasoning without its proof is refused by the engine; the client has none if another one thought.
std::vector<Part> provable(const std::vector<Part>& parts, Writer& writer) {
    std::vector<Part> out;
    for (const Part& part : parts) {
        const bool proven = part.kind != Part::Kind::reasoning || writer.same() ||
                            !part.signature.empty() || !part.data.empty();
        if (proven)
            out.push_back(part);
        else
            writer.lose(part.path);
    }
    return out;
}

bool is_user_side(const Turn& turn) { return turn.role == Role::user || turn.role == Role::tool; }

// Results of calls and what the user says after them are one message there.
Json::Array write_messages(const Request& request, Writer& writer) {
    const std::vector<Turn> turns =
        request.dialect == Dialect::responses ? joined_turns(request.turns) : request.turns;
    Json::Array out;
    const Turn* before = nullptr;
    for (const Turn& turn : turns) {
        if (lose_item(turn, writer)) continue;
        const bool top =
            turn.path == "system" ||
            (!writer.same() && (turn.role == Role::system || turn.role == Role::developer));
        if (top) continue;
        const bool joins =
            !writer.same() && before != nullptr && before->role == Role::tool && is_user_side(turn);
        if (joins) {
            Json* content = find(*out.back().if_object(), "content");
            for (Json& block : write_blocks(turn.parts, writer))
                content->if_array()->push_back(std::move(block));
            writer.lose_natives(turn);
        } else {
            const char* role = turn.role == Role::assistant ? "assistant"
                               : turn.role == Role::system  ? "system"
                                                            : "user";
            Json::Object message{{"role", role}};
            const bool one_text = turn.parts.size() == 1 && turn.parts[0].kind == Part::Kind::text;
            if (one_text && (turn.plain || !writer.same())) {
                writer.lose_natives(turn.parts[0]);
                tells_citations(turn.parts[0], writer);
                message.push_back({"content", turn.parts[0].text});
            } else {
                message.push_back({"content", write_blocks(provable(turn.parts, writer), writer)});
            }
            writer.extras(message, turn);
            out.push_back(std::move(message));
        }
        before = &turn;
    }
    return out;
}

Json tool_choice_json(const Request& request, Writer& writer) {
    const ToolChoice& choice = request.tool_choice;
    Json::Object out;
    switch (choice.kind) {
        case ToolChoice::Kind::absent:
            if (request.parallel_tool_calls != false || request.tools.empty()) return nullptr;
            out = {{"type", "auto"}};
            break;
        case ToolChoice::Kind::automatic:
            out = {{"type", "auto"}};
            break;
        case ToolChoice::Kind::none:
            out = {{"type", "none"}};
            break;
        case ToolChoice::Kind::required:
            out = {{"type", "any"}};
            break;
        case ToolChoice::Kind::named:
            out = {{"type", "tool"}, {"name", choice.name}};
            break;
        case ToolChoice::Kind::native:
            writer.lose("tool_choice");
            return nullptr;
    }
    const bool tellable = choice.kind != ToolChoice::Kind::none;
    if (request.parallel_tool_calls &&
        (writer.same() || (!*request.parallel_tool_calls && tellable)))
        out.push_back({"disable_parallel_tool_use", !*request.parallel_tool_calls});
    writer.extras(out, choice);
    return out;
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
        Json::Object object{{"name", tool.name}};
        if (tool.description) object.push_back({"description", *tool.description});
        if (tool.parameters)
            object.push_back({"input_schema", *tool.parameters});
        else if (!writer.same())
            // A tool without parameters says so there.
            object.push_back(
                {"input_schema", Json::Object{{"type", "object"}, {"properties", Json::Object{}}}}
            );
        if (tool.strict) object.push_back({"strict", true});
        writer.extras(object, tool);
        tools.push_back(std::move(object));
    }
    if (!tools.empty()) out.push_back({"tools", std::move(tools)});
    if (Json choice = tool_choice_json(request, writer); !choice.is_null())
        out.push_back({"tool_choice", std::move(choice)});
}

// What the answer should be like: thinking, effort, a schema.
void write_output(Json::Object& out, const Request& request, Writer& writer) {
    Json::Object config;
    const Effort& effort = request.effort;
    if (effort.level == kNoEffort || effort.enabled == false)
        out.push_back({"thinking", Json::Object{{"type", "disabled"}}});
    else if (effort.level == "low" || effort.level == "medium" || effort.level == "high" ||
             effort.level == "xhigh" || effort.level == "max")
        config.push_back({"effort", effort.level});
    else if (!effort.level.empty())
        writer.lose(own_name(request.dialect, "reasoning_effort"));
    else if (effort.enabled == true)
        out.push_back({"thinking", Json::Object{{"type", "adaptive"}}});
    const ResponseFormat& format = request.format;
    if (format.kind == ResponseFormat::Kind::schema) {
        config.push_back(
            {"format", Json::Object{{"type", "json_schema"}, {"schema", format.schema}}}
        );
        lose_description(request, writer);
        writer.lose_natives(format);
    } else if (format.kind == ResponseFormat::Kind::json ||
               format.kind == ResponseFormat::Kind::native) {
        writer.lose(own_name(request.dialect, "response_format"));
    }
    if (!config.empty()) out.push_back({"output_config", std::move(config)});
}

}  // namespace

Result<Request> read_anthropic_request(Json body) { return read_request(std::move(body), true); }
Result<Request> read_anthropic_count(Json body) { return read_request(std::move(body), false); }

Json write_anthropic_request(const Request& request, Writer& writer) {
    Json::Object out{{"model", request.model}};
    if (request.output_tokens_max) out.push_back({"max_tokens", *request.output_tokens_max});
    if (Json system = write_system(request, writer); !system.is_null())
        out.push_back({"system", std::move(system)});
    out.push_back({"messages", write_messages(request, writer)});
    write_sampling(out, Dialect::anthropic, request, writer);
    if (!request.stop.empty())
        out.push_back({"stop_sequences", Json::Array(request.stop.begin(), request.stop.end())});
    write_tools(out, request, writer);
    if (!writer.same()) {
        if (request.stream) out.push_back({"stream", true});
        write_output(out, request, writer);
        if (request.user) out.push_back({"metadata", Json::Object{{"user_id", *request.user}}});
        if (request.choices != 1) writer.lose("n");
        if (request.logprobs == true) writer.lose(own_name(request.dialect, "logprobs"));
        if (request.top_logprobs.value_or(0) > 0) writer.lose("top_logprobs");
    }
    write_openai(out, Dialect::anthropic, request, writer);
    if (!writer.same()) {
        writer.lose_natives(request);
        return out;
    }
    // Members that were told by their path are part of their object already.
    for (const Member& member : request.native)
        if (member.key.find('.') == std::string::npos) out.push_back(member);
    merge(out, request.shape);
    return out;
}

}  // namespace penstock::dialects
