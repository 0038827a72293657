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
std::string chat_finish(const Finish& finish, Dialect from);

}  // namespace penstock::dialects
