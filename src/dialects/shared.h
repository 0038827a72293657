// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/fields.h"

// What the codecs of several dialects do in the same way.
namespace penstock::dialects {

// Parameters of sampling: their names in the dialects; empty where one has none.
struct SamplingName {
    std::string_view canonical;
    std::string_view chat;
    std::string_view responses;
    std::string_view anthropic;
    std::string_view ollama;
};
void read_sampling(Fields& fields, Dialect dialect, Request& request);
void write_sampling(Json::Object& out, Dialect dialect, const Request& request, Writer& writer);

// What the client called a parameter of the request: refusals name its own field.
std::string own_name(Dialect dialect, std::string_view canonical);

// How much the model should think, in the words of OpenAI; empty where nothing was said of it. A
// level beside "do not think" is lost.
constexpr std::string_view kNoEffort = "none";
std::string level_of(const Request& request, Writer& writer);
// What a schema is for, where the dialect has no place for it.
void lose_description(const Request& request, Writer& writer);

// `logprobs` and `top_logprobs`, which Chat and Ollama have under these names.
void write_logprobs(Json::Object& out, const Request& request);

// Of tokens whose text has not come: an engine tells them together. Above, a stream ends.
constexpr std::size_t kLogprobsWaitingMax = 4096;

// Parameters that Chat and Responses have under one name.
void read_openai(Fields& fields, Request& request);
// Anthropic's word for one of OpenAI's.
void read_standard_tier(Fields& fields, Request& request);
void write_openai(Json::Object& out, Dialect dialect, const Request& request, Writer& writer);

// "data:image/png;base64,…" into media type and data, anything else into the URL.
void read_image_url(std::string url, Part& part);
std::string image_url(const Part& part);

// The arguments of a call as an object, where a dialect wants one; {} where there are none.
Json arguments_object(const Part& call, Writer& writer);
// Part of kind `native` that is written again only in its own dialect.
Part native_part(Json value, std::string path);
void write_native(Json::Array& out, const Part& part, Writer& writer);

// Members of an answer's message that its dialect alone has; they stand in `choice.native` below
// "message", and are part of what the model said.
void lose_message(const Choice& choice, Writer& writer);

// All text of the parts, joined; other kinds are lost by their path.
std::string joined_text(const std::vector<Part>& parts, Writer& writer);
bool all_text(const std::vector<Part>& parts);

bool all_results(const std::vector<Part>& parts);
// Whether the part is an image or a file of an answer, for which no dialect of clients has a word:
// it is lost.
bool is_out_of_place(const Part& part, Writer& writer);
// Whether the turn is an item that Responses alone knows: it is lost, and no message is left of it.
bool lose_item(const Turn& turn, Writer& writer);

// Neighbouring turns of the model become one: Responses writes each call as an item of its own.
std::vector<Turn> joined_turns(const std::vector<Turn>& turns);

// Stop sequences: one string or a list.
void read_stop(Fields& fields, std::string_view key, Request& request);

}  // namespace penstock::dialects
