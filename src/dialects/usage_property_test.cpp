// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dialects/usage.h"
#include "routing/chat_response.h"

namespace penstock::dialects {
namespace {

using Count = std::optional<std::int64_t>;

// Absent, null, wrong, nothing, some, negative, enormous.
rc::Gen<Json> counts() {
    return rc::gen::weightedOneOf<Json>({
        {6, rc::gen::map(rc::gen::inRange<std::int64_t>(0, 100), [](auto n) { return Json(n); })},
        {1, rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](auto n) { return Json(n); })},
        {1, rc::gen::element(
                Json(nullptr), Json(INT64_MAX), Json(std::int64_t{-1}), Json("7"),
                Json(Json::number("1e3"))
            )},
    });
}

Json::Object some_of(const std::vector<std::string>& names) {
    Json::Object out;
    for (const std::string& name : names)
        if (*rc::gen::arbitrary<bool>()) out.push_back({name, *counts()});
    return out;
}

void check_classes(const Usage& usage) {
    const TokenCounts& t = usage.tokens;
    for (const Count& count :
         {t.input_fresh, t.cache_read, t.cache_write_5m, t.cache_write_1h, t.input_image,
          t.input_audio, t.output_visible, t.output_reasoning, t.output_audio})
        RC_ASSERT(count.value_or(0) >= 0);
}

Count read_count(const Json::Object& object, std::string_view name) {
    const Json* value = find(object, name);
    return value == nullptr ? Count() : value->if_integer();
}

RC_GTEST_PROP(UsageProperty, NestedClassesAreDisjointAndSumToWhatWasReported, ()) {
    const bool chat = *rc::gen::arbitrary<bool>();
    const std::string input = chat ? "prompt" : "input";
    const std::string output = chat ? "completion" : "output";
    Json::Object written = some_of({input + "_tokens", output + "_tokens", "total_tokens"});
    put(written, input + "_tokens_details",
        some_of({"cached_tokens", "cache_write_tokens", "image_tokens", "audio_tokens"}));
    put(written, output + "_tokens_details", some_of({"reasoning_tokens", "audio_tokens"}));

    const Usage usage = chat ? read_chat_usage(written) : read_responses_usage(written);

    check_classes(usage);
    RC_ASSERT(Json(written) == usage.written);
    const Count in = read_count(written, input + "_tokens");
    const Count out = read_count(written, output + "_tokens");
    const bool agrees = (usage.violations & routing::kUsageTotalDiffers) == 0;
    if (in && *in >= 0) RC_ASSERT(input_total(usage.tokens).value_or(-1) <= *in);
    if (out && *out >= 0) RC_ASSERT(output_total(usage.tokens).value_or(-1) <= *out);
    if (in && *in >= 0 && agrees) RC_ASSERT(input_total(usage.tokens) == in);
    if (out && *out >= 0 && agrees) RC_ASSERT(output_total(usage.tokens) == out);
    if (!in || *in < 0) RC_ASSERT(!usage.tokens.input_fresh);
}

RC_GTEST_PROP(UsageProperty, ExclusiveClassesAreTakenAsTheyStand, ()) {
    Json::Object written = some_of(
        {"input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"}
    );
    put(written, "cache_creation",
        some_of({"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"}));
    put(written, "output_tokens_details", some_of({"thinking_tokens"}));

    const Usage usage = read_anthropic_usage(written);

    check_classes(usage);
    const Count created = read_count(written, "cache_creation_input_tokens");
    const std::int64_t writes =
        usage.tokens.cache_write_5m.value_or(0) + usage.tokens.cache_write_1h.value_or(0);
    if (created && *created >= 0) RC_ASSERT(writes <= *created);
    const Count out = read_count(written, "output_tokens");
    if (out && *out >= 0) RC_ASSERT(output_total(usage.tokens) == out);
}

// The gateway reads a chat answer without a tree where it can: both readers say the same.
RC_GTEST_PROP(UsageProperty, TheReaderWithoutATreeReadsTheSame, ()) {
    Json::Object written = some_of(
        {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_hit_tokens",
         "prompt_cache_miss_tokens"}
    );
    put(written, "prompt_tokens_details",
        some_of({"cached_tokens", "cache_write_tokens", "image_tokens", "audio_tokens"}));
    put(written, "completion_tokens_details", some_of({"reasoning_tokens", "audio_tokens"}));
    const std::string text =
        print_json(Json::Object{{"choices", Json::Array{}}, {"usage", Json(written)}});

    const routing::ChatChunk chunk = *routing::read_chat_chunk(text);

    const Usage read = read_chat_usage(written);
    const routing::DisjointUsage scanned =
        chunk.usage ? routing::disjoint(*chunk.usage) : routing::DisjointUsage{};
    RC_ASSERT(scanned.tokens == read.tokens);
    RC_ASSERT(scanned.violations == read.violations);
    RC_ASSERT(text.substr(chunk.usage_text.begin, chunk.usage_text.size()) == usage_words(read));
}

// What one dialect says of a usage, another reads as the same sums.
RC_GTEST_PROP(UsageProperty, SumsSurviveEveryDialect, ()) {
    const auto some = [] {
        return *rc::gen::maybe(rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
    };
    TokenCounts tokens{.input_fresh = *rc::gen::inRange<std::int64_t>(0, 1'000'000)};
    tokens.cache_read = some() ? Count(*rc::gen::inRange<std::int64_t>(0, 1000)) : Count();
    tokens.cache_write_5m = some() ? Count(*rc::gen::inRange<std::int64_t>(0, 1000)) : Count();
    tokens.input_image = some() ? Count(*rc::gen::inRange<std::int64_t>(0, 1000)) : Count();
    tokens.input_audio = some() ? Count(*rc::gen::inRange<std::int64_t>(0, 1000)) : Count();
    tokens.output_visible = *rc::gen::inRange<std::int64_t>(0, 1000);
    tokens.output_audio = some() ? Count(*rc::gen::inRange<std::int64_t>(0, 1000)) : Count();
    tokens.output_reasoning = some() ? Count(*rc::gen::inRange<std::int64_t>(0, 1000)) : Count();
    Json::Object ollama;
    add_ollama_usage(ollama, tokens);

    for (const Usage& usage :
         {read_chat_usage(chat_usage(tokens)), read_responses_usage(responses_usage(tokens)),
          read_anthropic_usage(anthropic_usage(tokens)), read_ollama_usage(ollama)}) {
        RC_ASSERT(usage.violations == 0);
        RC_ASSERT(input_total(usage.tokens) == input_total(tokens));
        RC_ASSERT(output_total(usage.tokens) == output_total(tokens));
    }
    RC_ASSERT(read_chat_usage(chat_usage(tokens)).tokens == tokens);
    // Anthropic has no words for images and sound.
    TokenCounts folded = tokens;
    folded.input_fresh =
        *tokens.input_fresh + tokens.input_image.value_or(0) + tokens.input_audio.value_or(0);
    folded.output_visible = *tokens.output_visible + tokens.output_audio.value_or(0);
    folded.input_image = folded.input_audio = folded.output_audio = Count();
    RC_ASSERT(read_anthropic_usage(anthropic_usage(tokens)).tokens == folded);
}

}  // namespace
}  // namespace penstock::dialects
