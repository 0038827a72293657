// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/fields.h"

// Messages of Chat, and what Chat's requests share with those of Responses and Ollama.
namespace penstock::dialects {

Turn read_chat_message(Json value, const std::string& path, Trouble& trouble);
Json::Array chat_messages(const Request& request, Writer& writer);
// Reads content, reasoning, refusal and calls of a message of the model into `parts`.
void read_assistant(Fields& fields, std::vector<Part>& parts, bool& plain);
// Writes them; `content` is null where there are only calls.
void write_assistant(Json::Object& out, const std::vector<Part>& parts, bool plain, Writer& writer);

// name, description, parameters (under the given name) and strict.
void read_function_tool(Fields& fields, std::string_view parameters, Tool& tool);
Json::Object function_tool(const Tool& tool, std::string_view parameters);
// "auto", "none", "required"; other words are native.
void read_choice_word(const std::string& word, ToolChoice& choice);
// name, description, schema and strict.
void read_schema_format(Fields& fields, ResponseFormat& format);
Json::Object schema_format(
    const ResponseFormat& format, Json::Object begin, std::string_view schema
);

}  // namespace penstock::dialects
