// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "base/check.h"
#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

constexpr std::uint32_t kStepsMax = 50'000'000;  // of one match
constexpr std::size_t kPatternBytesMax = 16'384;

struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

std::string message_of(int code) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(code, text.data(), text.size());
    return reinterpret_cast<const char*>(text.data());
}

// The pattern with Unicode's White_Space for \s and \S, as in the engines that it was written for:
// PCRE2 counts U+180E among it.
std::string with_white_space(std::string_view pattern) {
    constexpr std::string_view kSpaces(kSpacePattern);
    constexpr std::string_view kInside = kSpaces.substr(1, kSpaces.size() - 2);
    std::string out;
    bool in_class = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char next = pattern[i] == '\\' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (next == '\0') {
            // "[:alpha:]" inside of one has an end of its own.
            const bool named = pattern[i] == ':' && i + 1 < pattern.size() && pattern[i + 1] == ']';
            if (pattern[i] == '[') in_class = true;
            if (pattern[i] == ']') in_class = false;
            out.push_back(pattern[i]);
            if (named && in_class) out.push_back(pattern[++i]);
            continue;
        }
        ++i;
        if (next == 's')
            out.append(in_class ? kInside : kSpaces);
        else if (next == 'S' && !in_class)
            out.append("[^").append(kInside).append("]");
        else
            out.append({'\\', next});
    }
    return out;
}

}  // namespace

struct Pattern::Compiled {
    std::unique_ptr<pcre2_code, Free> code;
    std::unique_ptr<pcre2_match_context, Free> context;
};

Result<Pattern> Pattern::compile(const std::string& written) {
    if (written.size() > kPatternBytesMax)
        return fail(ErrorCode::invalid_argument, "the pattern is longer than 16384 bytes");
    const std::string pattern = with_white_space(written);
    int error = 0;
    PCRE2_SIZE at = 0;
    auto compiled = std::make_shared<Compiled>();
    compiled->code.reset(pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
        &at, nullptr
    ));
    if (!compiled->code)
        return fail(
            ErrorCode::invalid_argument,
            "the pattern is wrong at byte " + std::to_string(at) + ": " + message_of(error)
        );
    // Without it a pattern is only slower: some machines forbid executable memory.
    pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);
    compiled->context.reset(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(compiled->context.get(), kStepsMax);
    Pattern result;
    result.compiled_ = std::move(compiled);
    return result;
}

Pattern Pattern::literal(std::string text) {
    CHECK(!text.empty(), "an empty text would match everywhere");
    Pattern result;
    result.literal_ = std::move(text);
    return result;
}

Result<void> Pattern::each(
    std::string_view text, const std::function<void(std::size_t, std::size_t)>& on_match
) const {
    if (!compiled_) {
        for (std::size_t at = text.find(literal_); at != std::string_view::npos;
             at = text.find(literal_, at + literal_.size()))
            on_match(at, at + literal_.size());
        return {};
    }
    const std::unique_ptr<pcre2_match_data, Free> data(
        pcre2_match_data_create_from_pattern(compiled_->code.get(), nullptr)
    );
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
    for (std::size_t at = 0; at < text.size();) {
        // The text was checked once, as a whole.
        const int found = pcre2_match(
            compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
            PCRE2_NO_UTF_CHECK, data.get(), compiled_->context.get()
        );
        if (found == PCRE2_ERROR_NOMATCH) break;
        if (found < 0)
            return fail(
                ErrorCode::resource_exhausted,
                "the pre-tokenizer's pattern gave up on this text: " + message_of(found)
            );
        if (span[1] <= at && span[0] == span[1]) {
            at += character_length(text, at);
            continue;
        }
        if (span[0] < span[1]) on_match(span[0], span[1]);
        at = span[0] < span[1] ? span[1] : span[1] + character_length(text, span[1]);
    }
    return {};
}

}  // namespace penstock::tokenizer
