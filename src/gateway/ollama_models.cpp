// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama_models.h"

#include "dialects/json_tree.h"
#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"
#include "routing/call_limits.h"

namespace penstock::gateway {

io::Task<http::Response> OllamaModels::list(http::Request request) {
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request.headers));
    if (!key) co_return error_response(dialects::Dialect::ollama, told(key.error()));
    dialects::Json::Array models;
    for (const std::string& model : endpoints_.models()) {
        if (!routing::check_model(**key, model)) continue;
        models.push_back(dialects::Json::Object{
            {"name", model},
            {"model", model},
            {"modified_at", to_rfc3339(endpoints_.model_created(model))}
        });
    }
    co_return http::Response::json(
        200, dialects::print_json(dialects::Json::Object{{"models", std::move(models)}})
    );
}

}  // namespace penstock::gateway
