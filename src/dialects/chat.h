// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/answer_context.h"
#include "dialects/fields.h"

// OpenAI Chat Completions.
namespace penstock::dialects {

Result<Request> read_chat_request(Json body);
Json write_chat_request(const Request& request, Writer& writer);
Result<Response> read_chat_response(Json body);
Json write_chat_response(const Response& response, const AnswerContext& context, Writer& writer);

Finish read_chat_finish(std::string written);
// The stop sequence that was met, where the engine names it: vLLM and SGLang do.
void read_met_sequence(Fields& fields, Finish& finish);
// Takes the member; what it says beside the text's tokens is lost elsewhere.
Json::Array read_logprobs(Fields& fields, Extras& extras);
std::string chat_finish(const Finish& finish, Dialect from);

}  // namespace penstock::dialects
