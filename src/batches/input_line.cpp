// SPDX-License-Identifier: Apache-2.0
#include "batches/input_line.h"

#include <algorithm>
#include <array>

#include "routing/json_scanner.h"

namespace penstock::batches {
namespace {

using routing::JsonScanner;
using Fault = std::unexpected<BatchFault>;

constexpr std::array<std::string_view, 3> kEndpoints{
    "/v1/chat/completions", "/v1/responses", "/v1/embeddings"
};

Fault fault(std::string code, std::string message, std::string param = {}) {
    BatchFault made{.code = std::move(code), .message = std::move(message)};
    if (!param.empty()) made.param = std::move(param);
    return Fault(std::move(made));
}

// The members of a line that are there; each at most once.
struct Members {
    std::optional<std::string> custom_id;
    std::optional<std::string> method;
    std::optional<std::string> url;
    std::optional<routing::Span> body;
};

struct BodyMembers {
    std::optional<std::string> model;
    bool streams = false;
    std::string_view routed_by;  // "provider" or "models", whichever comes first
};

// "session_id" is none of them: it is a hope and binds the line to nothing.
std::string_view routing_name(const JsonScanner& scan, const JsonScanner::String& key) {
    for (const std::string_view name : {"provider", "models"})
        if (scan.equals(key, name)) return name;
    return {};
}

std::expected<std::string, BatchFault> read_text(JsonScanner& scan, std::string_view name) {
    JsonScanner::String value;
    if (scan.peek() != JsonScanner::Kind::string || !scan.read_string(value))
        return fault(
            "invalid_request", std::string(name) + ": expected a string", std::string(name)
        );
    return scan.decode(value);
}

std::expected<Members, BatchFault> members_of(JsonScanner& scan) {
    Members found;
    JsonScanner::String key;
    const auto take = [&](std::optional<std::string>& to,
                          std::string_view name) -> std::expected<void, BatchFault> {
        std::expected<std::string, BatchFault> text = read_text(scan, name);
        if (!text) return Fault(std::move(text.error()));
        to = *std::move(text);
        return {};
    };
    while (scan.next_member(key)) {
        const std::string name = scan.decode(key);
        std::expected<void, BatchFault> read;
        if (name == "custom_id")
            read = take(found.custom_id, name);
        else if (name == "method")
            read = take(found.method, name);
        else if (name == "url")
            read = take(found.url, name);
        else if (name == "body" && scan.peek() == JsonScanner::Kind::object)
            scan.skip(&found.body.emplace());
        else if (name == "body")
            read = fault("invalid_request", "body: expected an object", "body");
        else
            read = fault(
                "invalid_request",
                name + ": is not a member of a line; it has custom_id, method, url and body", name
            );
        if (!read) return Fault(std::move(read.error()));
    }
    return found;
}

BodyMembers body_of(std::string_view text) {
    BodyMembers found;
    JsonScanner scan(text);
    JsonScanner::String key;
    if (!scan.enter_object()) return found;
    while (scan.next_member(key)) {
        JsonScanner::String value;
        if (scan.equals(key, "model") && scan.peek() == JsonScanner::Kind::string &&
            scan.read_string(value))
            found.model = scan.decode(value);
        else if (scan.equals(key, "stream") && scan.peek() == JsonScanner::Kind::boolean)
            found.streams = scan.read_boolean().value_or(false);
        else if (const std::string_view name = routing_name(scan, key);
                 !name.empty() && found.routed_by.empty() &&
                 scan.peek() != JsonScanner::Kind::null && scan.skip())
            found.routed_by = name;
        else
            scan.skip();
    }
    return found;
}

std::optional<BatchFault> routing_fault(const BodyMembers& body) {
    if (body.routed_by.empty()) return std::nullopt;
    const std::string name = "body." + std::string(body.routed_by);
    const std::string_view why =
        body.routed_by == "provider"
            ? "the platform chooses the engine of each line: leave it out, and let limits of the "
              "batch's key name its providers and sites"
            : "a batch has one model, at its batch price: leave it out, and put lines for other "
              "models in another batch";
    return fault("unsupported_parameter", name + ": " + std::string(why), name).error();
}

std::optional<BatchFault> check(const Members& found, std::string_view endpoint) {
    const auto missing = [](std::string_view name) {
        return fault(
                   "missing_required_parameter", std::string(name) + ": is missing",
                   std::string(name)
        )
            .error();
    };
    if (!found.custom_id) return missing("custom_id");
    if (!found.method) return missing("method");
    if (!found.url) return missing("url");
    if (!found.body) return missing("body");
    if (found.custom_id->empty() || found.custom_id->size() > kCustomIdBytesMax)
        return fault(
                   "invalid_custom_id", "custom_id: expected 1 to 512 bytes that no other line has",
                   "custom_id"
        )
            .error();
    if (*found.method != "POST")
        return fault(
                   "invalid_method", "method: expected POST, got '" + *found.method + "'", "method"
        )
            .error();
    if (*found.url != endpoint)
        return fault(
                   "invalid_url",
                   "url: '" + *found.url + "' is not the batch's endpoint '" +
                       std::string(endpoint) + "': put other endpoints' lines in another batch",
                   "url"
        )
            .error();
    return std::nullopt;
}

}  // namespace

bool is_batch_endpoint(std::string_view endpoint) {
    return std::ranges::find(kEndpoints, endpoint) != kEndpoints.end();
}

std::optional<BatchFault> routing_fault(std::string_view body) {
    return routing_fault(body_of(body));
}

std::expected<InputLine, BatchFault> read_line(std::string_view text, std::string_view endpoint) {
    JsonScanner scan(text);
    if (scan.peek() != JsonScanner::Kind::object || !scan.enter_object())
        return fault("invalid_json_line", "this line is not a JSON object");
    std::expected<Members, BatchFault> found = members_of(scan);
    // Broken JSON first: a member that cannot be read is its consequence.
    if (scan.failed() || (found && !scan.finish()))
        return fault("invalid_json_line", "this line is not valid JSON: " + scan.problem());
    if (!found) return Fault(std::move(found.error()));
    if (std::optional<BatchFault> wrong = check(*found, endpoint)) return Fault(*std::move(wrong));
    const std::string_view body = scan.raw(*found->body);
    BodyMembers inner = body_of(body);
    if (!inner.model || inner.model->empty())
        return fault("missing_required_parameter", "body.model: is missing", "body.model");
    if (inner.streams)
        return fault(
            "invalid_request", "body.stream: answers of a batch are files; leave it out",
            "body.stream"
        );
    if (std::optional<BatchFault> routed = routing_fault(inner)) return Fault(*std::move(routed));
    return InputLine{
        .custom_id = *std::move(found->custom_id),
        .url = *std::move(found->url),
        .model = *std::move(inner.model),
        .body = body
    };
}

}  // namespace penstock::batches
