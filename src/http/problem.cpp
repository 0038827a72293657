// SPDX-License-Identifier: Apache-2.0
#include "http/problem.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "json/json.h"

namespace penstock::http {

Response problem_response(const Error& error, const Request& request, int status) {
    return problem_response(std::vector{error}, request, status);
}

Response problem_response(const std::vector<Error>& errors, const Request& request, int status) {
    const Error none{ErrorCode::internal, "an error without a description", {}};
    const Error& first = errors.empty() ? none : errors.front();
    const ErrorCodeInfo& code = info(first.code);
    if (status == 0) status = code.http_status;
    json::Object problem;
    problem["type"] = "urn:penstock:problem:" + std::string(code.name);
    // A status of its own (413, 431 …) tells more than the class of the error.
    problem["title"] =
        status == code.http_status ? std::string(code.title) : std::string(reason_phrase(status));
    problem["status"] = status;
    problem["detail"] = first.field.empty() ? first.message : first.field + ": " + first.message;
    problem["instance"] = request.path;
    problem["code"] = code.name;
    // The members are those of model/page.h; clients read them strictly.
    json::Array list;
    for (const Error& error : errors)
        if (!error.field.empty() || errors.size() > 1)
            list.push_back(json::Object{{"field", error.field}, {"message", error.message}});
    if (!list.empty()) problem["errors"] = std::move(list);
    if (!request.request_id.empty()) problem["request_id"] = request.request_id;
    Response response{.status = status, .headers = {}, .body = json::print_value(problem)};
    response.headers.add("Content-Type", "application/problem+json");
    response.headers.add("Cache-Control", "no-store");
    return response;
}

Error error_from_response(int status, std::string_view body) {
    Error error{error_code_from_http_status(status), {}, {}};
    if (const Result<json::Value> value = json::parse_value(body); value && value->is_object()) {
        const json::Object& problem = value->get_object();
        const auto text = [&](std::string_view key) {
            const json::Value* member = problem.if_contains(key);
            return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                            : std::string();
        };
        error.message = text("detail").empty() ? text("title") : text("detail");
        if (const std::string code = text("code");
            !code.empty() && info(error_code_from_name(code)).name == code)
            error.code = error_code_from_name(code);
    }
    if (error.message.empty())
        error.message = fmt::format("the server answered {} {}", status, reason_phrase(status));
    return error;
}

}  // namespace penstock::http
