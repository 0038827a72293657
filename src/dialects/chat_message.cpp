// SPDX-License-Identifier: Apache-2.0
#include "dialects/chat_message.h"

#include <algorithm>
#include <array>

#include "dialects/attached_file.h"
#include "dialects/citations.h"
#include "dialects/reasoning.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

// Engines name the hidden part differently.
constexpr std::array<std::string_view, 2> kReasoningNames{"reasoning_content", "reasoning"};

Role role_of(const std::string& name, const std::string& path, Trouble& trouble) {
    if (name == "system") return Role::system;
    if (name == "developer") return Role::developer;
    if (name == "user") return Role::user;
    if (name == "assistant") return Role::assistant;
    if (name == "tool") return Role::tool;
    trouble.add(path + ".role", "'" + name + "' is not a role of a message");
    return Role::user;
}

std::string_view role_name(Role role) {
    constexpr std::array<std::string_view, 5> kNames{
        "system", "developer", "user", "assistant", "tool"
    };
    return kNames.at(static_cast<std::size_t>(role));
}

Part read_image(Fields& fields) {
    Part part;
    part.kind = Part::Kind::image;
    Fields image(
        fields.take("image_url").value_or(Json()), fields.at("image_url"), fields.trouble()
    );
    read_image_url(image.need_text("url"), part);
    image.shape_if("detail", "auto");
    image.finish(part);
    return part;
}

Part read_content_part(Json value, std::string path, Trouble& trouble) {
    const Json* type = value.find("type");
    const std::string kind =
        type == nullptr || type->if_string() == nullptr ? "" : *type->if_string();
    if (kind == "file") return read_chat_file(std::move(value), std::move(path), trouble);
    if (kind != "text" && kind != "image_url" && kind != "refusal")
        return native_part(std::move(value), std::move(path));
    Fields fields(std::move(value), path, trouble);
    fields.take("type");
    if (kind == "image_url") {
        Part part = read_image(fields);
        Extras around;
        fields.finish(around);
        merge(part.native, around.native);
        return part;
    }
    Part part;
    part.kind = kind == "text" ? Part::Kind::text : Part::Kind::refusal;
    part.text = fields.need_text(kind);
    fields.finish(part);
    return part;
}

void read_content(Fields& fields, std::vector<Part>& parts, bool& plain) {
    std::optional<Json> content = fields.take("content");
    if (!content) return;
    if (const std::string* text = content->if_string()) {
        plain = true;
        parts.push_back(Part{{}, Part::Kind::text, *text});
        parts.back().path = fields.at("content");
        return;
    }
    Json::Array* list = content->if_array();
    if (list == nullptr)
        return fields.trouble().add(fields.at("content"), "expected a string or a list of parts");
    if (list->empty()) fields.put_shape("content", Json::Array{});
    for (std::size_t i = 0; i < list->size(); ++i)
        parts.push_back(read_content_part(
            std::move((*list)[i]), index_path(fields.at("content"), i), fields.trouble()
        ));
}

void read_calls(Fields& fields, std::vector<Part>& parts) {
    std::optional<Json::Array> calls = fields.array("tool_calls");
    if (!calls) return;
    if (calls->empty()) fields.put_shape("tool_calls", Json::Array{});
    for (std::size_t i = 0; i < calls->size(); ++i) {
        const std::string path = index_path(fields.at("tool_calls"), i);
        Fields call(std::move((*calls)[i]), path, fields.trouble());
        Part part;
        part.kind = Part::Kind::tool_call;
        part.id = call.text("id").value_or("");
        call.shape({"type", "index"});
        Fields function(
            call.take("function").value_or(Json()), path + ".function", fields.trouble()
        );
        part.name = function.need_text("name");
        part.text = function.text("arguments").value_or("");
        Extras inner;
        function.finish(inner);
        call.finish(part);
        merge(part.native, inner.native);
        parts.push_back(std::move(part));
    }
}

Turn read_tool_message(Fields& fields) {
    Turn turn;
    turn.role = Role::tool;
    Part result;
    result.kind = Part::Kind::tool_result;
    result.id = fields.need_text("tool_call_id");
    read_content(fields, result.parts, result.plain);
    fields.finish(turn);
    result.path = turn.path;
    turn.parts.push_back(std::move(result));
    return turn;
}

Json part_json(const Part& part, Writer& writer) {
    Json::Object out;
    switch (part.kind) {
        case Part::Kind::text:
            out = {{"type", "text"}, {"text", part.text}};
            break;
        case Part::Kind::refusal:
            out = {{"type", "refusal"}, {"refusal", part.text}};
            break;
        case Part::Kind::image: {
            Json::Object image{{"url", image_url(part)}};
            writer.extras(image, part);
            return Json::Object{{"type", "image_url"}, {"image_url", std::move(image)}};
        }
        case Part::Kind::document:
            return chat_file(part, writer);
        case Part::Kind::reasoning:
        case Part::Kind::tool_call:
        case Part::Kind::tool_result:
        case Part::Kind::native:
            return nullptr;
    }
    writer.extras(out, part);
    return out;
}

bool is_media(const Part& part) {
    return part.kind == Part::Kind::image || part.kind == Part::Kind::document;
}

bool is_message_level(const Part& part) {
    return part.kind == Part::Kind::reasoning || part.kind == Part::Kind::tool_call ||
           (part.kind == Part::Kind::refusal && part.plain);
}

// The content of a message: a string where one text is all there is and nothing else was said.
Json content_json(const std::vector<Part>& parts, bool plain, Writer& writer) {
    const auto texts =
        std::ranges::count_if(parts, [](const Part& p) { return !is_message_level(p); });
    if (texts == 0) return nullptr;
    const auto first =
        std::ranges::find_if(parts, [](const Part& p) { return !is_message_level(p); });
    const bool one_text = texts == 1 && first->kind == Part::Kind::text;
    if (one_text && (plain || !writer.same())) {
        if (!writer.same()) writer.lose_natives(*first);
        return first->text;
    }
    Json::Array list;
    for (const Part& part : parts) {
        if (is_message_level(part)) continue;
        if (part.kind == Part::Kind::native)
            write_native(list, part, writer);
        else if (Json value = part_json(part, writer); !value.is_null())
            list.push_back(std::move(value));
    }
    return list;
}

// Places are counted in the content of the message, which its texts are joined to.
Json::Array annotations_json(const std::vector<Part>& parts, Writer& writer) {
    Json::Array out;
    std::int64_t before = 0;
    for (const Part& part : parts) {
        if (part.kind != Part::Kind::text) continue;
        if (tells_citations(part, writer))
            for (Json& entry : annotations_of(part, before, AnnotationForm::nested))
                out.push_back(std::move(entry));
        before += characters_in(part.text);
    }
    return out;
}

Json call_json(const Part& part, Writer& writer) {
    Json::Object call;
    if (!part.id.empty()) call.push_back({"id", part.id});
    call.push_back({"type", "function"});
    call.push_back({"function", Json::Object{{"name", part.name}, {"arguments", part.text}}});
    writer.extras(call, part);
    return call;
}

// Images and files of a result go to `media`: a tool's message has no place for them, and what the
// user says next does.
Json result_message(
    const Turn* turn, const Part& result, std::vector<Part>& media, Writer& writer
) {
    Json::Object out{{"role", "tool"}, {"tool_call_id", result.id}};
    if (result.failed) writer.lose(result, "is_error");
    std::vector<Part> texts;
    for (const Part& part : result.parts)
        (is_media(part) && !writer.same() ? media : texts).push_back(part);
    Json content = content_json(texts, result.plain, writer);
    if (content.is_null()) content = "";
    const bool shaped = turn != nullptr && writer.same() && find(turn->shape, "content") != nullptr;
    if (!shaped) out.push_back({"content", std::move(content)});
    if (turn != nullptr) writer.extras(out, *turn);
    writer.lose_natives(result);
    return out;
}

void write_media(Json::Array& out, std::vector<Part>& media, Writer& writer) {
    if (media.empty()) return;
    out.push_back(Json::Object{
        {"role", "user"}, {"content", content_json(std::exchange(media, {}), false, writer)}
    });
}

// Results become messages of their own, in their place among the other parts.
void write_user(Json::Array& out, const Turn& turn, std::vector<Part>& media, Writer& writer) {
    std::vector<Part> rest;
    const auto flush = [&] {
        if (rest.empty()) return;
        std::ranges::move(rest, std::back_inserter(media));
        rest = std::exchange(media, {});
        Json::Object message{{"role", role_name(turn.role)}};
        message.push_back({"content", content_json(rest, turn.plain, writer)});
        writer.extras(message, turn);
        out.push_back(std::move(message));
        rest.clear();
    };
    for (const Part& part : turn.parts) {
        if (part.kind != Part::Kind::tool_result) {
            rest.push_back(part);
            continue;
        }
        flush();
        out.push_back(result_message(turn.role == Role::tool ? &turn : nullptr, part, media, writer)
        );
    }
    flush();
    // Its members went with its words; results have none of them.
    const bool only_results = turn.role != Role::tool && all_results(turn.parts);
    if (only_results && !writer.same()) writer.lose_natives(turn);
    if (turn.parts.empty()) {
        Json::Object message{{"role", role_name(turn.role)}};
        writer.extras(message, turn);
        out.push_back(std::move(message));
    }
}

// What the details say in full, the other members say again; a proof alone belongs to them.
void read_reasoning(Fields& fields, std::vector<Part>& parts) {
    std::vector<Part> details = read_reasoning_details(fields);
    const bool told = std::ranges::any_of(details, [](const Part& p) { return !p.text.empty(); });
    for (const std::string_view name : kReasoningNames) {
        std::optional<std::string> text = fields.text(name);
        if (!text) continue;
        const bool again = !parts.empty() && parts.front().text == *text;
        if (told || again) {
            fields.put_shape(name, *std::move(text));
            continue;
        }
        Part part{{}, Part::Kind::reasoning, *std::move(text)};
        part.name = std::string(name);
        part.path = fields.at(name);
        parts.push_back(std::move(part));
    }
    for (Part& detail : details) {
        const bool alone = detail.text.empty() && detail.data.empty() && detail.native.empty();
        if (alone && !parts.empty() && parts.front().signature.empty())
            parts.front().signature = std::move(detail.signature);
        else
            parts.push_back(std::move(detail));
    }
}

}  // namespace

void read_assistant(Fields& fields, std::vector<Part>& parts, bool& plain) {
    read_reasoning(fields, parts);
    read_content(fields, parts, plain);
    if (std::optional<std::string> refusal = fields.text("refusal")) {
        Part part{{}, Part::Kind::refusal, *std::move(refusal)};
        part.plain = true;
        part.path = fields.at("refusal");
        parts.push_back(std::move(part));
    }
    read_calls(fields, parts);
    const auto text = std::ranges::find(parts, Part::Kind::text, &Part::kind);
    if (text != parts.end()) read_annotations(fields, AnnotationForm::nested, *text);
    fields.shape_if("annotations", Json::Array{});
    place_reasoning(parts);
}

void write_assistant(
    Json::Object& out, const std::vector<Part>& parts, bool plain, Writer& writer
) {
    Json::Array calls;
    for (const Part& part : parts) {
        if (part.kind == Part::Kind::tool_call) calls.push_back(call_json(part, writer));
        if (part.kind == Part::Kind::refusal && part.plain) out.push_back({"refusal", part.text});
        if (part.kind != Part::Kind::reasoning) continue;
        if (!writer.same()) writer.lose_natives(part);
        if (is_in_shape(part, writer)) continue;
        if (!part.data.empty() && part.text.empty()) continue;
        const std::string name = writer.same() ? part.name : std::string(kReasoningNames[0]);
        if (Json* there = find(out, name))
            *there = *there->if_string() + part.text;
        else
            out.push_back({name, part.text});
    }
    if (!writer.same())
        if (Json::Array details = reasoning_details(parts); !details.empty())
            out.push_back({std::string(kReasoningDetails), std::move(details)});
    std::vector<Part> said;
    for (const Part& part : parts) {
        // An answer's content is a string: what is no text has no place in it.
        const bool out_of_place = writer.answers() && !writer.same() &&
                                  (part.kind == Part::Kind::native || is_media(part));
        if (out_of_place)
            writer.lose(part, "type");
        else
            said.push_back(part);
    }
    Json content = content_json(said, plain, writer);
    out.push_back({"content", std::move(content)});
    if (Json::Array annotations = annotations_json(parts, writer); !annotations.empty())
        out.push_back({"annotations", std::move(annotations)});
    if (!calls.empty()) out.push_back({"tool_calls", std::move(calls)});
}

Turn read_chat_message(Json value, const std::string& path, Trouble& trouble) {
    Fields fields(std::move(value), path, trouble);
    const Role role = role_of(fields.need_text("role"), path, trouble);
    if (role == Role::tool) return read_tool_message(fields);
    Turn turn;
    turn.role = role;
    if (role == Role::assistant)
        read_assistant(fields, turn.parts, turn.plain);
    else
        read_content(fields, turn.parts, turn.plain);
    fields.finish(turn);
    return turn;
}

Json::Array chat_messages(const Request& request, Writer& writer) {
    Json::Array out;
    const std::vector<Turn> turns =
        request.dialect == Dialect::responses ? joined_turns(request.turns) : request.turns;
    std::vector<Part> media;  // of results, until the last of them is told
    for (const Turn& turn : turns) {
        if (lose_item(turn, writer)) continue;
        if (turn.role == Role::assistant || turn.role == Role::system)
            write_media(out, media, writer);
        if (turn.role != Role::assistant) {
            write_user(out, turn, media, writer);
            continue;
        }
        Json::Object message{{"role", "assistant"}};
        write_assistant(message, turn.parts, turn.plain, writer);
        if (writer.same() && find(turn.shape, "content") == nullptr) {
            const Json* content = find(message, "content");
            if (content->is_null()) take(message, "content");
        } else if (writer.same()) {
            put(message, "content", *find(turn.shape, "content"));
        }
        writer.extras(message, turn);
        out.push_back(std::move(message));
    }
    write_media(out, media, writer);
    return out;
}

void read_function_tool(Fields& fields, std::string_view parameters, Tool& tool) {
    tool.name = fields.need_text("name");
    tool.description = fields.text("description");
    tool.parameters = fields.take(parameters);
    fields.shape_if("strict", false);
    tool.strict = fields.boolean("strict").value_or(false);
    fields.finish(tool);
}

Json::Object function_tool(const Tool& tool, std::string_view parameters) {
    Json::Object out{{"name", tool.name}};
    if (tool.description) out.push_back({"description", *tool.description});
    if (tool.parameters) out.push_back({std::string(parameters), *tool.parameters});
    if (tool.strict) out.push_back({"strict", true});
    return out;
}

void read_choice_word(const std::string& word, ToolChoice& choice) {
    if (word == "auto")
        choice.kind = ToolChoice::Kind::automatic;
    else if (word == "none")
        choice.kind = ToolChoice::Kind::none;
    else if (word == "required")
        choice.kind = ToolChoice::Kind::required;
    else
        choice.kind = ToolChoice::Kind::native;
}

void read_schema_format(Fields& fields, ResponseFormat& format) {
    format.name = fields.text("name").value_or("");
    format.description = fields.text("description");
    format.schema = fields.take("schema").value_or(Json());
    format.strict = fields.boolean("strict");
    fields.finish(format);
}

Json::Object schema_format(
    const ResponseFormat& format, Json::Object begin, std::string_view schema
) {
    Json::Object out = std::move(begin);
    out.push_back({"name", format.name.empty() ? std::string("answer") : format.name});
    if (format.description) out.push_back({"description", *format.description});
    out.push_back({std::string(schema), format.schema});
    if (format.strict) out.push_back({"strict", *format.strict});
    return out;
}

}  // namespace penstock::dialects
