// SPDX-License-Identifier: Apache-2.0
#include "dialects/usage.h"

#include <algorithm>
#include <array>

#include "routing/chat_response.h"

namespace penstock::dialects {
namespace {

using Count = std::optional<std::int64_t>;

Count count_of(const Json& object, std::string_view key) {
    const Json* value = object.find(key);
    return value == nullptr ? Count() : value->if_integer();
}

Count detail_of(const Json& object, std::string_view details, std::string_view key) {
    const Json* inner = object.find(details);
    return inner == nullptr ? Count() : count_of(*inner, key);
}

Count sum(std::initializer_list<Count> counts) {
    // Saturates: numbers from outside may be any.
    Count total;
    for (const Count& count : counts)
        if (count) total = std::min(total.value_or(0), INT64_MAX - *count) + *count;
    return total;
}

// Taken as absent where it is below nothing.
Count checked(const Count& count, std::uint8_t& violations) {
    if (!count || *count >= 0) return count;
    violations |= routing::kUsageNegative;
    return {};
}

void add_count(Json::Object& out, std::string_view key, const Count& count) {
    if (count) out.push_back({std::string(key), *count});
}

void add_details(Json::Object& out, std::string_view name, Json::Object details) {
    if (!details.empty()) out.push_back({std::string(name), std::move(details)});
}

// OpenAI's nested form under the names of one of its two dialects.
struct NestedNames {
    std::string_view input;
    std::string_view output;
    std::string_view input_details;
    std::string_view output_details;
};
constexpr NestedNames kChatNames{
    "prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"
};
constexpr NestedNames kResponsesNames{
    "input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"
};

Usage read_nested(Json written, const NestedNames& names) {
    const auto input = [&](std::string_view key) {
        return detail_of(written, names.input_details, key);
    };
    const auto output = [&](std::string_view key) {
        return detail_of(written, names.output_details, key);
    };
    const routing::DisjointUsage parts = routing::disjoint({
        .prompt_tokens = count_of(written, names.input),
        .completion_tokens = count_of(written, names.output),
        .total_tokens = count_of(written, "total_tokens"),
        .cached_tokens = input("cached_tokens"),
        .cache_write_tokens = input("cache_write_tokens"),
        .image_tokens = input("image_tokens"),
        .audio_tokens = input("audio_tokens"),
        .reasoning_tokens = output("reasoning_tokens"),
        .audio_output_tokens = output("audio_tokens"),
        .cache_hit_tokens = count_of(written, "prompt_cache_hit_tokens"),
        .cache_miss_tokens = count_of(written, "prompt_cache_miss_tokens"),
    });
    return {.tokens = parts.tokens, .violations = parts.violations, .written = std::move(written)};
}

Json::Object nested(const TokenCounts& tokens, const NestedNames& names) {
    Json::Object out;
    const Count input = input_total(tokens);
    const Count output = output_total(tokens);
    add_count(out, names.input, input);
    add_count(out, names.output, output);
    if (input && output) add_count(out, "total_tokens", sum({input, output}));
    Json::Object input_details;
    add_count(input_details, "cached_tokens", tokens.cache_read);
    add_count(
        input_details, "cache_write_tokens", sum({tokens.cache_write_5m, tokens.cache_write_1h})
    );
    add_count(input_details, "image_tokens", tokens.input_image);
    add_count(input_details, "audio_tokens", tokens.input_audio);
    add_details(out, names.input_details, std::move(input_details));
    Json::Object output_details;
    add_count(output_details, "reasoning_tokens", tokens.output_reasoning);
    add_count(output_details, "audio_tokens", tokens.output_audio);
    add_details(out, names.output_details, std::move(output_details));
    return out;
}

}  // namespace

std::optional<std::int64_t> input_total(const TokenCounts& tokens) {
    return sum(
        {tokens.input_fresh, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h,
         tokens.input_image, tokens.input_audio}
    );
}

std::optional<std::int64_t> output_total(const TokenCounts& tokens) {
    return sum({tokens.output_visible, tokens.output_reasoning, tokens.output_audio});
}

Usage read_chat_usage(Json written) { return read_nested(std::move(written), kChatNames); }
Usage read_responses_usage(Json written) {
    return read_nested(std::move(written), kResponsesNames);
}

namespace {

// thinking_tokens are a part of output_tokens.
void read_thinking(const Json& written, Usage& usage) {
    Count thinking =
        checked(detail_of(written, "output_tokens_details", "thinking_tokens"), usage.violations);
    Count& visible = usage.tokens.output_visible;
    if (!thinking || !visible) return;
    if (*thinking > *visible) usage.violations |= routing::kUsagePartsOverOutput;
    usage.tokens.output_reasoning = std::min(*thinking, *visible);
    visible = *visible - *usage.tokens.output_reasoning;
}

}  // namespace

Usage read_anthropic_usage(Json written) {
    Usage usage;
    std::uint8_t& violations = usage.violations;
    TokenCounts& tokens = usage.tokens;
    tokens.input_fresh = checked(count_of(written, "input_tokens"), violations);
    tokens.cache_read = checked(count_of(written, "cache_read_input_tokens"), violations);
    tokens.output_visible = checked(count_of(written, "output_tokens"), violations);
    read_thinking(written, usage);
    const Count created = checked(count_of(written, "cache_creation_input_tokens"), violations);
    const Count short_lived =
        checked(detail_of(written, "cache_creation", "ephemeral_5m_input_tokens"), violations);
    const Count long_lived =
        checked(detail_of(written, "cache_creation", "ephemeral_1h_input_tokens"), violations);
    const Count split = sum({short_lived, long_lived});
    if (!split) {
        // Without a split it is what Anthropic writes by default.
        tokens.cache_write_5m = created;
    } else if (!created || *created == *split) {
        tokens.cache_write_5m = short_lived;
        tokens.cache_write_1h = long_lived;
    } else {
        violations |= routing::kUsageTotalDiffers;
        const std::int64_t least = std::min(*created, *split);
        tokens.cache_write_1h = std::min(long_lived.value_or(0), least);
        tokens.cache_write_5m = least - *tokens.cache_write_1h;
    }
    usage.written = std::move(written);
    return usage;
}

Usage read_ollama_usage(const Json& written) {
    Usage usage;
    usage.tokens.input_fresh = checked(count_of(written, "prompt_eval_count"), usage.violations);
    usage.tokens.output_visible = checked(count_of(written, "eval_count"), usage.violations);
    // They stand beside the answer, which is no part of a usage.
    Json::Object counts;
    for (const std::string_view name : {"prompt_eval_count", "eval_count"})
        if (const Json* count = written.find(name)) counts.push_back({std::string(name), *count});
    usage.written = std::move(counts);
    return usage;
}

Json chat_usage(const TokenCounts& tokens) { return nested(tokens, kChatNames); }
Json responses_usage(const TokenCounts& tokens) {
    // Every member is required there; what is not known is told as none.
    Json::Object out = nested(tokens, kResponsesNames);
    merge(
        out,
        {{"input_tokens_details", Json::Object{{"cached_tokens", 0}, {"cache_write_tokens", 0}}},
         {"output_tokens_details", Json::Object{{"reasoning_tokens", 0}}},
         {"input_tokens", 0},
         {"output_tokens", 0},
         {"total_tokens", 0}}
    );
    return out;
}

Json anthropic_usage(const TokenCounts& tokens) {
    Json::Object out;
    // Images and sound have no word of their own there.
    add_count(
        out, "input_tokens", sum({tokens.input_fresh, tokens.input_image, tokens.input_audio})
    );
    add_count(out, "cache_read_input_tokens", tokens.cache_read);
    const Count created = sum({tokens.cache_write_5m, tokens.cache_write_1h});
    add_count(out, "cache_creation_input_tokens", created);
    if (tokens.cache_write_1h)
        out.push_back(
            {"cache_creation",
             Json::Object{
                 {"ephemeral_5m_input_tokens", tokens.cache_write_5m.value_or(0)},
                 {"ephemeral_1h_input_tokens", *tokens.cache_write_1h}
             }}
        );
    add_count(out, "output_tokens", output_total(tokens));
    if (tokens.output_reasoning)
        out.push_back(
            {"output_tokens_details", Json::Object{{"thinking_tokens", *tokens.output_reasoning}}}
        );
    return out;
}

void add_ollama_usage(Json::Object& out, const TokenCounts& tokens) {
    add_count(out, "prompt_eval_count", input_total(tokens));
    add_count(out, "eval_count", output_total(tokens));
}

std::string usage_words(const Usage& usage) {
    return print_json(later_usage(usage.earlier, usage.written));
}

Json later_usage(Json before, const Json& after) {
    if (before.if_object() == nullptr) return after;
    if (after.if_object() != nullptr)
        for (const Member& member : *after.if_object())
            if (!member.value.is_null()) put(*before.if_object(), member.key, member.value);
    return before;
}

}  // namespace penstock::dialects
