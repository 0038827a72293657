// SPDX-License-Identifier: Apache-2.0
#include "dialects/reasoning.h"

#include <algorithm>
#include <map>

namespace penstock::dialects {
namespace {

// No base64 has a colon, and so no proof begins like this.
constexpr std::string_view kHidden = "redacted_thinking:";

bool is_proven(const Part& part) { return !part.signature.empty() || !part.data.empty(); }

Part read_detail(Json value, std::string path, std::int64_t& index, Trouble& trouble) {
    const Json whole = value;
    Fields fields(std::move(value), std::move(path), trouble);
    Part part;
    part.kind = Part::Kind::reasoning;
    const std::string type = fields.need_text("type");
    const std::string key = type == "reasoning.summary" ? "summary" : "text";
    part.text = fields.text(key).value_or("");
    part.signature = fields.text("signature").value_or("");
    part.data = fields.text("data").value_or("");
    index = fields.integer("index").value_or(-1);
    fields.shape({"id", "format"});
    fields.finish(part);
    const bool known =
        type == "reasoning.text" || type == "reasoning.summary" || type == "reasoning.encrypted";
    if (!known) put(part.native, "type", type);
    part.name = std::string(kReasoningDetails);
    return part;
}

}  // namespace

std::vector<Part> read_reasoning_details(Fields& fields) {
    std::vector<Part> parts;
    const std::optional<Json::Array> list = fields.array(kReasoningDetails);
    if (!list) return parts;
    fields.put_shape(kReasoningDetails, *list);
    std::map<std::int64_t, std::size_t> places;
    for (std::size_t i = 0; i < list->size(); ++i) {
        std::int64_t index = -1;
        Part part = read_detail(
            (*list)[i], index_path(fields.at(kReasoningDetails), i), index, fields.trouble()
        );
        const auto known = places.find(index);
        if (index < 0 || known == places.end()) {
            if (index >= 0) places[index] = parts.size();
            part.place = index;
            parts.push_back(std::move(part));
            continue;
        }
        Part& whole = parts[known->second];
        whole.text += part.text;
        whole.signature += part.signature;
        whole.data += part.data;
        merge(whole.native, part.native);
    }
    return parts;
}

bool is_in_shape(const Part& part, const Writer& writer) {
    return writer.same() && part.name == kReasoningDetails;
}

Json::Object reasoning_detail(const Part& part, std::int64_t index) {
    if (!part.data.empty())
        return {{"type", "reasoning.encrypted"}, {"data", part.data}, {"index", index}};
    Json::Object detail{{"type", "reasoning.text"}, {"text", part.text}};
    if (!part.signature.empty()) detail.push_back({"signature", part.signature});
    detail.push_back({"index", index});
    return detail;
}

Json::Array reasoning_details(const std::vector<Part>& parts) {
    const auto proven = [](const Part& part) {
        return part.kind == Part::Kind::reasoning && is_proven(part);
    };
    Json::Array details;
    if (std::ranges::none_of(parts, proven)) return details;
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (parts[i].kind == Part::Kind::reasoning)
            details.emplace_back(reasoning_detail(parts[i], static_cast<std::int64_t>(i)));
    return details;
}

void place_reasoning(std::vector<Part>& parts) {
    std::multimap<std::int64_t, Part> placed;
    std::vector<Part> rest;
    for (Part& part : parts) {
        if (part.kind == Part::Kind::reasoning && part.place >= 0)
            placed.emplace(part.place, std::move(part));
        else
            rest.push_back(std::move(part));
    }
    parts.clear();
    auto reasoning = placed.begin();
    auto other = rest.begin();
    while (reasoning != placed.end() || other != rest.end()) {
        const auto next = static_cast<std::int64_t>(parts.size());
        const bool due =
            reasoning != placed.end() && (reasoning->first <= next || other == rest.end());
        parts.push_back(std::move(due ? (reasoning++)->second : *other++));
    }
}

std::string encrypted_content(const Part& part) {
    return part.data.empty() ? part.signature : std::string(kHidden) + part.data;
}

void read_encrypted_content(std::string content, Part& part) {
    if (content.starts_with(kHidden))
        part.data = content.substr(kHidden.size());
    else
        part.signature = std::move(content);
}

}  // namespace penstock::dialects
