// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "routing/json_scanner.h"
#include "routing/prompt_blocks.h"
#include "routing/route_wishes.h"

namespace penstock::routing {

constexpr std::int64_t kOutputTokensMax = 10'000'000;  // of one choice; a larger bound is refused
constexpr std::int64_t kChoicesMax = 128;
constexpr std::size_t kModelBytesMax = 256;
// What an engine's chat template may add to a prompt: role marks, a system text of its own.
constexpr std::int64_t kTemplateTokensMax = 1024;
// What one image, sound or file in a message may cost; its tokens do not follow from its bytes.
constexpr std::int64_t kMediaTokensMax = 16'384;
// The gateway's own measure of a prompt where the engine tells none: one token for this many bytes
// of message text, rounded down. Chosen below what common tokenizers make of prose (3.5 to 5 bytes
// a token), so that a count of ours stays below the engine's.
constexpr std::int64_t kPromptBytesPerToken = 6;

// What the gateway must know of a POST /v1/chat/completions body, and where in it that stands.
struct ChatRequest {
    std::string model;
    bool stream = false;
    bool include_usage = false;  // the client itself asked for the usage chunk
    // The largest of the bounds the client gave (engines differ in which one wins), per choice.
    std::optional<std::int64_t> output_tokens_max;
    std::int64_t choices = 1;
    // No tokenizer makes more tokens than bytes, and the whole body is longer than the texts in it.
    std::int64_t prompt_tokens_bound = 0;
    std::int64_t prompt_text_bytes = 0;  // of the messages' texts, decoded
    // Of the messages as a template would render them: texts decoded, media by their digest. To be
    // salted with tools_digest first, which stand before them, and with tenant and model.
    std::vector<BlockHash> prompt_chain;
    BlockHash tools_digest = 0;
    BlockHash prompt_digest = 0;  // of all the messages' text; not of the tools
    RouteWishes wishes;
    std::string prompt_cache_key;  // a session by OpenAI's name; the engine gets it as well

    // Places for upstream_body().
    std::size_t object_begin = 0;  // behind the opening brace
    Span model_value;
    Span max_tokens_null;  // empty: not there
    enum class StreamOptions : std::uint8_t {
        absent,
        null,
        object
    } stream_options = StreamOptions::absent;
    Span stream_options_value;
    bool stream_options_empty = true;
    Span include_usage_value;        // empty: not there
    std::vector<Span> wish_members;  // whole; not for the engine
};

// One pass, no tree. What is malformed, missing or said twice is invalid_argument and names the
// field; fields the gateway does not know are the engine's business.
Result<ChatRequest> scan_chat_request(std::string_view body);

struct UpstreamBody {
    std::string_view model;  // as the engine names it
    // Asked of the engine where the client set no bound: a hold needs one that is kept.
    std::int64_t output_tokens_default = 0;
};
// The client's bytes with the model's name replaced, usage asked for when streaming, a bound on the
// output, and without what is said to the gateway alone; everything else is kept byte for byte.
std::string upstream_body(
    std::string_view body, const ChatRequest& request, const UpstreamBody& change
);

// Tokens a call can use at most; the hold is made for them.
struct TokenBound {
    std::int64_t input = 0;
    std::int64_t output = 0;
    bool operator==(const TokenBound&) const = default;
};
TokenBound token_bound(const ChatRequest& request, std::int64_t output_tokens_default);

}  // namespace penstock::routing
