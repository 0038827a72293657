// SPDX-License-Identifier: Apache-2.0
#include "gateway/text_meter.h"

#include "dialects/documents.h"

namespace penstock::gateway {
namespace {

using dialects::Json;
using tokenizer::SpecialTokens;
using tokenizer::Tokenizer;
using Count = std::optional<std::int64_t>;

// Adds up texts; one that cannot be counted leaves nothing.
class Sum {
  public:
    explicit Sum(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
    void add(std::string_view text) {
        if (!total_ || text.empty()) return;
        // What a user typed is never a mark of the chat template.
        const Result<std::int64_t> tokens = tokenizer_.count(text, SpecialTokens::as_text);
        total_ = tokens ? Count(*total_ + *tokens) : std::nullopt;
    }
    void add(const std::vector<dialects::Part>& parts) {
        for (const dialects::Part& part : parts) {
            if (part.kind == dialects::Part::Kind::tool_call) add(part.name);
            add(part.text);
            add(part.parts);
        }
    }
    Count total() const { return total_; }

  private:
    const Tokenizer& tokenizer_;
    Count total_ = 0;
};

Count count_input(Sum sum, const Json* input) {
    if (input == nullptr) return std::nullopt;
    if (const std::string* text = input->if_string()) sum.add(*text);
    if (const Json::Array* list = input->if_array())
        for (const Json& element : *list) {
            const std::string* text = element.if_string();
            if (text == nullptr) return std::nullopt;  // numbers of tokens have no text
            sum.add(*text);
        }
    return sum.total();
}

}  // namespace

std::optional<std::int64_t> count_prompt(
    const Tokenizer& tokenizer, const TextMeter::Prompt& prompt
) {
    Result<Json> document = dialects::parse_json(prompt.body);
    if (!document) return std::nullopt;
    Sum sum(tokenizer);
    if (prompt.embeddings) return count_input(sum, document->find("input"));
    const Result<dialects::Request> request =
        dialects::read_request(prompt.dialect, *std::move(document));
    if (!request) return std::nullopt;
    for (const dialects::Turn& turn : request->turns) sum.add(turn.parts);
    return sum.total();
}

std::optional<AnswerTokens> count_answer(
    const Tokenizer& tokenizer, const routing::AnswerTexts& answer
) {
    if (!answer.whole()) return std::nullopt;
    AnswerTokens tokens;
    for (const auto& [place, text] : answer.texts()) {
        const Result<std::int64_t> counted = tokenizer.count(text, SpecialTokens::as_text);
        if (!counted) return std::nullopt;
        const bool visible = place.second == routing::AnswerTexts::Side::visible;
        (visible ? tokens.visible : tokens.reasoning) += *counted;
    }
    return tokens;
}

void TextMeter::count_prompt(Prompt prompt) {
    input_ = std::make_shared<Input>();
    const std::size_t bytes = prompt.body.size();
    const bool taken =
        shelf_.post(bytes, [entry = entry_, input = input_, prompt = std::move(prompt)] {
            input->tokens = gateway::count_prompt(entry->tokenizer, prompt);
        });
    if (!taken) input_.reset();
}

io::Task<TextTokens> TextMeter::finish() {
    TextTokens counted{.tokenizer = entry_->sha256};
    if (!answer_.whole()) shelf_.tell_left_out();
    std::optional<AnswerTokens> answer;
    std::optional<std::int64_t> input;
    const bool ran = co_await shelf_.run(answer_.bytes(), [&] {
        answer = count_answer(entry_->tokenizer, answer_);
        if (input_ != nullptr) input = input_->tokens;
    });
    if (!ran) co_return counted;
    counted.input = input;
    if (answer) {
        counted.output_visible = answer->visible;
        if (answer->reasoning > 0) counted.output_reasoning = answer->reasoning;
    }
    co_return counted;
}

}  // namespace penstock::gateway
