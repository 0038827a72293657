// SPDX-License-Identifier: Apache-2.0
#include "dialects/attached_file.h"

#include "dialects/base64.h"
#include "dialects/shared.h"

namespace penstock::dialects {
namespace {

constexpr std::string_view kPlainText = "text/plain";
constexpr std::string_view kPdf = "application/pdf";
// OpenAI's API wants a name beside data; this one is said where the client gave none.
constexpr std::string_view kUnnamed = "document";
// From "data:TYPE;base64,…". Another form is told by who wrote it: the part stays its dialect's.
bool read_data(const std::string& url, Part& part) {
    Part read;
    read_image_url(url, read);
    if (read.data.empty()) return false;
    part.media_type = read.media_type;
    part.data = read.data;
    return true;
}

std::string data_url(const Part& part) {
    const std::string data = part.data.empty() ? base64_of(part.text) : part.data;
    return "data:" + part.media_type + ";base64," + data;
}

std::string name_of(const Part& part) {
    return part.name.empty() ? std::string(kUnnamed) : part.name;
}

Part document(std::string path) {
    Part part;
    part.kind = Part::Kind::document;
    part.path = std::move(path);
    return part;
}

std::string text_at(const Json* value) {
    return value == nullptr || value->if_string() == nullptr ? std::string() : *value->if_string();
}

}  // namespace

Part read_chat_file(Json value, std::string path, Trouble& trouble) {
    const Json whole = value;
    Fields outer(std::move(value), path, trouble);
    outer.take("type");
    Fields file(outer.take("file").value_or(Json()), outer.at("file"), trouble);
    Part part = document(path);
    const bool read = read_data(file.text("file_data").value_or(""), part);
    part.name = file.text("filename").value_or("");
    if (!read || file.has("file_id")) return native_part(whole, std::move(path));
    Extras around;
    file.finish(part);
    outer.finish(around);
    merge(part.native, around.native);
    return part;
}

Json chat_file(const Part& part, Writer& writer) {
    if (!part.url.empty()) {
        writer.lose(part, "url");
        return nullptr;
    }
    Json::Object file;
    if (!writer.same() || !part.name.empty()) file.push_back({"filename", name_of(part)});
    file.push_back({"file_data", data_url(part)});
    writer.extras(file, part);
    return Json::Object{{"type", "file"}, {"file", std::move(file)}};
}

Part read_input_file(Json value, std::string path, Trouble& trouble) {
    const Json whole = value;
    Fields fields(std::move(value), path, trouble);
    fields.take("type");
    Part part = document(path);
    const std::optional<std::string> data = fields.text("file_data");
    part.url = fields.text("file_url").value_or("");
    part.name = fields.text("filename").value_or("");
    const bool read = data ? read_data(*data, part) && part.url.empty() : !part.url.empty();
    if (!read || fields.has("file_id")) return native_part(whole, std::move(path));
    fields.shape_if("detail", "auto");
    fields.finish(part);
    return part;
}

Json input_file(const Part& part, Writer& writer) {
    Json::Object out{{"type", "input_file"}};
    if (!part.name.empty() || (part.url.empty() && !writer.same()))
        out.push_back({"filename", name_of(part)});
    if (part.url.empty())
        out.push_back({"file_data", data_url(part)});
    else
        out.push_back({"file_url", part.url});
    writer.extras(out, part);
    return out;
}

Part read_document(Json value, std::string path, Trouble& trouble) {
    const Json whole = value;
    Fields fields(std::move(value), path, trouble);
    fields.take("type");
    Part part = document(path);
    const Json source = fields.take("source").value_or(Json());
    const std::string type = text_at(source.find("type"));
    Fields inner(source, fields.at("source"), trouble);
    inner.take("type");
    part.media_type = inner.text("media_type").value_or("");
    if (type == "base64") part.data = inner.need_text("data");
    if (type == "text") part.text = inner.need_text("data");
    if (type == "url") part.url = inner.need_text("url");
    if (part.data.empty() && part.text.empty() && part.url.empty())
        return native_part(whole, std::move(path));
    part.name = fields.text("title").value_or("");
    fields.shape_if("citations", Json::Object{{"enabled", false}});
    Extras around;
    inner.finish(around);
    fields.finish(part);
    // Members of the source beside these stand below its name.
    if (!around.native.empty()) put(part.native, "source", std::move(around.native));
    return part;
}

Json document_block(const Part& part, Writer& writer) {
    Json::Object source;
    std::string text = part.text;
    if (text.empty() && part.media_type == kPlainText && !writer.same())
        text = base64_bytes(part.data).value_or("");
    if (!part.url.empty()) {
        source = {{"type", "url"}, {"url", part.url}};
    } else if (!text.empty()) {
        source = {{"type", "text"}, {"media_type", part.media_type}, {"data", std::move(text)}};
    } else if (part.media_type == kPdf || writer.same()) {
        source = {{"type", "base64"}, {"media_type", part.media_type}, {"data", part.data}};
    } else {
        writer.lose(part, "media_type");
        return nullptr;
    }
    Json::Object out{{"type", "document"}, {"source", std::move(source)}};
    const bool named = !part.name.empty() && (writer.same() || part.name != kUnnamed);
    if (named) out.push_back({"title", part.name});
    writer.extras(out, part);
    return out;
}

}  // namespace penstock::dialects
