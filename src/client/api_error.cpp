// SPDX-License-Identifier: Apache-2.0
#include "client/api_error.h"

#include <algorithm>
#include <charconv>

#include "json/json.h"
#include "model/page.h"

namespace penstock::client {
namespace {

constexpr std::size_t kQuotedBytesMax = 200;

std::optional<Duration> seconds(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
    return std::chrono::seconds(number);
}

std::string quoted(std::string_view body) {
    std::string text(body.substr(0, kQuotedBytesMax));
    std::ranges::replace_if(text, [](char c) { return c >= 0 && c < ' '; }, ' ');
    return text + (body.size() > kQuotedBytesMax ? "…" : "");
}

Error from_problem(const Problem& problem, ErrorCode code) {
    Error error{code, problem.detail.empty() ? problem.title : problem.detail, {}};
    if (problem.errors.size() == 1) {
        error.field = problem.errors.front().field;
        error.message = problem.errors.front().message;
    } else if (problem.errors.size() > 1) {
        error.message.clear();
        for (const ProblemDetail& detail : problem.errors) {
            if (!error.message.empty()) error.message += '\n';
            error.message += (detail.field.empty() ? "" : detail.field + ": ") + detail.message;
        }
    }
    return error;
}

}  // namespace

Refusal decode_refusal(int status, std::string_view retry_after, std::string_view body) {
    Refusal refusal{{error_code_from_http_status(status), {}, {}}, seconds(retry_after)};
    const Result<Problem> problem = json::parse<Problem>(body);
    if (!problem) {
        refusal.error.message = "the server answered with status " + std::to_string(status);
        if (!body.empty()) refusal.error.message += ": " + quoted(body);
        return refusal;
    }
    // An unknown code is one of a newer server: then the status still tells the class.
    const ErrorCode named = error_code_from_name(problem->code);
    const bool known = !problem->code.empty() && info(named).name == problem->code;
    refusal.error = from_problem(*problem, known ? named : refusal.error.code);
    if (!refusal.retry_after && problem->retry_after)
        refusal.retry_after = std::chrono::seconds(std::max<std::int64_t>(0, *problem->retry_after));
    if (refusal.error.message.empty())
        refusal.error.message = "the server answered with status " + std::to_string(status);
    return refusal;
}

}  // namespace penstock::client
