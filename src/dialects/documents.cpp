// SPDX-License-Identifier: Apache-2.0
#include "dialects/documents.h"

#include "dialects/anthropic.h"
#include "dialects/chat.h"
#include "dialects/ollama.h"
#include "dialects/responses.h"

namespace penstock::dialects {
namespace {

constexpr std::size_t kFieldsNamedMax = 16;

std::string_view anthropic_type(const routing::ApiError& error) {
    switch (error.status) {
        case 400:
        case 409:
        case 415:
        case 422:
            return "invalid_request_error";
        case 401:
            return "authentication_error";
        case 402:
            return "billing_error";
        case 403:
            return "permission_error";
        case 404:
            return "not_found_error";
        case 413:
            return "request_too_large";
        case 429:
            return error.code == "insufficient_quota" ? "billing_error" : "rate_limit_error";
        case 503:
        case 529:
            return "overloaded_error";
        case 408:
        case 504:
            return "timeout_error";
        default:
            return "api_error";
    }
}

std::string_view openai_type(int status) {
    if (status == 401) return "authentication_error";
    if (status == 403) return "permission_error";
    if (status == 429) return "rate_limit_error";
    if (status == 408 || status == 504) return "timeout_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string word(const Json* value) {
    return value == nullptr || value->if_string() == nullptr ? std::string() : *value->if_string();
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Written written(Json body, Writer& writer) {
    Losses losses = writer.take_losses();
    return {
        .body = std::move(body),
        .dropped = std::move(losses.said),
        .beside = std::move(losses.beside)
    };
}

std::string quoted(const std::vector<std::string>& fields) {
    std::string names;
    for (std::size_t i = 0; i < fields.size() && i < kFieldsNamedMax; ++i)
        names += (names.empty() ? "'" : ", '") + fields[i] + "'";
    if (fields.size() > kFieldsNamedMax)
        names += " and " + std::to_string(fields.size() - kFieldsNamedMax) + " more";
    return names;
}

void measure(const std::vector<Part>& parts, PromptSize& size) {
    for (const Part& part : parts) {
        size.text_bytes += static_cast<std::int64_t>(part.text.size());
        const bool media = part.kind == Part::Kind::image || part.kind == Part::Kind::document ||
                           part.kind == Part::Kind::native;
        if (media) ++size.media_parts;
        measure(part.parts, size);
    }
}

}  // namespace

Result<Request> read_request(Dialect dialect, Json body) {
    switch (dialect) {
        case Dialect::chat:
            return read_chat_request(std::move(body));
        case Dialect::responses:
            return read_responses_request(std::move(body));
        case Dialect::anthropic:
            return read_anthropic_request(std::move(body));
        case Dialect::ollama:
            break;
    }
    return read_ollama_request(std::move(body));
}

Result<Request> read_count_request(Json body) { return read_anthropic_count(std::move(body)); }

Written write_request(const Request& request, Dialect dialect) {
    Writer writer(request.dialect, dialect);
    Json body;
    switch (dialect) {
        case Dialect::chat:
            body = write_chat_request(request, writer);
            break;
        case Dialect::responses:
            body = write_responses_request(request, writer);
            break;
        case Dialect::anthropic:
            body = write_anthropic_request(request, writer);
            break;
        case Dialect::ollama:
            body = write_ollama_request(request, writer);
            break;
    }
    return written(std::move(body), writer);
}

Result<Response> read_response(Dialect dialect, Json body, std::string_view call_prefix) {
    switch (dialect) {
        case Dialect::chat:
            return read_chat_response(std::move(body));
        case Dialect::responses:
            return read_responses_response(std::move(body));
        case Dialect::anthropic:
            return read_anthropic_response(std::move(body));
        case Dialect::ollama:
            break;
    }
    return read_ollama_response(std::move(body), call_prefix);
}

namespace {

// Where the engine gave a call no id, it gets one that its result can name.
Response with_call_ids(Response response, const AnswerContext& context) {
    for (Choice& choice : response.choices)
        for (std::size_t i = 0; i < choice.parts.size(); ++i)
            if (Part& part = choice.parts[i]; part.kind == Part::Kind::tool_call)
                part.id = call_id(part.id, context, i);
    return response;
}

}  // namespace

Written write_response(Response response, Dialect dialect, const AnswerContext& context) {
    if (response.dialect != dialect) response = with_call_ids(std::move(response), context);
    Writer writer(response.dialect, dialect, Writer::Of::answer);
    Json body;
    switch (dialect) {
        case Dialect::chat:
            body = write_chat_response(response, context, writer);
            break;
        case Dialect::responses:
            body = write_responses_response(response, context, writer);
            break;
        case Dialect::anthropic:
            body = write_anthropic_response(response, context, writer);
            break;
        case Dialect::ollama:
            body = write_ollama_response(response, context, writer);
            break;
    }
    return written(std::move(body), writer);
}

Json write_error(Dialect dialect, const routing::ApiError& error) {
    switch (dialect) {
        case Dialect::chat:
        case Dialect::responses:
            return Json::Object{
                {"error",
                 Json::Object{
                     {"message", error.message},
                     {"type", error.type},
                     {"param", or_null(error.param)},
                     {"code", or_null(error.code)}
                 }}
            };
        case Dialect::anthropic: {
            // There is no member for the field: it is named in front of the message.
            const std::string message =
                error.param.empty() ? error.message : error.param + ": " + error.message;
            return Json::Object{
                {"type", "error"},
                {"error",
                 Json::Object{{"type", std::string(anthropic_type(error))}, {"message", message}}}
            };
        }
        case Dialect::ollama:
            break;
    }
    return Json::Object{
        {"error", error.param.empty() ? error.message : error.param + ": " + error.message}
    };
}

std::optional<routing::ApiError> read_error(Dialect dialect, int status, const Json& body) {
    const Json* error = body.find("error");
    if (error == nullptr || error->is_null()) return std::nullopt;
    routing::ApiError out{
        .status = status, .message = {}, .type = std::string(openai_type(status))
    };
    if (error->if_string() != nullptr) {
        out.message = word(error);
    } else {
        out.message = word(error->find("message"));
        out.param = word(error->find("param"));
        out.code = word(error->find("code"));
        if (dialect != Dialect::anthropic && !word(error->find("type")).empty())
            out.type = word(error->find("type"));
    }
    if (out.message.empty()) return std::nullopt;
    return out;
}

routing::ApiError refusal_of(const std::vector<std::string>& dropped, Dialect to) {
    return routing::invalid_request(
        "the model's engine speaks '" + std::string(name_of(to)) + "', which has no word for " +
            quoted(dropped) +
            ": leave it out, or send 'x-penstock-unsupported: drop' to go without it",
        dropped.front(), "unsupported_field"
    );
}

std::string answer_refusal(const std::vector<std::string>& dropped, Dialect to) {
    return "the engine's answer has " + quoted(dropped) + ", for which '" +
           std::string(name_of(to)) +
           "' has no word: send 'x-penstock-unsupported: drop' to go without it";
}

PromptSize prompt_size(const Request& request) {
    PromptSize size;
    for (const Turn& turn : request.turns) measure(turn.parts, size);
    return size;
}

}  // namespace penstock::dialects
