// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/answer_context.h"
#include "dialects/fields.h"

// Anthropic Messages.
namespace penstock::dialects {

Result<Request> read_anthropic_request(Json body);
// As above for POST /v1/messages/count_tokens, where max_tokens has no meaning.
Result<Request> read_anthropic_count(Json body);
// max_tokens is required there: `output_tokens_max` of the request must be set.
Json write_anthropic_request(const Request& request, Writer& writer);
Result<Response> read_anthropic_response(Json body);
Json write_anthropic_response(
    const Response& response, const AnswerContext& context, Writer& writer
);

Finish read_anthropic_finish(std::string reason, std::string sequence);
std::string anthropic_finish(const Finish& finish, Dialect from);

// Content blocks, in requests and answers.
std::vector<Part> read_blocks(Json::Array list, const std::string& path, Trouble& trouble);
Json::Array write_blocks(const std::vector<Part>& parts, Writer& writer);

}  // namespace penstock::dialects
