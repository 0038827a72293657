// SPDX-License-Identifier: Apache-2.0
#include "gateway/unknown_path.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "gateway/api_answer.h"

namespace penstock::gateway {
namespace {

// Where OpenAI's API has its resources: an unknown path below them is answered in its error shape.
constexpr std::array<std::string_view, 18> kTokenPaths{
    "/v1/conversations", "/v1/assistants", "/v1/audio",        "/v1/batches",     "/v1/chat",
    "/v1/completions",   "/v1/embeddings", "/v1/engines",      "/v1/files",       "/v1/fine_tuning",
    "/v1/images",        "/v1/messages",   "/v1/models",       "/v1/moderations", "/v1/rerank",
    "/v1/responses",     "/v1/threads",    "/v1/vector_stores"
};

bool is_token_path(std::string_view path) {
    return std::ranges::any_of(kTokenPaths, [&](std::string_view prefix) {
        return path.starts_with(prefix) &&
               (path.size() == prefix.size() || path[prefix.size()] == '/');
    });
}

io::Task<http::Response> refuse_unknown_path(http::Request request) {
    co_return error_response({
        .status = 404,
        .message = "the token API has no " + request.method + " " + request.path,
        .type = "invalid_request_error",
        .code = "unknown_url",
    });
}

}  // namespace

io::Task<http::Response> answer_unknown_path(http::Request&& request, http::Next next) {
    if (request.route == nullptr && is_token_path(request.path))
        return refuse_unknown_path(std::move(request));
    return next(std::move(request));
}

}  // namespace penstock::gateway
