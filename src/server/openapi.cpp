// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "server/routes.h"

namespace penstock::server {
namespace {

json::Object parameter(
    std::string_view name, std::string_view in, bool required, std::string_view type = "string"
) {
    return {{"name", name}, {"in", in}, {"required", required}, {"schema", {{"type", type}}}};
}

json::Array parameters_of(const http::Route& route, const RouteDoc& doc) {
    json::Array all;
    std::string_view rest = route.pattern;
    for (std::size_t at = rest.find('{'); at != std::string_view::npos; at = rest.find('{')) {
        rest.remove_prefix(at + 1);
        std::string name(rest.substr(0, rest.find('}')));
        if (name.ends_with("...")) name.resize(name.size() - 3);
        all.push_back(parameter(name, "path", true));
    }
    if (doc.list) {
        all.push_back(parameter("page_size", "query", false, "integer"));
        for (const std::string_view name : {"page_token", "filter", "order_by"})
            all.push_back(parameter(name, "query", false));
    }
    for (const std::string& name : doc.query) all.push_back(parameter(name, "query", false));
    if (route.method == "POST") all.push_back(parameter("Idempotency-Key", "header", false));
    return all;
}

json::Object operation_of(const http::Route& route, const RouteDoc& doc, json::Object& schemas) {
    json::Object operation{{"operationId", doc.operation}, {"summary", doc.summary}};
    json::Array parameters = parameters_of(route, doc);
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    if (doc.request != nullptr)
        operation["requestBody"] = {
            {"required", true},
            {"content", {{"application/json", {{"schema", doc.request(schemas)}}}}}
        };
    json::Object success{{"description", "done"}};
    if (doc.response != nullptr)
        success["content"] = json::Object{{doc.content, {{"schema", doc.response(schemas)}}}};
    else if (doc.status != 204 && !doc.content.empty())
        success["content"] = json::Object{{doc.content, {{"schema", {{"type", "string"}}}}}};
    json::Value problem = json::schema<Problem>(schemas);
    json::Object responses{{std::to_string(doc.status), std::move(success)}};
    if (!doc.open)
        responses["default"] = json::Object{
            {"description", "a problem (RFC 9457)"},
            {"content", {{"application/problem+json", {{"schema", std::move(problem)}}}}}
        };
    operation["responses"] = std::move(responses);
    if (doc.open) operation["security"] = json::Array{};
    return operation;
}

// Of a route that others brought, whose documents have a description of their own somewhere else.
json::Object foreign_operation_of(const http::Route& route) {
    json::Object operation{
        {"operationId", route.options.operation}, {"summary", route.options.summary}
    };
    json::Array parameters = parameters_of(route, RouteDoc());
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    const json::Object any{{"application/json", {{"schema", {{"type", "object"}}}}}};
    if (route.method == "POST")
        operation["requestBody"] = json::Object{{"required", true}, {"content", any}};
    operation["responses"] = {
        {"200", {{"description", "done; a stream where the request asks for one"}, {"content", any}}
        },
        {"default", {{"description", "an error in the API's own shape"}, {"content", any}}}
    };
    return operation;
}

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

}  // namespace

std::string openapi_document(const http::Router& router, const Version& version) {
    json::Object schemas;
    json::Object paths;
    for (const http::Route* route : router.routes()) {
        const auto* doc = std::any_cast<RouteDoc>(&route->options.details);
        if (doc == nullptr && route->options.operation.empty()) continue;
        std::string path = route->pattern;
        if (const std::size_t rest = path.find("...}"); rest != std::string::npos)
            path.erase(rest, 3);
        if (!paths.contains(path)) paths[path] = json::Object{};
        paths[path].as_object()[lower(route->method)] =
            doc != nullptr ? operation_of(*route, *doc, schemas) : foreign_operation_of(*route);
    }
    const json::Object document{
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "Penstock"},
          {"version", version.api},
          {"summary", "The compute internet: tasks, tokens, sites, money"},
          {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
        {"security", json::Array{json::Object{{"key", json::Array{}}}}},
        {"paths", std::move(paths)},
        {"components",
         {{"securitySchemes", {{"key", {{"type", "http"}, {"scheme", "bearer"}}}}},
          {"schemas", std::move(schemas)}}}
    };
    return json::print_value_pretty(document) + "\n";
}

}  // namespace penstock::server
