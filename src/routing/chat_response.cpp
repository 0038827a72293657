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

using Count = std::optional<std::int64_t>;

void read_input_details(JsonScanner& scan, UpstreamUsage& usage) {
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "cached_tokens"))
            usage.cached_tokens = scan.read_integer();
        else if (scan.equals(key, "cache_write_tokens"))
            usage.cache_write_tokens = scan.read_integer();
        else if (scan.equals(key, "image_tokens"))
            usage.image_tokens = scan.read_integer();
        else if (scan.equals(key, "audio_tokens"))
            usage.audio_tokens = scan.read_integer();
        else
            scan.skip();
    });
}

void read_output_details(JsonScanner& scan, UpstreamUsage& usage) {
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "reasoning_tokens"))
            usage.reasoning_tokens = scan.read_integer();
        else if (scan.equals(key, "audio_tokens"))
            usage.audio_output_tokens = scan.read_integer();
        else
            scan.skip();
    });
}

UpstreamUsage read_usage(JsonScanner& scan) {
    UpstreamUsage usage;
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "prompt_tokens"))
            usage.prompt_tokens = scan.read_integer();
        else if (scan.equals(key, "completion_tokens"))
            usage.completion_tokens = scan.read_integer();
        else if (scan.equals(key, "total_tokens"))
            usage.total_tokens = scan.read_integer();
        else if (scan.equals(key, "prompt_tokens_details"))
            read_input_details(scan, usage);
        else if (scan.equals(key, "completion_tokens_details"))
            read_output_details(scan, usage);
        else if (scan.equals(key, "prompt_cache_hit_tokens"))
            usage.cache_hit_tokens = scan.read_integer();
        else if (scan.equals(key, "prompt_cache_miss_tokens"))
            usage.cache_miss_tokens = scan.read_integer();
        else
            scan.skip();
    });
    return usage;
}

// A usage object, when it says anything; null and an empty object say nothing.
std::optional<UpstreamUsage> read_usage_member(JsonScanner& scan, Span& text) {
    if (scan.peek() != Kind::object) {
        scan.skip();
        return std::nullopt;
    }
    text.begin = scan.offset();
    const UpstreamUsage usage = read_usage(scan);
    text.end = scan.offset();
    if (usage == UpstreamUsage{}) return std::nullopt;
    return usage;
}

// Its place goes to `place`.
bool read_nonempty_string(JsonScanner& scan, Span* place = nullptr) {
    if (scan.peek() != Kind::string) {
        scan.skip();
        return false;
    }
    String value;
    if (!scan.read_string(value) || value.empty()) return false;
    if (place != nullptr) *place = value;
    return true;
}

bool read_nonempty_array(JsonScanner& scan) {
    bool any = false;
    each_element(scan, [&] {
        any = true;
        scan.skip();
    });
    return any;
}

// A part of a spoken answer: its sound, or the words of it.
bool read_sound(JsonScanner& scan) {
    bool any = false;
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "data") || scan.equals(key, "transcript"))
            any |= read_nonempty_string(scan);
        else
            scan.skip();
    });
    return any;
}

void read_delta(JsonScanner& scan, DeltaCount& count, Span& text) {
    bool visible = false;
    bool reasoning = false;
    bool audio = false;
    each_member(scan, [&](const String& key) {
        if (is_any(scan, key, kVisibleNames))
            visible |= read_nonempty_string(scan, &text);
        else if (is_any(scan, key, kReasoningNames))
            reasoning |= read_nonempty_string(scan, &text);
        else if (scan.equals(key, "tool_calls"))
            visible |= read_nonempty_array(scan);
        else if (scan.equals(key, "audio"))
            audio |= read_sound(scan);
        else
            scan.skip();
    });
    // A piece is one token: an engine that repeats it under two names still made one.
    if (visible)
        ++count.visible;
    else if (reasoning)
        ++count.reasoning;
    else if (audio)
        ++count.audio;
}

void read_choice(JsonScanner& scan, ChatChunk& chunk) {
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "delta")) {
            read_delta(scan, chunk.deltas, chunk.text);
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

// The text of one whole message. It counts what counts where the same answer is converted
// (`dialects`), so that a call costs the same whatever API its client speaks.
class MessageText {
  public:
    explicit MessageText(JsonScanner& scan) : scan_(scan) {}

    std::int64_t read() {
        each_member(scan_, [&](const String& key) { read_member(key); });
        // The details say in full what the other members say again.
        return said_ + (details_ > 0 ? details_ : thought());
    }

  private:
    void read_member(const String& key) {
        if (scan_.equals(key, "content") && scan_.peek() == Kind::array)
            each_element(scan_, [&] { said_ += read_typed("text", "refusal"); });
        else if (is_any(scan_, key, kVisibleNames))
            said_ += size_of(read_text());
        else if (scan_.equals(key, kReasoningNames[0]))
            thoughts_[0] = read_text();
        else if (scan_.equals(key, kReasoningNames[1]))
            thoughts_[1] = read_text();
        else if (scan_.equals(key, "reasoning_details"))
            each_element(scan_, [&] {
                details_ += read_typed("reasoning.text", "reasoning.summary");
            });
        else if (scan_.equals(key, "tool_calls"))
            each_element(scan_, [&] { read_call(); });
        else
            scan_.skip();
    }

    String read_text() {
        String text;
        if (scan_.peek() != Kind::string)
            scan_.skip();
        else
            scan_.read_string(text);
        return text;
    }

    std::int64_t size_of(const String& text) const {
        return static_cast<std::int64_t>(scan_.decoded_size(text));
    }

    // The text of a part of one of two types, in the member that the type names after its dot.
    std::int64_t read_typed(std::string_view first, std::string_view second) {
        const auto member_of = [](std::string_view type) {
            return type.substr(type.find('.') + 1);
        };
        String type;
        String texts[2];
        each_member(scan_, [&](const String& key) {
            if (scan_.equals(key, "type"))
                type = read_text();
            else if (scan_.equals(key, member_of(first)))
                texts[0] = read_text();
            else if (scan_.equals(key, member_of(second)))
                texts[1] = read_text();
            else
                scan_.skip();
        });
        if (scan_.equals(type, first)) return size_of(texts[0]);
        return scan_.equals(type, second) ? size_of(texts[1]) : 0;
    }

    void read_call() {
        each_member(scan_, [&](const String& key) {
            if (!scan_.equals(key, "function")) {
                scan_.skip();
                return;
            }
            each_member(scan_, [&](const String& part) {
                if (scan_.equals(part, "name") || scan_.equals(part, "arguments"))
                    said_ += size_of(read_text());
                else
                    scan_.skip();
            });
        });
    }

    // Some engines write the same hidden text under both names.
    std::int64_t thought() const {
        const std::int64_t first = size_of(thoughts_[0]);
        const std::int64_t second = size_of(thoughts_[1]);
        const bool same =
            first == second && scan_.decode(thoughts_[0]) == scan_.decode(thoughts_[1]);
        return same ? first : first + second;
    }

    JsonScanner& scan_;
    std::int64_t said_ = 0;
    std::int64_t details_ = 0;
    String thoughts_[2];  // as kReasoningNames are
};

void read_full_choice(JsonScanner& scan, ChatCompletion& completion) {
    each_member(scan, [&](const String& key) {
        if (scan.equals(key, "message"))
            completion.text_bytes += MessageText(scan).read();
        else
            scan.skip();
    });
}

// What of a whole its parts take, in their order; each at most what is left of it.
class Shares {
  public:
    explicit Shares(std::int64_t whole) : left_(whole) {}
    Count take(const Count& part) {
        if (!part) return part;
        over_ |= *part > left_;
        const std::int64_t taken = std::min(*part, left_);
        left_ -= taken;
        return taken;
    }
    std::int64_t left() const { return left_; }
    bool over() const { return over_; }

  private:
    std::int64_t left_;
    bool over_ = false;
};

// The least of what both sums say. Compared by subtraction, since the sum of two numbers from
// outside may not fit.
void check_total(const Count& total, Count& prompt, Count& completion, std::uint8_t& violations) {
    if (!total || !prompt || !completion) return;
    if (*total >= *prompt && *total - *prompt == *completion) return;
    violations |= kUsageTotalDiffers;
    prompt = std::min(*prompt, *total);
    completion = std::min(*completion, *total - *prompt);
}

void check_hit_and_miss(
    const Count& hit, const Count& miss, Count& prompt, std::uint8_t& violations
) {
    if (!hit || !miss || !prompt) return;
    if (*miss <= *prompt && *prompt - *miss == *hit) return;
    violations |= kUsageTotalDiffers;
    if (*miss <= *prompt && *prompt - *miss > *hit) prompt = *hit + *miss;
}

}  // namespace

DisjointUsage disjoint(const UpstreamUsage& usage) {
    DisjointUsage out;
    const auto checked = [&](const Count& value) {
        if (!value || *value >= 0) return value;
        out.violations |= kUsageNegative;
        return Count();
    };
    Count prompt = checked(usage.prompt_tokens);
    Count completion = checked(usage.completion_tokens);
    const Count hit = checked(usage.cache_hit_tokens);
    const Count cached = usage.cached_tokens ? checked(usage.cached_tokens) : hit;
    check_total(checked(usage.total_tokens), prompt, completion, out.violations);
    check_hit_and_miss(hit, checked(usage.cache_miss_tokens), prompt, out.violations);
    TokenCounts& tokens = out.tokens;
    const Count written = checked(usage.cache_write_tokens);
    const Count image = checked(usage.image_tokens);
    const Count audio = checked(usage.audio_tokens);
    if (prompt) {
        Shares shares(*prompt);
        tokens.cache_read = shares.take(cached);
        tokens.cache_write_5m = shares.take(written);
        tokens.input_image = shares.take(image);
        tokens.input_audio = shares.take(audio);
        tokens.input_fresh = shares.left();
        if (shares.over()) out.violations |= kUsagePartsOverInput;
    }
    const Count reasoning = checked(usage.reasoning_tokens);
    const Count spoken = checked(usage.audio_output_tokens);
    if (completion) {
        Shares shares(*completion);
        tokens.output_reasoning = shares.take(reasoning);
        tokens.output_audio = shares.take(spoken);
        tokens.output_visible = shares.left();
        if (shares.over()) out.violations |= kUsagePartsOverOutput;
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
            chunk.usage = read_usage_member(scan, chunk.usage_text);
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
            completion.usage = read_usage_member(scan, completion.usage_text);
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
