// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "dialects/canonical.h"
#include "gateway/tokenizer_shelf.h"
#include "model/second_meter.h"
#include "routing/answer_texts.h"

namespace penstock::gateway {

// The second meter of one call: its texts, counted with the tokenizer of its endpoint on the
// shelf's thread. The prompt is counted while the engine works, the answer at its end.
class TextMeter {
  public:
    TextMeter(TokenizerShelf& shelf, TokenizerShelf::EntryPtr entry)
        : shelf_(shelf), entry_(std::move(entry)) {}

    const std::string& sha256() const { return entry_->sha256; }
    // The client's body, in its dialect, as it was admitted.
    struct Prompt {
        dialects::Dialect dialect = dialects::Dialect::chat;
        bool embeddings = false;
        std::string body;
    };
    void count_prompt(Prompt prompt);
    // What the client has received, as it receives it.
    routing::AnswerTexts& answer() { return answer_; }
    // Waits for the thread: at most for what was there before, see kWaitingBytesMax.
    io::Task<TextTokens> finish();

  private:
    TokenizerShelf& shelf_;
    TokenizerShelf::EntryPtr entry_;
    // Written by the thread; read when a later job of it has run.
    struct Input {
        std::optional<std::int64_t> tokens;
    };
    std::shared_ptr<Input> input_;  // shared with the job, which may outlive the call
    routing::AnswerTexts answer_;
};

// Pure. Nothing where the body or a text of it cannot be read.
std::optional<std::int64_t> count_prompt(
    const tokenizer::Tokenizer& tokenizer, const TextMeter::Prompt& prompt
);
// Each text by itself; nothing where one cannot be counted or the answer was not kept whole.
struct AnswerTokens {
    std::int64_t visible = 0;
    std::int64_t reasoning = 0;
};
std::optional<AnswerTokens> count_answer(
    const tokenizer::Tokenizer& tokenizer, const routing::AnswerTexts& answer
);

}  // namespace penstock::gateway
