// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/canonical.h"

namespace penstock::dialects {

// Disjoint classes from what an engine wrote, by its dialect's own nesting. An absent class stays
// absent. Of contradicting numbers the smallest consistent reading is taken and a violation told.
Usage read_chat_usage(Json written);       // prompt_tokens includes the cached ones
Usage read_responses_usage(Json written);  // the same under other names
Usage read_anthropic_usage(Json written);  // input_tokens excludes the cached ones
Usage read_ollama_usage(const Json& written
);  // members prompt_eval_count, eval_count of the answer

// The same in a dialect; classes that nobody reported are left out.
Json chat_usage(const TokenCounts& tokens);
Json responses_usage(const TokenCounts& tokens);
Json anthropic_usage(const TokenCounts& tokens);
void add_ollama_usage(Json::Object& out, const TokenCounts& tokens);

// Sums over the classes that are known; nothing where none is.
std::optional<std::int64_t> input_total(const TokenCounts& tokens);
std::optional<std::int64_t> output_total(const TokenCounts& tokens);

// All that the engine has said of it, as JSON in its own words.
std::string usage_words(const Usage& usage);

// Reports of one stream: a later one replaces what it names, the rest stays.
Json later_usage(Json before, const Json& after);

}  // namespace penstock::dialects
