// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "dialects/chat_message.h"
#include "dialects/citations.h"
#include "dialects/ollama.h"
#include "dialects/reasoning.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

// The media type of base64 data, by how the file begins; most models read these.
std::string media_type_of(std::string_view base64) {
    if (base64.starts_with("/9j/")) return "image/jpeg";
    if (base64.starts_with("R0lGOD")) return "image/gif";
    if (base64.starts_with("UklGR")) return "image/webp";
    return "image/png";
}

// Which calls have not been answered yet, in order; results answer them by name, else in order.
class OpenCalls {
  public:
    void add(const Part& call) { open_.push_back(call); }
    std::string answer(const std::string& name) {
        auto found = std::ranges::find(open_, name, &Part::name);
        if (found == open_.end()) found = open_.begin();
        if (found == open_.end()) return {};
        std::string id = found->id;
        open_.erase(found);
        return id;
    }

  private:
    std::vector<Part> open_;
};

void read_images(Fields& fields, Turn& turn) {
    std::optional<Json::Array> images = fields.array("images");
    if (!images) return;
    if (images->empty()) fields.put_shape("images", Json::Array{});
    for (std::size_t i = 0; i < images->size(); ++i) {
        const std::string* data = (*images)[i].if_string();
        if (data == nullptr)
            return fields.trouble().add(
                index_path(fields.at("images"), i), "expected a string: an image in base64"
            );
        Part part;
        part.kind = Part::Kind::image;
        part.data = *data;
        part.media_type = media_type_of(*data);
        part.path = index_path(fields.at("images"), i);
        turn.parts.push_back(std::move(part));
    }
}

Turn read_message(
    Json value, const std::string& path, OpenCalls& open, int& count, Trouble& trouble
) {
    Fields fields(std::move(value), path, trouble);
    Turn turn;
    const std::string role = fields.need_text("role");
    if (role == "assistant") {
        turn.role = Role::assistant;
        turn.parts = read_ollama_parts(fields, "call_", count);
        for (const Part& part : turn.parts)
            if (part.kind == Part::Kind::tool_call) open.add(part);
    } else if (role == "tool") {
        turn.role = Role::tool;
        Part result;
        result.kind = Part::Kind::tool_result;
        result.path = path;
        result.plain = true;
        result.name = fields.text("tool_name").value_or("");
        const std::optional<std::string> given = fields.text("tool_call_id");
        if (given) fields.put_shape("tool_call_id", *given);
        const std::string matched = open.answer(result.name);
        result.id = given.value_or(matched);
        result.parts.push_back(Part{{}, Part::Kind::text, fields.text("content").value_or("")});
        turn.parts.push_back(std::move(result));
    } else {
        if (role != "user" && role != "system")
            trouble.add(path + ".role", "'" + role + "' is not a role of a message");
        turn.role = role == "system" ? Role::system : Role::user;
        if (std::optional<std::string> text = fields.text("content"))
            turn.parts.push_back(Part{{}, Part::Kind::text, *std::move(text)});
    }
    turn.plain = turn.role != Role::assistant && turn.parts.size() == 1;
    read_images(fields, turn);
    if (turn.parts.size() > 1) turn.plain = false;
    if (turn.role == Role::tool) {
        // They are the tool's.
        Part& result = turn.parts.front();
        result.plain = turn.parts.size() == 1;
        for (std::size_t i = 1; i < turn.parts.size(); ++i)
            result.parts.push_back(std::move(turn.parts[i]));
        turn.parts.resize(1);
    }
    fields.finish(turn);
    return turn;
}

void read_options(Fields& fields, Request& request) {
    std::optional<Json::Object> options = fields.object("options");
    if (!options) return;
    Fields inner(*options, "options", fields.trouble());
    read_sampling(inner, Dialect::ollama, request);
    read_stop(inner, "stop", request);
    const std::optional<std::int64_t> predict = inner.integer("num_predict");
    // Below nothing it means "without a bound".
    if (predict && *predict > 0) request.output_tokens_max = predict;
    Extras extras;
    inner.finish(extras);
    fields.put_shape("options", *std::move(options));
    for (Member& member : extras.native)
        put(request.native, "options." + member.key, std::move(member.value));
}

void read_format(Fields& fields, Request& request) {
    std::optional<Json> format = fields.take("format");
    if (!format) return;
    fields.put_shape("format", *format);
    const std::string* word = format->if_string();
    if (word != nullptr && word->empty()) return;
    request.format.path = "format";
    request.format.kind =
        word != nullptr ? ResponseFormat::Kind::json : ResponseFormat::Kind::schema;
    if (word == nullptr) request.format.schema = *std::move(format);
}

void read_think(Fields& fields, Request& request) {
    const std::optional<Json> think = fields.take("think");
    if (!think) return;
    fields.put_shape("think", *think);
    if (const bool* flag = think->if_bool())
        request.effort.enabled = *flag;
    else if (const std::string* level = think->if_string())
        request.effort.level = *level;
    else
        fields.trouble().add("think", "expected true, false or a level");
}

// ---- writing ----

using Names = std::map<std::string, std::string, std::less<>>;

void write_user(Json::Array& out, const Turn& turn, const Names& names, Writer& writer) {
    std::string text;
    Json::Array images;
    bool any = false;
    for (const Part& part : turn.parts) {
        if (part.kind == Part::Kind::tool_result) {
            const auto name = names.find(part.id);
            const std::string& tool = part.name.empty() && !writer.same() && name != names.end()
                                          ? name->second
                                          : part.name;
            Json::Array pictures;
            std::vector<Part> texts;
            for (const Part& inner : part.parts) {
                const bool picture = inner.kind == Part::Kind::image && !inner.data.empty();
                if (picture)
                    pictures.emplace_back(inner.data);
                else
                    texts.push_back(inner);
            }
            Json::Object message{{"role", "tool"}, {"content", joined_text(texts, writer)}};
            if (!tool.empty()) message.push_back({"tool_name", tool});
            if (!pictures.empty()) message.push_back({"images", std::move(pictures)});
            if (part.failed) writer.lose(part, "is_error");
            writer.lose_natives(part);
            if (turn.role == Role::tool) writer.extras(message, turn);
            out.push_back(std::move(message));
            continue;
        }
        any = true;
        if (part.kind == Part::Kind::text)
            text += part.text;
        else if (part.kind == Part::Kind::image && !part.data.empty())
            images.push_back(part.data);
        else
            writer.lose(part, part.kind == Part::Kind::image ? "url" : "type");
        if (part.kind != Part::Kind::native) writer.lose_natives(part);
    }
    if (!any && !turn.parts.empty()) {
        if (turn.role != Role::tool && !writer.same()) writer.lose_natives(turn);
        return;
    }
    const bool system = turn.role == Role::system || turn.role == Role::developer;
    Json::Object message{{"role", system ? "system" : "user"}, {"content", std::move(text)}};
    if (!images.empty()) message.push_back({"images", std::move(images)});
    writer.extras(message, turn);
    out.push_back(std::move(message));
}

Json assistant_json(const Turn& turn, Writer& writer) {
    std::string text;
    std::string thinking;
    Json::Array calls;
    for (const Part& part : turn.parts) {
        if (part.kind == Part::Kind::reasoning) {
            if (!writer.same()) writer.lose_natives(part);
            if (!is_in_shape(part, writer)) thinking += part.text;
        } else if (part.kind == Part::Kind::tool_call) {
            calls.push_back(ollama_call(part, writer));
        } else if (part.kind == Part::Kind::text || part.kind == Part::Kind::refusal) {
            text += part.text;
            writer.lose_natives(part);
            tells_citations(part, writer);
        } else {
            writer.lose(part, "type");
        }
    }
    Json::Object message{{"role", "assistant"}};
    const bool silent =
        writer.same() && text.empty() && std::ranges::none_of(turn.parts, [](const Part& part) {
            return part.kind == Part::Kind::text;
        });
    if (!silent) message.push_back({"content", std::move(text)});
    if (!thinking.empty()) message.push_back({"thinking", std::move(thinking)});
    if (!writer.same())
        if (Json::Array details = reasoning_details(turn.parts); !details.empty())
            message.push_back({std::string(kReasoningDetails), std::move(details)});
    if (!calls.empty()) message.push_back({"tool_calls", std::move(calls)});
    writer.extras(message, turn);
    return message;
}

Json::Array write_messages(const Request& request, Writer& writer) {
    const std::vector<Turn> turns =
        request.dialect == Dialect::responses ? joined_turns(request.turns) : request.turns;
    Names names;
    Json::Array out;
    for (const Turn& turn : turns) {
        if (lose_item(turn, writer)) continue;
        for (const Part& part : turn.parts)
            if (part.kind == Part::Kind::tool_call) names[part.id] = part.name;
        if (turn.role == Role::assistant)
            out.push_back(assistant_json(turn, writer));
        else
            write_user(out, turn, names, writer);
    }
    return out;
}

Json options_json(const Request& request, Writer& writer) {
    Json::Object options;
    if (request.output_tokens_max) options.push_back({"num_predict", *request.output_tokens_max});
    write_sampling(options, Dialect::ollama, request, writer);
    if (!request.stop.empty())
        options.push_back({"stop", Json::Array(request.stop.begin(), request.stop.end())});
    return options;
}

void write_format(Json::Object& out, const Request& request, Writer& writer) {
    const ResponseFormat& format = request.format;
    if (format.kind == ResponseFormat::Kind::json) out.push_back({"format", "json"});
    if (format.kind == ResponseFormat::Kind::schema) out.push_back({"format", format.schema});
    if (format.kind == ResponseFormat::Kind::native)
        writer.lose(own_name(request.dialect, "response_format"));
    lose_description(request, writer);
    writer.lose_natives(format);
}

void write_think(Json::Object& out, const Request& request, Writer& writer) {
    const Effort& effort = request.effort;
    if (effort.tokens_max) writer.lose("thinking.budget_tokens");
    const std::string level = level_of(request, writer);
    if (level == kNoEffort)
        out.push_back({"think", false});
    else if (!level.empty())
        out.push_back({"think", level});
    else if (effort.enabled)
        out.push_back({"think", *effort.enabled});
}

void lose_the_rest(const Request& request, Writer& writer) {
    using Choice = ToolChoice::Kind;
    const Choice choice = request.tool_choice.kind;
    if (choice != Choice::absent && choice != Choice::automatic && choice != Choice::none)
        writer.lose("tool_choice");
    if (request.parallel_tool_calls == false && !request.tools.empty())
        writer.lose(own_name(request.dialect, "parallel_tool_calls"));
    if (request.choices != 1) writer.lose("n");
    if (request.user) writer.lose(own_name(request.dialect, "user"));
    writer.lose_natives(request);
}

void write_tools(Json::Object& out, const Request& request, Writer& writer) {
    // No tool may be called: the model is not told of any.
    if (request.tool_choice.kind == ToolChoice::Kind::none) return;
    Json::Array tools;
    for (const Tool& tool : request.tools) {
        if (!tool.function) {
            writer.lose(tool, "type");
            continue;
        }
        Json::Object function = function_tool(tool, "parameters");
        if (take(function, "strict")) writer.lose(tool, "strict");
        writer.extras(function, tool);
        tools.push_back(Json::Object{{"type", "function"}, {"function", std::move(function)}});
    }
    if (!tools.empty()) out.push_back({"tools", std::move(tools)});
}

void read_tools(Fields& fields, Request& request) {
    std::optional<Json::Array> tools = fields.array("tools");
    if (!tools) return;
    if (tools->empty()) fields.put_shape("tools", Json::Array{});
    for (std::size_t i = 0; i < tools->size(); ++i) {
        const std::string path = index_path("tools", i);
        Fields outer(std::move((*tools)[i]), path, fields.trouble());
        outer.shape({"type"});
        Fields inner(outer.take("function").value_or(Json()), path + ".function", fields.trouble());
        Tool tool;
        read_function_tool(inner, "parameters", tool);
        Extras around;
        outer.finish(around);
        merge(tool.native, around.native);
        request.tools.push_back(std::move(tool));
    }
}

}  // namespace

Result<Request> read_ollama_request(Json body) {
    Trouble trouble(ErrorCode::invalid_argument);
    Request request{.dialect = Dialect::ollama};
    Fields fields(std::move(body), "", trouble);
    request.model = fields.need_text("model");
    std::optional<Json::Array> messages = fields.array("messages");
    if (!messages || messages->empty()) trouble.add("messages", "expected at least one message");
    OpenCalls open;
    int count = 0;
    if (messages)
        for (std::size_t i = 0; i < messages->size(); ++i)
            request.turns.push_back(read_message(
                std::move((*messages)[i]), index_path("messages", i), open, count, trouble
            ));
    // It streams unless told not to.
    const std::optional<bool> stream = fields.boolean("stream");
    request.stream = stream.value_or(true);
    if (stream) fields.put_shape("stream", *stream);
    read_options(fields, request);
    read_tools(fields, request);
    read_format(fields, request);
    read_think(fields, request);
    request.logprobs = fields.boolean("logprobs");
    request.top_logprobs = fields.integer("top_logprobs");
    fields.finish(request);
    return trouble.result(std::move(request));
}

Json write_ollama_request(const Request& request, Writer& writer) {
    Json::Object out{{"model", request.model}, {"messages", write_messages(request, writer)}};
    write_tools(out, request, writer);
    if (writer.same()) {
        if (request.logprobs) out.push_back({"logprobs", *request.logprobs});
        if (request.top_logprobs) out.push_back({"top_logprobs", *request.top_logprobs});
        for (const Member& member : request.native)
            if (member.key.find('.') == std::string::npos) out.push_back(member);
        merge(out, request.shape);
        return out;
    }
    out.push_back({"stream", request.stream});
    write_logprobs(out, request);
    if (Json options = options_json(request, writer); !options.if_object()->empty())
        out.push_back({"options", std::move(options)});
    write_format(out, request, writer);
    write_think(out, request, writer);
    write_openai(out, Dialect::ollama, request, writer);
    lose_the_rest(request, writer);
    return out;
}

}  // namespace penstock::dialects
