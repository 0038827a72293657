// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/canonical.h"
#include "gateway/api_answer.h"
#include "gateway/key_cache.h"
#include "http/message.h"
#include "routing/prompt_blocks.h"
#include "routing/route_wishes.h"

namespace penstock::gateway {

// What is known of a call's prompt when its engine is chosen: the blocks of it that an engine may
// have kept, and the session that it goes on with. Salted by the organisation and the model, so
// that nothing of another tenant is ever matched.
struct CallPrompt {
    std::vector<routing::BlockHash> blocks;
    std::optional<routing::BlockHash> session;
    routing::BlockHash digest = 0;  // of all of it, not salted
};

// A prompt before it is salted, as a template would render it: the tools stand before all.
struct RenderedPrompt {
    std::vector<routing::BlockHash> chain;
    routing::BlockHash tools_digest = 0;
    routing::BlockHash digest = 0;  // of all that stands behind them
};
RenderedPrompt render_prompt(const dialects::Request& request);

// `session` is what the request says; the header x-penstock-session goes before it.
ApiResult<std::string> session_of(const http::Headers& headers, std::string_view session);
CallPrompt salt_prompt(
    const ResolvedKey& key, std::string_view model, RenderedPrompt prompt, std::string_view session
);

// The request again for the next of its models, which then is its own; nothing where none follows.
std::optional<std::string> next_request(
    std::string_view body, const std::vector<std::string>& models
);
// Whether another model may do better where this is what the client would be told.
bool falls_back(int status);

}  // namespace penstock::gateway
