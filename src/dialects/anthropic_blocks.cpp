// SPDX-License-Identifier: Apache-2.0
#include "dialects/anthropic.h"
#include "dialects/attached_file.h"
#include "dialects/citations.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

Part read_image(Fields& fields) {
    Part part;
    part.kind = Part::Kind::image;
    Fields source(fields.take("source").value_or(Json()), fields.at("source"), fields.trouble());
    const std::string type = source.need_text("type");
    if (type == "base64") {
        part.media_type = source.need_text("media_type");
        part.data = source.need_text("data");
    } else if (type == "url") {
        part.url = source.need_text("url");
    } else {
        put(part.native, "type", type);
    }
    source.finish(part);
    if (part.native.empty()) return part;
    // A source that only Anthropic knows (an uploaded file): the block stays as it is.
    part.kind = Part::Kind::native;
    part.native = Json::Object{{"type", "image"}, {"source", part.native}};
    return part;
}

Part read_result(Fields& fields) {
    Part part;
    part.kind = Part::Kind::tool_result;
    part.id = fields.need_text("tool_use_id");
    fields.shape_if("is_error", false);
    part.failed = fields.boolean("is_error").value_or(false);
    std::optional<Json> content = fields.take("content");
    if (!content) return part;
    if (const std::string* text = content->if_string()) {
        part.plain = true;
        part.parts.push_back(Part{{}, Part::Kind::text, *text});
        part.parts.back().path = fields.at("content");
    } else if (Json::Array* list = content->if_array()) {
        if (list->empty()) fields.put_shape("content", Json::Array{});
        part.parts = read_blocks(std::move(*list), fields.at("content"), fields.trouble());
    } else {
        fields.trouble().add(fields.at("content"), "expected a string or a list of blocks");
    }
    return part;
}

Part read_call(Fields& fields) {
    Part part;
    part.kind = Part::Kind::tool_call;
    part.id = fields.need_text("id");
    part.name = fields.need_text("name");
    part.text = print_json(fields.take("input").value_or(Json::Object{}));
    return part;
}

Part read_thinking(Fields& fields, bool redacted) {
    Part part;
    part.kind = Part::Kind::reasoning;
    if (redacted) {
        part.data = fields.need_text("data");
        return part;
    }
    part.text = fields.text("thinking").value_or("");
    if (const std::optional<std::string> signature = fields.text("signature")) {
        part.signature = *signature;
        if (signature->empty()) fields.put_shape("signature", "");
    }
    return part;
}

void read_text(Fields& fields, Part& part) {
    part.text = fields.need_text("text");
    read_citations(fields, part);
}

Part read_block(Json value, const std::string& path, Trouble& trouble) {
    const Json* type = value.find("type");
    const std::string kind =
        type == nullptr || type->if_string() == nullptr ? "" : *type->if_string();
    if (kind == "document") return read_document(std::move(value), path, trouble);
    const bool known = kind == "text" || kind == "image" || kind == "tool_use" ||
                       kind == "tool_result" || kind == "thinking" || kind == "redacted_thinking";
    if (!known) return native_part(std::move(value), path);
    Fields fields(std::move(value), path, trouble);
    fields.take("type");
    Part part;
    if (kind == "text") read_text(fields, part);
    if (kind == "image") part = read_image(fields);
    if (kind == "tool_use") part = read_call(fields);
    if (kind == "tool_result") part = read_result(fields);
    if (kind == "thinking" || kind == "redacted_thinking")
        part = read_thinking(fields, kind == "redacted_thinking");
    fields.shape_if("caller", Json::Object{{"type", "direct"}});
    fields.finish(part);
    return part;
}

Json text_block(const Part& part, Writer& writer) {
    Json::Object block{{"type", "text"}, {"text", part.text}};
    if (tells_citations(part, writer)) {
        Json::Array citations;
        for (const Citation& citation : part.citations)
            citations.push_back(citation_json(citation));
        block.push_back({"citations", std::move(citations)});
    }
    writer.extras(block, part);
    return block;
}

Json call_block(const Part& part, Writer& writer) {
    Json::Object block{{"type", "tool_use"}, {"id", part.id}, {"name", part.name}};
    block.push_back({"input", arguments_object(part, writer)});
    writer.extras(block, part);
    return block;
}

Json image_block(const Part& part, Writer& writer) {
    Json::Object source;
    if (part.url.empty())
        source = {{"type", "base64"}, {"media_type", part.media_type}, {"data", part.data}};
    else
        source = {{"type", "url"}, {"url", part.url}};
    Json::Object out{{"type", "image"}, {"source", std::move(source)}};
    writer.extras(out, part);
    return out;
}

Json result_block(const Part& part, Writer& writer) {
    Json::Object out{{"type", "tool_result"}, {"tool_use_id", part.id}};
    if (part.plain && part.parts.size() == 1)
        out.push_back({"content", part.parts.front().text});
    else if (!part.parts.empty())
        out.push_back({"content", write_blocks(part.parts, writer)});
    if (part.failed) out.push_back({"is_error", true});
    writer.extras(out, part);
    return out;
}

Json reasoning_block(const Part& part, Writer& writer) {
    Json::Object out;
    if (!part.data.empty())
        out = {{"type", "redacted_thinking"}, {"data", part.data}};
    else
        out = {{"type", "thinking"}, {"thinking", part.text}, {"signature", part.signature}};
    if (writer.same() && part.data.empty() && part.signature.empty() &&
        find(part.shape, "signature") == nullptr)
        take(out, "signature");
    writer.extras(out, part);
    return out;
}

}  // namespace

std::vector<Part> read_blocks(Json::Array list, const std::string& path, Trouble& trouble) {
    std::vector<Part> parts;
    parts.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i)
        parts.push_back(read_block(std::move(list[i]), index_path(path, i), trouble));
    return parts;
}

Json::Array write_blocks(const std::vector<Part>& parts, Writer& writer) {
    Json::Array out;
    for (const Part& part : parts) {
        switch (part.kind) {
            // A refusal is text there; that it is one stands in the stop reason.
            case Part::Kind::refusal:
            case Part::Kind::text:
                // A block without text is refused there.
                if (part.text.empty() && !writer.same())
                    writer.lose_natives(part);
                else
                    out.push_back(text_block(part, writer));
                break;
            case Part::Kind::image:
                if (!is_out_of_place(part, writer)) out.push_back(image_block(part, writer));
                break;
            case Part::Kind::reasoning:
                out.push_back(reasoning_block(part, writer));
                break;
            case Part::Kind::document:
                if (is_out_of_place(part, writer)) break;
                if (Json block = document_block(part, writer); !block.is_null())
                    out.push_back(std::move(block));
                break;
            case Part::Kind::tool_call:
                out.push_back(call_block(part, writer));
                break;
            case Part::Kind::tool_result:
                out.push_back(result_block(part, writer));
                break;
            case Part::Kind::native:
                write_native(out, part, writer);
                break;
        }
    }
    return out;
}

}  // namespace penstock::dialects
