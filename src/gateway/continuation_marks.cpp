// SPDX-License-Identifier: Apache-2.0
#include "gateway/continuation_marks.h"

#include "dialects/splice.h"
#include "http/sse.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;

constexpr std::string_view kMember = "penstock";

// The line that begins at `begin` with the member.
void mark_line(std::string& out, std::size_t begin, const std::string& mark) {
    const std::size_t end = out.find('\n', begin);
    if (end == std::string::npos) return;
    const std::string_view line = std::string_view(out).substr(begin, end - begin);
    out.replace(begin, end - begin, dialects::with_member(line, kMember, mark));
}

void mark_last_line(std::string& out, const std::string& mark) {
    if (out.empty()) return;
    const std::size_t before = out.size() < 2 ? std::string::npos : out.rfind('\n', out.size() - 2);
    mark_line(out, before == std::string::npos ? 0 : before + 1, mark);
}

// Of Responses the answer itself has it.
std::string in_response(std::string_view data, const std::string& mark) {
    const Result<Json> value = dialects::parse_json(data, dialects::JsonFrom::engine);
    const Json* response = value ? value->find("response") : nullptr;
    if (response == nullptr) return std::string(data);
    return dialects::with_member(
        data, "response", dialects::with_member(dialects::print_json(*response), kMember, mark)
    );
}

bool tells_usage(Dialect client, std::string_view name, std::string_view data) {
    if (client == Dialect::anthropic) return name == "message_delta";
    if (client == Dialect::responses)
        return name == "response.completed" || name == "response.incomplete";
    const Result<Json> value = dialects::parse_json(data, dialects::JsonFrom::engine);
    const Json* usage = value ? value->find("usage") : nullptr;
    return usage != nullptr && !usage->is_null();
}

}  // namespace

void mark_continued(std::string& out, Dialect client, const Json& mark) {
    const std::string text = dialects::print_json(mark);
    if (client == Dialect::ollama)
        mark_line(out, 0, text);
    else
        out.insert(0, http::print_sse_comment("penstock " + text));
}

void mark_usage(std::string& out, Dialect client, const Json& mark) {
    put_in_usage(out, client, mark);
    if (client == Dialect::ollama) return;
    out.insert(0, http::print_sse_comment("penstock " + dialects::print_json(mark)));
}

void put_in_usage(std::string& out, Dialect client, const Json& mark) {
    const std::string text = dialects::print_json(mark);
    if (client == Dialect::ollama) return mark_last_line(out, text);
    std::string marked;
    http::SseParser events(out.size() + 1);
    if (!events.feed(out)) return;
    while (const auto event = events.next()) {
        if (!tells_usage(client, event->event, event->data)) {
            marked += event->raw;
            continue;
        }
        std::string data = client == Dialect::responses
                               ? in_response(event->data, text)
                               : dialects::with_member(event->data, kMember, text);
        marked += http::print_sse({.data = std::move(data), .event = std::string(event->event)});
    }
    out = std::move(marked);
}

}  // namespace penstock::gateway
