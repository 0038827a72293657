// SPDX-License-Identifier: Apache-2.0
#include "dialects/citations.h"

#include <algorithm>

namespace penstock::dialects {
namespace {

constexpr std::string_view kWebPage = "web_search_result_location";
constexpr std::string_view kUrlCitation = "url_citation";

std::string text_at(const Json& value, std::string_view key) {
    const Json* found = value.find(key);
    return found == nullptr || found->if_string() == nullptr ? std::string() : *found->if_string();
}

std::int64_t integer_at(const Json& value, std::string_view key) {
    const Json* found = value.find(key);
    return found == nullptr ? 0 : found->if_integer().value_or(0);
}

template <class Read>
void read_list(Fields& fields, std::string_view key, Part& part, Read read) {
    const std::optional<Json::Array> list = fields.array(key);
    if (!list) return;
    fields.put_shape(key, *list);
    for (std::size_t i = 0; i < list->size(); ++i) {
        const Json& entry = (*list)[i];
        if (std::optional<Citation> citation = read(entry))
            part.citations.push_back(*std::move(citation));
        else
            part.lost.push_back(index_path(fields.at(key), i));
    }
}

}  // namespace

std::int64_t characters_in(std::string_view text) {
    constexpr unsigned kTopBits = 0xC0;
    constexpr unsigned kContinues = 0x80;
    return std::ranges::count_if(text, [](char byte) {
        return (static_cast<unsigned char>(byte) & kTopBits) != kContinues;
    });
}

std::optional<Citation> read_citation(const Json& entry) {
    if (text_at(entry, "type") != kWebPage) return std::nullopt;
    return Citation{
        .url = text_at(entry, "url"),
        .title = text_at(entry, "title"),
        .quote = text_at(entry, "cited_text")
    };
}

void read_citations(Fields& fields, Part& part) {
    read_list(fields, "citations", part, read_citation);
    const Json* list = find(fields.shape(), "citations");
    const Json::Array* entries = list == nullptr ? nullptr : list->if_array();
    for (std::size_t i = 0; entries != nullptr && i < entries->size(); ++i)
        if (!text_at((*entries)[i], "encrypted_index").empty())
            part.lost.push_back(index_path(fields.at("citations"), i) + ".encrypted_index");
    for (Citation& citation : part.citations) citation.end = characters_in(part.text);
}

std::string citations_place(const Part& part, Dialect from) {
    if (from == Dialect::anthropic) return member_path(part.path, "citations");
    if (from != Dialect::chat) return member_path(part.path, "annotations");
    // They are the message's, whose content the part is.
    return member_path(part.path.substr(0, part.path.rfind(".content")), "annotations");
}

bool tells_citations(const Part& part, Writer& writer) {
    if (writer.same() || part.citations.empty()) return false;
    if (writer.answers()) return true;
    writer.lose(citations_place(part, writer.from()));
    return false;
}

Json citation_json(const Citation& citation) {
    return Json::Object{
        {"type", std::string(kWebPage)},
        {"url", citation.url},
        {"title", citation.title.empty() ? Json() : Json(citation.title)},
        {"cited_text", citation.quote},
        {"encrypted_index", ""}
    };
}

std::optional<Citation> read_annotation(const Json& entry, AnnotationForm form) {
    if (text_at(entry, "type") != kUrlCitation) return std::nullopt;
    const Json* inner = form == AnnotationForm::nested ? entry.find(kUrlCitation) : &entry;
    if (inner == nullptr) return std::nullopt;
    return Citation{
        .url = text_at(*inner, "url"),
        .title = text_at(*inner, "title"),
        .begin = integer_at(*inner, "start_index"),
        .end = integer_at(*inner, "end_index")
    };
}

void read_annotations(Fields& fields, AnnotationForm form, Part& part) {
    read_list(fields, "annotations", part, [form](const Json& entry) {
        return read_annotation(entry, form);
    });
}

Json annotation_json(const Citation& citation, AnnotationForm form) {
    Json::Object inner{
        {"start_index", citation.begin},
        {"end_index", citation.end},
        {"url", citation.url},
        {"title", citation.title}
    };
    if (form == AnnotationForm::nested)
        return Json::Object{
            {"type", std::string(kUrlCitation)}, {std::string(kUrlCitation), std::move(inner)}
        };
    inner.insert(inner.begin(), {"type", std::string(kUrlCitation)});
    return inner;
}

Json::Array annotations_of(const Part& part, std::int64_t before, AnnotationForm form) {
    Json::Array out;
    for (Citation citation : part.citations) {
        citation.begin += before;
        citation.end += before;
        out.push_back(annotation_json(citation, form));
    }
    return out;
}

}  // namespace penstock::dialects
