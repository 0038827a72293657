// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "dialects/answer_context.h"
#include "dialects/canonical.h"
#include "routing/api_error.h"

// The front of the module: documents in and out, by dialect.
namespace penstock::dialects {

// What was written, and the fields that the dialect has no word for ("top_k",
// "messages[2].content[0].cache_control"): the caller refuses the call, or lists them. What an
// engine tells beside its answer ("choices[0].content_filter_results") is only listed.
struct Written {
    Json body;
    std::vector<std::string> dropped;
    std::vector<std::string> beside = {};
};

// invalid_argument names the field.
Result<Request> read_request(Dialect dialect, Json body);
// Of POST /v1/messages/count_tokens.
Result<Request> read_count_request(Json body);
Written write_request(const Request& request, Dialect dialect);
// unavailable: the engine's answer is none.
Result<Response> read_response(Dialect dialect, Json body, std::string_view call_prefix = "call_");
Written write_response(Response response, Dialect dialect, const AnswerContext& context);

// The error as the dialect's clients know it; they decide on a retry from status and type.
Json write_error(Dialect dialect, const routing::ApiError& error);
// What an engine's refusal says; nothing where it is in no shape of the dialect.
std::optional<routing::ApiError> read_error(Dialect dialect, int status, const Json& body);
// The refusal of a request that cannot be converted, naming the fields.
routing::ApiError refusal_of(const std::vector<std::string>& dropped, Dialect to);
// The same of an answer, which says what the client's dialect cannot.
std::string answer_refusal(const std::vector<std::string>& dropped, Dialect to);

// What the gateway reserves for: bytes of texts, and media whose tokens do not follow from bytes.
struct PromptSize {
    std::int64_t text_bytes = 0;
    std::int64_t media_parts = 0;
};
PromptSize prompt_size(const Request& request);

}  // namespace penstock::dialects
