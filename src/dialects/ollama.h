// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/answer_context.h"
#include "dialects/fields.h"

// Ollama's POST /api/chat. Its calls have no ids: call_0, call_1 … are given in order of
// appearance.
namespace penstock::dialects {

Result<Request> read_ollama_request(Json body);
Json write_ollama_request(const Request& request, Writer& writer);
// `calls_before`: prefix of the ids given to the answer's calls.
Result<Response> read_ollama_response(Json body, std::string_view call_prefix = "call_");
Json write_ollama_response(const Response& response, const AnswerContext& context, Writer& writer);

Finish read_ollama_finish(std::string reason, bool called);
std::string ollama_finish(const Finish& finish, Dialect from);
// The message of an answer or a stream's line; `count` numbers the calls.
std::vector<Part> read_ollama_parts(Fields& message, std::string_view call_prefix, int& count);
Json::Array read_ollama_logprobs(Fields& fields);
Json::Object ollama_call(const Part& part, Writer& writer);
std::string ollama_time(std::int64_t seconds);

}  // namespace penstock::dialects
