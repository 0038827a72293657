// SPDX-License-Identifier: Apache-2.0
#include "gateway/told_cost.h"

#include <algorithm>
#include <boost/describe/enum_to_string.hpp>

#include "dialects/splice.h"
#include "dialects/usage.h"
#include "gateway/api_answer.h"
#include "http/sse.h"

namespace penstock::gateway {
namespace {

using dialects::Json;

constexpr std::string_view kUsage = "usage";
constexpr std::string_view kCost = "cost";
constexpr std::string_view kCostMember = "\"cost\":";

// Where the member stands that is an object.
std::optional<routing::Span> object_in(std::string_view json, std::string_view key) {
    const std::optional<routing::Span> span = dialects::member_span(json, key);
    return span && json[span->begin] == '{' ? span : std::nullopt;
}

std::string_view at(std::string_view json, routing::Span span) {
    return json.substr(span.begin, span.size());
}

// `json` with the cost in its usage, which stands there.
std::string put_cost(std::string_view json, routing::Span usage, ExactMoney cost) {
    const std::string told = dialects::with_member(at(json, usage), kCost, exact_text(cost));
    std::string out;
    out.reserve(json.size() + told.size());
    return out.append(json, 0, usage.begin).append(told).append(json, usage.end);
}

// The same of an event's data; nothing where it tells no usage.
std::optional<std::string> with_cost_in_event(std::string_view data, ExactMoney cost) {
    if (const auto usage = object_in(data, kUsage)) return put_cost(data, *usage, cost);
    const auto response = object_in(data, "response");
    if (!response) return std::nullopt;
    const std::string_view answer = at(data, *response);
    const auto usage = object_in(answer, kUsage);
    if (!usage) return std::nullopt;
    return dialects::with_member(data, "response", put_cost(answer, *usage, cost));
}

}  // namespace

std::string with_cost(std::string body, ExactMoney cost) {
    const auto usage = object_in(body, kUsage);
    return usage ? put_cost(body, *usage, cost) : std::move(body);
}

std::string with_cost(std::string body, const routing::MeteredCall& used, ExactMoney cost) {
    if (const auto usage = object_in(body, kUsage)) return put_cost(body, *usage, cost);
    return with_cost(with_own_usage(dialects::Dialect::chat, std::move(body), used), cost);
}

Json own_usage_mark(const routing::MeteredCall& used) {
    return Json::Object{
        {"basis", std::string(boost::describe::enum_to_string(used.basis, "unknown"))}
    };
}

std::string with_own_usage(
    dialects::Dialect client, std::string body, const routing::MeteredCall& used
) {
    using dialects::Dialect;
    Json::Object members;
    if (client == Dialect::ollama)
        dialects::add_ollama_usage(members, used.tokens);
    else if (client == Dialect::anthropic)
        members.push_back({std::string(kUsage), dialects::anthropic_usage(used.tokens)});
    else if (client == Dialect::responses)
        members.push_back({std::string(kUsage), dialects::responses_usage(used.tokens)});
    else
        members.push_back({std::string(kUsage), dialects::chat_usage(used.tokens)});
    members.push_back({"penstock", own_usage_mark(used)});
    for (const dialects::Member& member : members)
        body = dialects::with_member(body, member.key, dialects::print_json(member.value));
    return body;
}

void tell_cost(std::string& events, ExactMoney cost) {
    constexpr std::string_view kData = "data: ";
    if (events.find("\"usage\"") == std::string::npos) return;
    std::string told;
    for (std::string_view rest = events; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        std::optional<std::string> data;
        if (line.starts_with(kData)) data = with_cost_in_event(line.substr(kData.size()), cost);
        if (data)
            told.append(kData).append(*data);
        else
            told.append(line);
        if (end < rest.size()) told += '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    events = std::move(told);
}

std::string with_other_cost(const std::string& written, bool streamed, ExactMoney cost) {
    if (!written.contains(kCostMember)) return written;
    std::string told = written;
    if (streamed) {
        tell_cost(told, cost);
        return told;
    }
    const auto usage = object_in(told, kUsage);
    const bool tells = usage && dialects::member_span(at(told, *usage), kCost);
    return tells ? with_cost(std::move(told), cost) : told;
}

std::string own_usage_chunk(
    const dialects::AnswerContext& context, const routing::MeteredCall& used, ExactMoney cost
) {
    const Json chunk = Json::Object{
        {"id", "chatcmpl-" + context.id},  {"object", "chat.completion.chunk"},
        {"created", context.created},      {"model", context.model},
        {"choices", Json::Array{}},        {"usage", dialects::chat_usage(used.tokens)},
        {"penstock", own_usage_mark(used)}
    };
    return http::print_sse({.data = with_cost(dialects::print_json(chunk), cost)});
}

}  // namespace penstock::gateway
