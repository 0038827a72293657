// SPDX-License-Identifier: Apache-2.0
#include "routing/chat_response.h"

#include <algorithm>

namespace penstock::routing {
namespace {

using Kind = JsonScanner::Kind;
using String = JsonScanner::String;

// Engines name the hidden part differently; all of these carry text that the client receives.
constexpr std::string_view kReasoningNames[] = {"reasoning_content", "reasoning"};
constexpr std::string_view kVisibleNames[] = {"content", "refusal"};

bool is_any(const JsonScanner& scan, const String& key, std::span<const std::string_view> names) {
    return std::ranges::any_of(names, [&](std::string_view name) {
        return scan.equals(key, name);
    });
}

// Visits each member of the object that comes next; anything else is skipped.
template <class Visit>
void each_member(JsonScanner& scan, Visit&& visit) {
    if (scan.peek() != Kind::object) {
        scan.skip();
        return;
    }
    scan.enter_object();
    String key;
    while (scan.next_member(key)) visit(key);
}

template <class Visit>
void each_element(JsonScanner& scan, Visit&& visit) {
    if (scan.peek() != Kind::array) {
        scan.skip();
        return;
    }
    scan.enter_array();
    while (scan.next_element()) visit();
}

UpstreamUsage read_usage(JsonScanner& scan) {
    UpstreamUsage usage;
    const auto detail = [&](std::string_view name, std::optional<std::int64_t>& to) {
        each_member(scan, [&](const String& key) {
            if (scan.equals(key, name))
                to = scan.read_integer();
            else
                scan.skip();
        });
    };
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "prompt_tokens"))
            usage.prompt_tokens = scan.read_integer();
        else if (scan.equals(key, "completion_tokens"))
            usage.completion_tokens = scan.read_integer();
        else if (scan.equals(key, "total_tokens"))
            usage.total_tokens = scan.read_integer();
        else if (scan.equals(key, "prompt_tokens_details"))
            detail("cached_tokens", usage.cached_tokens);
        else if (scan.equals(key, "completion_tokens_details"))
            detail("reasoning_tokens", usage.reasoning_tokens);
        else if (scan.equals(key, "prompt_cache_hit_tokens"))
            usage.cached_tokens = scan.read_integer();
        else
            scan.skip();
    });
    return usage;
}

// A usage object, when it says anything; null and an empty object say nothing.
std::optional<UpstreamUsage> read_usage_member(JsonScanner& scan) {
    if (scan.peek() != Kind::object) {
        scan.skip();
        return std::nullopt;
    }
    const UpstreamUsage usage = read_usage(scan);
    if (usage == UpstreamUsage{}) return std::nullopt;
    return usage;
}

bool read_nonempty_string(JsonScanner& scan) {
    if (scan.peek() != Kind::string) {
        scan.skip();
        return false;
    }
    String value;
    return scan.read_string(value) && !value.empty();
}

bool read_nonempty_array(JsonScanner& scan) {
    bool any = false;
    each_element(scan, [&] {
        any = true;
        scan.skip();
    });
    return any;
}

void read_delta(JsonScanner& scan, DeltaCount& count) {
    bool visible = false;
    bool reasoning = false;
    each_member(scan, [&](const String& key) {
        if (is_any(scan, key, kVisibleNames))
            visible |= read_nonempty_string(scan);
        else if (is_any(scan, key, kReasoningNames))
            reasoning |= read_nonempty_string(scan);
        else if (scan.equals(key, "tool_calls"))
            visible |= read_nonempty_array(scan);
        else
            scan.skip();
    });
    // A piece is one token: an engine that repeats it under two names still made one.
    if (visible)
        ++count.visible;
    else if (reasoning)
        ++count.reasoning;
}

void read_choice(JsonScanner& scan, ChatChunk& chunk) {
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "delta")) {
            read_delta(scan, chunk.deltas);
        } else if (scan.equals(key, "finish_reason")) {
            if (scan.peek() == Kind::string) ++chunk.finished;
            scan.skip();
        } else {
            scan.skip();
        }
    });
}

void read_model(JsonScanner& scan, Span& place) {
    if (scan.peek() == Kind::string)
        scan.skip(&place);
    else
        scan.skip();
}

std::unexpected<Error> malformed(const JsonScanner& scan) {
    return fail(ErrorCode::unavailable, "the engine's answer is not valid JSON: " + scan.problem());
}

std::int64_t read_text_size(JsonScanner& scan) {
    if (scan.peek() != Kind::string) {
        scan.skip();
        return 0;
    }
    String value;
    return scan.read_string(value) ? static_cast<std::int64_t>(scan.decoded_size(value)) : 0;
}

void read_full_choice(JsonScanner& scan, ChatCompletion& completion) {
    each_member(scan, [&](const String& key) {
        if (!scan.equals(key, "message")) {
            scan.skip();
            return;
        }
        each_member(scan, [&](const String& part) {
            if (is_any(scan, part, kVisibleNames) || is_any(scan, part, kReasoningNames))
                completion.text_bytes += read_text_size(scan);
            else
                scan.skip();
        });
    });
}

}  // namespace

DisjointUsage disjoint(const UpstreamUsage& usage) {
    DisjointUsage out;
    const auto checked = [&](std::optional<std::int64_t> value) {
        if (!value || *value >= 0) return value;
        out.violations |= kUsageNegative;
        return std::optional<std::int64_t>();
    };
    const auto prompt = checked(usage.prompt_tokens);
    const auto completion = checked(usage.completion_tokens);
    const auto total = checked(usage.total_tokens);
    auto cached = checked(usage.cached_tokens);
    auto reasoning = checked(usage.reasoning_tokens);
    if (cached && prompt && *cached > *prompt) {
        out.violations |= kUsageCachedOverPrompt;
        cached = *prompt;
    }
    if (reasoning && completion && *reasoning > *completion) {
        out.violations |= kUsageReasoningOverOutput;
        reasoning = *completion;
    }
    // Compared by subtraction, since the sum of two numbers from outside may not fit.
    if (prompt && completion && total && (*total < *prompt || *total - *prompt != *completion))
        out.violations |= kUsageTotalDiffers;
    if (prompt) {
        out.tokens.input_fresh = *prompt - cached.value_or(0);
        out.tokens.cache_read = cached;
    }
    if (completion) {
        out.tokens.output_visible = *completion - reasoning.value_or(0);
        out.tokens.output_reasoning = reasoning;
    }
    return out;
}

Result<ChatChunk> read_chat_chunk(std::string_view data) {
    ChatChunk chunk;
    if (data == "[DONE]") {
        chunk.done = true;
        return chunk;
    }
    JsonScanner scan(data, JsonScanner::Text::lenient);
    if (scan.peek() != Kind::object)
        return fail(ErrorCode::unavailable, "the engine sent an event that is not a JSON object");
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "choices")) {
            bool any = false;
            each_element(scan, [&] {
                any = true;
                read_choice(scan, chunk);
            });
            chunk.choices_empty = !any;
        } else if (scan.equals(key, "usage")) {
            chunk.usage = read_usage_member(scan);
        } else if (scan.equals(key, "model")) {
            read_model(scan, chunk.model_value);
        } else if (scan.equals(key, "error")) {
            chunk.error = scan.peek() != Kind::null;
            scan.skip();
        } else {
            scan.skip();
        }
    });
    if (!scan.finish()) return malformed(scan);
    if (chunk.error) {
        chunk.usage.reset();
        chunk.deltas = {};
    }
    return chunk;
}

Result<ChatCompletion> read_chat_completion(std::string_view body) {
    ChatCompletion completion;
    JsonScanner scan(body, JsonScanner::Text::lenient);
    if (scan.peek() != Kind::object)
        return fail(ErrorCode::unavailable, "the engine's answer is not a JSON object");
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "choices")) {
            each_element(scan, [&] { read_full_choice(scan, completion); });
        } else if (scan.equals(key, "usage")) {
            completion.usage = read_usage_member(scan);
        } else if (scan.equals(key, "model")) {
            read_model(scan, completion.model_value);
        } else if (scan.equals(key, "error")) {
            completion.error = scan.peek() != Kind::null;
            scan.skip();
        } else {
            scan.skip();
        }
    });
    if (!scan.finish()) return malformed(scan);
    if (completion.error) {
        completion.usage.reset();
        completion.text_bytes = 0;
    }
    return completion;
}

std::string replace_string(std::string_view json, Span place, std::string_view value) {
    std::string out;
    out.reserve(json.size() + value.size());
    out.append(json, 0, place.begin);
    append_json_string(out, value);
    return out.append(json, place.end);
}

}  // namespace penstock::routing
