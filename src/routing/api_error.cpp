// SPDX-License-Identifier: Apache-2.0
#include "routing/api_error.h"

#include "routing/json_scanner.h"

namespace penstock::routing {
namespace {

std::string_view type_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
        case ErrorCode::not_found:
        case ErrorCode::conflict:
            return "invalid_request_error";
        case ErrorCode::unauthenticated:
            return "authentication_error";
        case ErrorCode::permission_denied:
            return "permission_error";
        case ErrorCode::insufficient_funds:
            return "insufficient_quota";
        case ErrorCode::resource_exhausted:
            return "rate_limit_error";
        case ErrorCode::deadline_exceeded:
            return "timeout_error";
        case ErrorCode::unavailable:
        case ErrorCode::internal:
            return "server_error";
    }
    return "server_error";
}

void append_or_null(std::string& out, std::string_view text) {
    if (text.empty())
        out += "null";
    else
        append_json_string(out, text);
}

}  // namespace

std::string to_json(const ApiError& error) {
    std::string out = R"({"error":{"message":)";
    append_json_string(out, error.message);
    out += R"(,"type":)";
    append_json_string(out, error.type);
    out += R"(,"param":)";
    append_or_null(out, error.param);
    out += R"(,"code":)";
    append_or_null(out, error.code);
    out += "}}";
    return out;
}

ApiError api_error(const Error& error) {
    ApiError out{
        .status = info(error.code).http_status,
        .message = error.message,
        .type = std::string(type_of(error.code)),
        .param = error.field,
    };
    if (error.code == ErrorCode::insufficient_funds) {
        // OpenAI tells an empty account with 429 and this code; its clients look for both.
        out.status = 429;
        out.code = "insufficient_quota";
    }
    return out;
}

ApiError invalid_request(std::string message, std::string param, std::string code) {
    return {
        .status = 400,
        .message = std::move(message),
        .type = "invalid_request_error",
        .param = std::move(param),
        .code = std::move(code),
    };
}

}  // namespace penstock::routing
