// SPDX-License-Identifier: Apache-2.0
#include "client/api_error.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "json/json.h"

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

// Members are read one by one: other servers' problems, and those of a newer one, have more of
// them.
std::string text_of(const json::Object& object, std::string_view key) {
    const json::Value* member = object.if_contains(key);
    return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                    : std::string();
}

struct Mistake {
    std::string field;
    std::string message;
};
std::vector<Mistake> mistakes_of(const json::Object& problem) {
    std::vector<Mistake> mistakes;
    const json::Value* list = problem.if_contains("errors");
    if (list == nullptr || !list->is_array()) return mistakes;
    for (const json::Value& entry : list->get_array()) {
        const json::Object* object = entry.if_object();
        if (object == nullptr) continue;
        std::string message = text_of(*object, "detail");
        if (message.empty()) message = text_of(*object, "message");
        mistakes.push_back({text_of(*object, "field"), std::move(message)});
    }
    return mistakes;
}

Error from_problem(const json::Object& problem, ErrorCode code) {
    Error error{code, text_of(problem, "detail"), {}};
    if (error.message.empty()) error.message = text_of(problem, "title");
    const std::vector<Mistake> mistakes = mistakes_of(problem);
    if (mistakes.size() == 1) {
        error.field = mistakes.front().field;
        error.message = mistakes.front().message;
    } else if (mistakes.size() > 1) {
        error.message.clear();
        for (const Mistake& mistake : mistakes) {
            if (!error.message.empty()) error.message += '\n';
            error.message += (mistake.field.empty() ? "" : mistake.field + ": ") + mistake.message;
        }
    }
    return error;
}

}  // namespace

Refusal decode_refusal(int status, std::string_view retry_after, std::string_view body) {
    Refusal refusal{{error_code_from_http_status(status), {}, {}}, seconds(retry_after)};
    const Result<json::Value> value = json::parse_value(body);
    if (!value || !value->is_object()) {
        refusal.error.message = "the server answered with status " + std::to_string(status);
        if (!body.empty()) refusal.error.message += ": " + quoted(body);
        return refusal;
    }
    // An unknown code is one of a newer server: then the status still tells the class.
    const json::Object& problem = value->get_object();
    // Files and batches tell their errors in OpenAI's shape.
    if (const json::Value* told = problem.if_contains("error"); told && told->is_object()) {
        refusal.error.message = text_of(told->get_object(), "message");
        refusal.error.field = text_of(told->get_object(), "param");
        if (!refusal.error.message.empty()) return refusal;
    }
    const std::string code = text_of(problem, "code");
    const ErrorCode named = error_code_from_name(code);
    const bool known = !code.empty() && info(named).name == code;
    refusal.error = from_problem(problem, known ? named : refusal.error.code);
    const json::Value* wait = problem.if_contains("retry_after");
    if (!refusal.retry_after && wait != nullptr && wait->is_int64())
        refusal.retry_after = std::chrono::seconds(std::max<std::int64_t>(0, wait->get_int64()));
    if (refusal.error.message.empty())
        refusal.error.message = "the server answered with status " + std::to_string(status);
    return refusal;
}

}  // namespace penstock::client
