// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_prompt.h"

#include <ranges>

#include "dialects/splice.h"

namespace penstock::gateway {
namespace {

using dialects::Json;
using dialects::Part;

void add_parts(routing::PromptHasher& hasher, const std::vector<Part>& parts) {
    for (const Part& part : parts) {
        const auto kind = static_cast<char>(part.kind);
        hasher.add({&kind, 1});
        hasher.add(part.name);
        hasher.add(part.text);
        hasher.add(part.url);
        if (!part.data.empty()) hasher.add_digest_of(part.data);
        if (part.kind == Part::Kind::native)
            hasher.add_digest_of(dialects::print_json(Json(part.native)));
        add_parts(hasher, part.parts);
    }
}

routing::BlockHash digest_of(const std::vector<dialects::Tool>& tools) {
    routing::BlockHash digest = 0;
    for (const dialects::Tool& tool : tools) {
        digest = routing::chain_block(digest, tool.name);
        digest = routing::chain_block(digest, tool.description.value_or(std::string()));
        if (tool.parameters)
            digest = routing::chain_block(digest, dialects::print_json(*tool.parameters));
        if (!tool.function)
            digest = routing::chain_block(digest, dialects::print_json(Json(tool.native)));
    }
    return digest;
}

std::string json_string(std::string_view text) { return dialects::print_json(Json(text)); }

}  // namespace

RenderedPrompt render_prompt(const dialects::Request& request) {
    routing::PromptHasher hasher;
    for (const dialects::Turn& turn : request.turns) {
        const auto role = static_cast<char>(turn.role);
        hasher.add({&role, 1});
        add_parts(hasher, turn.parts);
    }
    const routing::BlockHash digest = hasher.digest();
    return {
        .chain = std::move(hasher).finish(),
        .tools_digest = digest_of(request.tools),
        .digest = digest
    };
}

ApiResult<std::string> session_of(const http::Headers& headers, std::string_view session) {
    constexpr std::string_view kHeader = "x-penstock-session";
    const auto said = headers.find(kHeader);
    if (!said) return std::string(session);
    if (said->empty() || said->size() > routing::kSessionNameBytesMax)
        return std::unexpected(
            routing::invalid_request("expected a text of 1 to 256 bytes", std::string(kHeader))
        );
    return std::string(*said);
}

CallPrompt salt_prompt(
    const ResolvedKey& key, std::string_view model, RenderedPrompt prompt, std::string_view session
) {
    CallPrompt out{
        .blocks = {},
        .session = {},
        .digest = routing::chain_block(prompt.tools_digest, prompt.digest)
    };
    if (prompt.chain.empty() && session.empty()) return out;
    const routing::BlockHash salt = routing::salt_of(to_string(key.organisation_id), model);
    out.blocks =
        routing::salted(std::move(prompt.chain), routing::chain_block(salt, prompt.tools_digest));
    if (!session.empty()) out.session = routing::chain_block(salt, session);
    return out;
}

std::optional<std::string> next_request(
    std::string_view body, const std::vector<std::string>& models
) {
    if (models.empty()) return std::nullopt;
    Json::Array rest;
    for (const std::string& model : models | std::views::drop(1)) rest.push_back(Json(model));
    const std::string next = dialects::with_member(body, "model", json_string(models.front()));
    return dialects::with_member(next, "models", dialects::print_json(Json(std::move(rest))));
}

bool falls_back(int status) {
    return status == 404 || status == 408 || status == 429 || status >= 500;
}

}  // namespace penstock::gateway
