// SPDX-License-Identifier: Apache-2.0
#include "dialects/attached_file.h"
#include "dialects/citations.h"
#include "dialects/reasoning.h"
#include "dialects/responses.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

std::string word(const Json& value, std::string_view key) {
    const Json* found = value.find(key);
    return found == nullptr || found->if_string() == nullptr ? std::string() : *found->if_string();
}

Part read_content_part(Json value, std::string path, Trouble& trouble) {
    const std::string kind = word(value, "type");
    const bool text = kind == "input_text" || kind == "output_text";
    const bool image = kind == "input_image" && value.find("image_url") != nullptr &&
                       !value.find("image_url")->is_null();
    if (kind == "input_file") return read_input_file(std::move(value), std::move(path), trouble);
    if (!text && !image && kind != "refusal") return native_part(std::move(value), std::move(path));
    Fields fields(std::move(value), std::move(path), trouble);
    fields.take("type");
    Part part;
    if (text) part.text = fields.need_text("text");
    if (kind == "refusal") {
        part.kind = Part::Kind::refusal;
        part.text = fields.need_text("refusal");
    }
    if (image) {
        part.kind = Part::Kind::image;
        read_image_url(fields.need_text("image_url"), part);
        fields.shape_if("detail", "auto");
    }
    read_annotations(fields, AnnotationForm::flat, part);
    fields.shape_if("logprobs", Json::Array{});
    fields.finish(part);
    return part;
}

void read_parts(
    Json::Array list, const std::string& path, std::vector<Part>& parts, Trouble& trouble
) {
    for (std::size_t i = 0; i < list.size(); ++i)
        parts.push_back(read_content_part(std::move(list[i]), index_path(path, i), trouble));
}

void read_content(Fields& fields, std::string_view key, std::vector<Part>& parts, bool& plain) {
    std::optional<Json> content = fields.take(key);
    if (!content) return;
    if (const std::string* text = content->if_string()) {
        plain = true;
        parts.push_back(Part{{}, Part::Kind::text, *text});
    } else if (Json::Array* list = content->if_array()) {
        if (list->empty()) fields.put_shape(key, Json::Array{});
        read_parts(std::move(*list), fields.at(key), parts, fields.trouble());
    } else {
        fields.trouble().add(fields.at(key), "expected a string or a list of parts");
    }
}

void read_message(Fields& fields, Turn& turn) {
    const std::string role = fields.need_text("role");
    if (role == "assistant")
        turn.role = Role::assistant;
    else if (role == "system")
        turn.role = Role::system;
    else if (role == "developer")
        turn.role = Role::developer;
    else if (role != "user")
        fields.trouble().add(fields.at("role"), "'" + role + "' is not a role of a message");
    fields.shape({"type"});
    read_content(fields, "content", turn.parts, turn.plain);
}

void read_call(Fields& fields, Turn& turn) {
    turn.role = Role::assistant;
    Part part;
    part.kind = Part::Kind::tool_call;
    part.id = fields.need_text("call_id");
    part.name = fields.need_text("name");
    part.text = fields.text("arguments").value_or("");
    part.path = fields.at("arguments");
    turn.parts.push_back(std::move(part));
}

void read_result(Fields& fields, Turn& turn) {
    turn.role = Role::tool;
    Part part;
    part.kind = Part::Kind::tool_result;
    part.id = fields.need_text("call_id");
    part.path = fields.at("output");
    read_content(fields, "output", part.parts, part.plain);
    turn.parts.push_back(std::move(part));
}

std::string texts_of(const Json* list) {
    std::string text;
    const Json::Array* array = list == nullptr ? nullptr : list->if_array();
    if (array != nullptr)
        for (const Json& entry : *array) text += word(entry, "text");
    return text;
}

void read_reasoning(Fields& fields, Turn& turn) {
    turn.role = Role::assistant;
    Part part;
    part.kind = Part::Kind::reasoning;
    part.path = fields.at("content");
    const std::optional<Json> summary = fields.take("summary");
    const std::optional<Json> content = fields.take("content");
    part.text = texts_of(content ? &*content : nullptr);
    const std::string summed = texts_of(summary ? &*summary : nullptr);
    if (part.text.empty())
        part.text = summed;
    else if (!summed.empty() && summed != part.text)
        part.lost.push_back(fields.at("summary"));
    if (std::optional<std::string> hidden = fields.text("encrypted_content")) {
        if (hidden->empty()) fields.put_shape("encrypted_content", "");
        read_encrypted_content(*std::move(hidden), part);
    }
    if (summary) fields.put_shape("summary", *summary);
    if (content) fields.put_shape("content", *content);
    turn.parts.push_back(std::move(part));
}

// ---- writing ----

Json part_json(const Part& part, bool model, Writer& writer) {
    Json::Object out;
    if (part.kind == Part::Kind::document) return input_file(part, writer);
    if (part.kind == Part::Kind::refusal) {
        out = {{"type", "refusal"}, {"refusal", part.text}};
    } else if (part.kind == Part::Kind::image) {
        out = {{"type", "input_image"}, {"image_url", image_url(part)}};
    } else {
        out = {{"type", model ? "output_text" : "input_text"}, {"text", part.text}};
        Json::Array annotations;
        if (tells_citations(part, writer))
            annotations = annotations_of(part, 0, AnnotationForm::flat);
        if (model && !writer.same())
            merge(out, {{"annotations", std::move(annotations)}, {"logprobs", Json::Array{}}});
    }
    writer.extras(out, part);
    return out;
}

Json::Array parts_json(const std::vector<Part>& parts, bool model, Writer& writer) {
    Json::Array out;
    for (const Part& part : parts) {
        if (part.kind == Part::Kind::native)
            write_native(out, part, writer);
        else
            out.push_back(part_json(part, model, writer));
    }
    return out;
}

// Gives items their ids and states, where the answer is ours.
class ItemWriter {
  public:
    ItemWriter(const Turn& turn, const std::string& id_prefix, Writer& writer)
        : turn_(turn), id_prefix_(id_prefix), writer_(writer) {}

    Json::Array run() {
        if (turn_.parts.empty()) flush_message(true);
        for (const Part& part : turn_.parts) {
            switch (part.kind) {
                case Part::Kind::tool_call:
                    flush_message(false);
                    add(call(part));
                    break;
                case Part::Kind::tool_result:
                    flush_message(false);
                    add(result(part));
                    break;
                case Part::Kind::reasoning:
                    flush_message(false);
                    add(reasoning(part));
                    break;
                case Part::Kind::text:
                case Part::Kind::refusal:
                case Part::Kind::image:
                case Part::Kind::document:
                case Part::Kind::native:
                    if (!is_out_of_place(part, writer_)) message_.push_back(part);
                    break;
            }
        }
        flush_message(false);
        return std::move(out_);
    }

  private:
    std::string id(std::string_view kind) const {
        return std::string(kind) + id_prefix_ + "_" + std::to_string(out_.size());
    }
    void add(Json::Object item) {
        if (writer_.same()) {
            writer_.extras(item, turn_);
        } else if (!id_prefix_.empty()) {
            const std::string type = *find(item, "type")->if_string();
            const std::string_view kind = type == "message"     ? "msg_"
                                          : type == "reasoning" ? "rs_"
                                                                : "fc_";
            put(item, "id", id(kind));
            put(item, "status", "completed");
        }
        out_.push_back(std::move(item));
    }
    Json::Object call(const Part& part) {
        writer_.lose_natives(part);
        return {
            {"type", "function_call"},
            {"call_id", part.id},
            {"name", part.name},
            {"arguments", part.text}
        };
    }
    Json::Object result(const Part& part) {
        Json::Object out{{"type", "function_call_output"}, {"call_id", part.id}};
        if (part.failed) writer_.lose(part, "is_error");
        writer_.lose_natives(part);
        if (part.parts.size() == 1 && part.parts[0].kind == Part::Kind::text &&
            (part.plain || !writer_.same()))
            out.push_back({"output", part.parts[0].text});
        else if (find(turn_.shape, "output") == nullptr)
            out.push_back({"output", parts_json(part.parts, false, writer_)});
        return out;
    }
    Json::Object reasoning(const Part& part) {
        Json::Object out{{"type", "reasoning"}};
        if (std::string hidden = encrypted_content(part); !hidden.empty())
            out.push_back({"encrypted_content", std::move(hidden)});
        if (writer_.same()) return out;
        writer_.lose_natives(part);
        out.push_back({"summary", Json::Array{}});
        Json::Array content;
        if (!part.text.empty())
            content.emplace_back(Json::Object{{"type", "reasoning_text"}, {"text", part.text}});
        out.push_back({"content", std::move(content)});
        return out;
    }
    void flush_message(bool even_empty) {
        if (message_.empty() && !even_empty) return;
        // An item that Responses alone knows.
        if (message_.size() == 1 && message_[0].kind == Part::Kind::native &&
            find(turn_.shape, "item") != nullptr) {
            if (writer_.same())
                out_.push_back(message_[0].native);
            else
                writer_.lose(message_[0], "type");
            message_.clear();
            return;
        }
        constexpr const char* kRoles[] = {"system", "developer", "user", "assistant", "user"};
        const bool model = turn_.role == Role::assistant;
        Json::Object item;
        if (!writer_.same()) item.push_back({"type", "message"});
        item.push_back({"role", kRoles[static_cast<std::size_t>(turn_.role)]});
        const bool one_text = message_.size() == 1 && message_[0].kind == Part::Kind::text;
        if (one_text && id_prefix_.empty() && (turn_.plain || !writer_.same()))
            item.push_back({"content", message_[0].text});
        else if (find(turn_.shape, "content") == nullptr || !writer_.same())
            item.push_back({"content", parts_json(message_, model, writer_)});
        message_.clear();
        add(std::move(item));
    }

    const Turn& turn_;
    const std::string& id_prefix_;
    Writer& writer_;
    std::vector<Part> message_;
    Json::Array out_;
};

}  // namespace

Turn read_item(Json value, std::string path, Trouble& trouble) {
    std::string type = word(value, "type");
    if (type.empty() && value.find("role") != nullptr) type = "message";
    Turn turn;
    const bool known = type == "message" || type == "function_call" ||
                       type == "function_call_output" || type == "reasoning";
    if (!known) {
        turn.parts.push_back(native_part(std::move(value), path));
        turn.path = std::move(path);
        turn.shape = Json::Object{{"item", true}};
        return turn;
    }
    Fields fields(std::move(value), std::move(path), trouble);
    if (type == "message") read_message(fields, turn);
    if (type == "function_call") read_call(fields, turn);
    if (type == "function_call_output") read_result(fields, turn);
    if (type == "reasoning") read_reasoning(fields, turn);
    // Ids and states of items tell the model nothing; calls are joined by call_id.
    fields.shape({"type", "id", "status"});
    fields.finish(turn);
    return turn;
}

Json::Array write_items(const Turn& turn, const std::string& id_prefix, Writer& writer) {
    return ItemWriter(turn, id_prefix, writer).run();
}

}  // namespace penstock::dialects
