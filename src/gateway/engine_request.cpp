// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine_request.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;

// Where each protocol is asked.
std::string_view path_of(Dialect engine, bool embeddings) {
    if (embeddings) return engine == Dialect::ollama ? "/api/embed" : "/v1/embeddings";
    if (engine == Dialect::anthropic) return "/v1/messages";
    return engine == Dialect::ollama ? "/api/chat" : "/v1/chat/completions";
}

}  // namespace

Dialect dialect_of_protocol(std::string_view protocol) {
    if (protocol == "anthropic") return Dialect::anthropic;
    return protocol == "ollama" ? Dialect::ollama : Dialect::chat;
}

http::ClientRequest request_to(const EngineAddress& address) {
    const Route& route = *address.route;
    // Engines close kept connections when they like. What such a one did not answer is asked again,
    // as it would be of another endpoint.
    http::ClientRequest request{.method = "POST", .url = route.endpoint.url, .repeatable = true};
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += path_of(address.engine, address.embeddings);
    request.headers.add("Content-Type", "application/json");
    request.headers.add("Accept", "application/json, text/event-stream, application/x-ndjson");
    if (address.engine == Dialect::anthropic) {
        if (address.passed != nullptr) request.headers = *address.passed;
        request.headers.set("Content-Type", "application/json");
        if (!request.headers.contains("anthropic-version"))
            request.headers.set("anthropic-version", "2023-06-01");
        if (route.api_key) request.headers.set("x-api-key", *route.api_key);
    } else if (route.api_key) {
        request.headers.set("Authorization", "Bearer " + *route.api_key);
    }
    add_trace(request.headers, *address.trace);
    request.headers.set("X-Request-Id", to_string(address.id));
    return request;
}

}  // namespace penstock::gateway
