// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/answer_context.h"
#include "dialects/fields.h"

// OpenAI Responses. A turn of the model is a list of items there: reasoning, messages, calls.
namespace penstock::dialects {

Result<Request> read_responses_request(Json body);
Json write_responses_request(const Request& request, Writer& writer);
Result<Response> read_responses_response(Json body);
Json write_responses_response(
    const Response& response, const AnswerContext& context, Writer& writer
);
// Members of a request that its answers repeat.
Json::Object responses_echo(const Json& request_body);

Turn read_item(Json value, std::string path, Trouble& trouble);
// The items that a turn becomes. `id_prefix`: in answers, where items have ids and states of their
// own; empty in requests.
Json::Array write_items(const Turn& turn, const std::string& id_prefix, Writer& writer);

// An answer without its output; `status` completed, incomplete, in_progress or failed.
Json::Object responses_head(const AnswerContext& context, std::string_view status);
// Sets status and incomplete_details; without a reason to stop the answer is incomplete.
void put_responses_finish(Json::Object& out, const std::optional<Finish>& finish);
Finish read_responses_finish(const std::string& status, const Json* details, bool called);

}  // namespace penstock::dialects
