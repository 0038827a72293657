// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/fields.h"

// Pages of the web that a text rests on. Anthropic cites for a whole block of text, OpenAI for a
// range of its characters; what cites something else is a dialect's own.
namespace penstock::dialects {

// Takes the member of a text block. Entries that only Anthropic knows, and what it needs to cite
// again (encrypted_index), go to `part.native` by their place.
void read_citations(Fields& fields, Part& part);
// One entry, as a stream brings it. Nothing: it is Anthropic's own.
std::optional<Citation> read_citation(const Json& entry);
Json citation_json(const Citation& citation);

// Chat nests the members of an annotation below its type, Responses does not.
enum class AnnotationForm : std::uint8_t { nested, flat };
void read_annotations(Fields& fields, AnnotationForm form, Part& part);
std::optional<Citation> read_annotation(const Json& entry, AnnotationForm form);
Json annotation_json(const Citation& citation, AnnotationForm form);
// Of the texts of a message, counted on from `before` characters.
Json::Array annotations_of(const Part& part, std::int64_t before, AnnotationForm form);

// Where a dialect told the citations of a part: "content[1].citations".
std::string citations_place(const Part& part, Dialect from);
// Whether the writer's document has a place for citations: answers do. Of a request, where they say
// nothing to the model that its text does not, they are lost by name.
bool tells_citations(const Part& part, Writer& writer);

// Characters of UTF-8.
std::int64_t characters_in(std::string_view text);

}  // namespace penstock::dialects
