// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/billing.h"
#include "routing/json_scanner.h"

namespace penstock::routing {

// `usage` as an engine wrote it; absent is not zero.
struct UpstreamUsage {
    std::optional<std::int64_t> prompt_tokens;      // includes the four parts below
    std::optional<std::int64_t> completion_tokens;  // includes reasoning and sound
    std::optional<std::int64_t> total_tokens;
    std::optional<std::int64_t> cached_tokens;
    std::optional<std::int64_t> cache_write_tokens;
    std::optional<std::int64_t> image_tokens;
    std::optional<std::int64_t> audio_tokens;
    std::optional<std::int64_t> reasoning_tokens;
    std::optional<std::int64_t> audio_output_tokens;
    // DeepSeek's two parts of the prompt: read from its cache, and not.
    std::optional<std::int64_t> cache_hit_tokens;
    std::optional<std::int64_t> cache_miss_tokens;
    bool operator==(const UpstreamUsage&) const = default;
};

// What can be wrong with a usage; the smallest consistent reading is charged.
enum UsageViolation : std::uint8_t {
    kUsageNegative = 1,         // taken as absent
    kUsagePartsOverInput = 2,   // what was cached, written, images or sound is more than the prompt
    kUsagePartsOverOutput = 4,  // reasoning or sound
    kUsageTotalDiffers = 8,
    kUsageOverBound = 16,  // more than the call was allowed to use
};
struct DisjointUsage {
    TokenCounts tokens;
    std::uint8_t violations = 0;
};
// Disjoint classes from OpenAI's nested ones. Parts that overlap (sound that was read from a cache)
// are more than their whole: each gives way to those before it in the order of kTokenClasses.
DisjointUsage disjoint(const UpstreamUsage& usage);

// Content pieces, by class. llama.cpp and engines like it send one token in each, others sometimes
// more; so a count of pieces is never above the tokens that were made.
struct DeltaCount {
    std::int64_t visible = 0;
    std::int64_t reasoning = 0;
    std::int64_t audio = 0;
    bool empty() const { return visible == 0 && reasoning == 0 && audio == 0; }
    bool operator==(const DeltaCount&) const = default;
};

// One event of a chat stream, read without a tree.
struct ChatChunk {
    bool done = false;           // "[DONE]"
    bool error = false;          // an `error` member: never counted
    bool choices_empty = false;  // `choices` is there and has no element
    DeltaCount deltas;
    std::int64_t finished = 0;  // choices with a finish_reason
    std::optional<UpstreamUsage> usage;
    Span usage_text;   // as it was written
    Span model_value;  // with its quotes; empty: not there
    Span text;         // that was counted, of the last delta that has any; between its quotes

    // The extra chunk that include_usage brings.
    bool is_usage_only() const { return choices_empty && usage.has_value(); }
    bool operator==(const ChatChunk&) const = default;
};
Result<ChatChunk> read_chat_chunk(std::string_view data);

// A whole (unstreamed) answer.
struct ChatCompletion {
    bool error = false;
    std::optional<UpstreamUsage> usage;
    Span usage_text;
    Span model_value;
    // Of all messages, decoded: content and refusals, names and arguments of calls, reasoning
    // (once, where it stands under two names).
    std::int64_t text_bytes = 0;
};
Result<ChatCompletion> read_chat_completion(std::string_view body);

// `json` with the string at `place` replaced.
std::string replace_string(std::string_view json, Span place, std::string_view value);

}  // namespace penstock::routing
