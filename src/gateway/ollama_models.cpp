// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama_models.h"

#include <algorithm>

#include "dialects/json_tree.h"
#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"
#include "gateway/model_list.h"
#include "routing/call_limits.h"

namespace penstock::gateway {

io::Task<http::Response> OllamaModels::list(http::Request request) {
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request.headers));
    if (!key) co_return error_response(dialects::Dialect::ollama, told(key.error()));
    dialects::Json::Array models;
    for (const std::string& model : models_to_ask(endpoints_, loads_)) {
        if (!routing::check_model(**key, model)) continue;
        models.push_back(dialects::Json::Object{
            {"name", model},
            {"model", model},
            {"modified_at", to_rfc3339(created_at(endpoints_, loads_, model))}
        });
    }
    co_return http::Response::json(
        200, dialects::print_json(dialects::Json::Object{{"models", std::move(models)}})
    );
}

io::Task<http::Response> OllamaModels::show(http::Request request) {
    constexpr std::size_t kBodyMax = 64UL * 1024;
    const auto refused = [](const routing::ApiError& error) {
        return error_response(dialects::Dialect::ollama, error);
    };
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request.headers));
    if (!key) co_return refused(told(key.error()));
    const ApiResult<std::string> body = co_await read_call_body(&request, kBodyMax);
    if (!body) co_return refused(body.error());
    const Result<dialects::Json> asked = dialects::parse_json(*body);
    if (!asked) co_return refused(told(asked.error()));
    // Older clients say `name`.
    const dialects::Json* model = asked->find("model");
    if (model == nullptr) model = asked->find("name");
    if (model == nullptr || model->if_string() == nullptr)
        co_return refused(routing::invalid_request("expected a string: the model's name", "model"));
    const std::string& name = *model->if_string();
    const std::vector<std::string> models = models_to_ask(endpoints_, loads_);
    if (!std::ranges::binary_search(models, name) || !routing::check_model(**key, name))
        co_return refused(no_such_model(name));
    co_return http::Response::json(
        200, dialects::print_json(dialects::Json::Object{
                 {"modified_at", to_rfc3339(created_at(endpoints_, loads_, name))},
                 {"details", dialects::Json::Object{}},
                 {"model_info", dialects::Json::Object{}}
             })
    );
}

}  // namespace penstock::gateway
