// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "dialects/responses.h"
#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"

// What a request of any dialect asks for: the gateway's own fields, then the document.
namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using routing::ApiError;

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

// Strings and lists of strings; lists of token numbers have no text.
std::int64_t text_bytes_of(const Json& input) {
    if (const std::string* text = input.if_string()) return static_cast<std::int64_t>(text->size());
    std::int64_t bytes = 0;
    if (const Json::Array* list = input.if_array())
        for (const Json& element : *list)
            if (const std::string* text = element.if_string())
                bytes += static_cast<std::int64_t>(text->size());
    return bytes;
}

ApiResult<dialects::Request> read_embeddings_request(const Json& body) {
    const Json* model = body.find("model");
    const Json* input = body.find("input");
    if (model == nullptr || model->if_string() == nullptr || model->if_string()->empty())
        return refuse(routing::invalid_request("expected a string: the model's name", "model"));
    if (input == nullptr || (input->if_string() == nullptr && input->if_array() == nullptr))
        return refuse(routing::invalid_request("expected a string or a list", "input"));
    dialects::Request request;
    request.model = *model->if_string();
    return request;
}

}  // namespace

// What is said to the gateway alone is no part of the document.
ApiResult<void> DialectCalls::read_wishes(Admitted& admitted) const {
    Result<std::optional<std::string>> left = routing::take_wishes(admitted.wishes, admitted.body);
    if (!left) return refuse(told(left.error()));
    admitted.next = next_request(admitted.body, admitted.wishes.models);
    // Answers given again are known by the client's own bytes.
    if (*left) admitted.asked = std::exchange(admitted.body, **std::move(left));
    if (admitted.wishes.provider && admitted.wishes.provider->require_parameters)
        admitted.drops = false;
    return {};
}

ApiResult<void> DialectCalls::read_document(Admitted& admitted) const {
    Result<Json> document = dialects::parse_json(admitted.body);
    if (!document) return refuse(told(document.error()));
    dialects::PromptSize size;
    if (admitted.embeddings) {
        ApiResult<dialects::Request> request = read_embeddings_request(*document);
        if (!request) return refuse(std::move(request.error()));
        admitted.request = *std::move(request);
        size.text_bytes = text_bytes_of(*document->find("input"));
    } else {
        if (admitted.dialect == Dialect::responses)
            admitted.echo = dialects::responses_echo(*document);
        if (admitted.turn)
            for (const dialects::Member& member : admitted.turn->echo)
                dialects::put(admitted.echo, member.key, member.value);
        Result<dialects::Request> request =
            dialects::read_request(admitted.dialect, *std::move(document));
        if (!request) return refuse(told(request.error()));
        admitted.request = *std::move(request);
        size = dialects::prompt_size(admitted.request);
    }
    dialects::Request& request = admitted.request;
    if (request.model.empty() || request.model.size() > routing::kModelBytesMax)
        return refuse(routing::invalid_request("expected a name of 1 to 256 bytes", "model"));
    const std::int64_t output =
        request.output_tokens_max.value_or(parts_.options.output_tokens_default);
    if (output < 1 || output > routing::kOutputTokensMax)
        return refuse(routing::invalid_request("expected 1 to 10000000 tokens", "max_tokens"));
    if (request.choices < 1 || request.choices > routing::kChoicesMax)
        return refuse(routing::invalid_request("expected 1 to 128", "n"));
    request.output_tokens_max = output;
    admitted.bound = {
        .input = static_cast<std::int64_t>(admitted.body.size()) + routing::kTemplateTokensMax +
                 size.media_parts * routing::kMediaTokensMax,
        .output = admitted.embeddings ? 0 : output * request.choices,
    };
    admitted.text_bytes = size.text_bytes;
    return {};
}

routing::EndpointQuery DialectCalls::query_of(
    const Admitted& admitted, const routing::EndpointLists& lists
) const {
    return {
        .model = admitted.request.model,
        .input_price_max = admitted.limits.input_price_max,
        .output_price_max = admitted.limits.output_price_max,
        .providers = lists.providers(),
        .sites = lists.sites(),
        .preferences = admitted.wishes.provider ? &*admitted.wishes.provider : nullptr,
        .prompt_tokens = routing::estimated_tokens(admitted.text_bytes),
        .output_tokens_max = admitted.bound.output,
        .prompt = admitted.prompt.blocks,
        .session = admitted.prompt.session,
    };
}

}  // namespace penstock::gateway
