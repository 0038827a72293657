// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/tokenizer.h"

#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

Result<void> check_size(std::string_view file) {
    if (file.size() <= kFileBytesMax) return {};
    return fail(
        ErrorCode::resource_exhausted, "the tokenizer has " + std::to_string(file.size()) +
                                           " bytes, more than " + std::to_string(kFileBytesMax)
    );
}

}  // namespace

struct Tokenizer::Parts {
    Pipeline pipeline;
};

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::from_hugging_face(std::string_view json) {
    TRY(check_size(json));
    auto parts = std::make_unique<Parts>(TRY(read_hugging_face(json)));
    parts->pipeline.index_added();
    return Tokenizer(std::move(parts));
}

Result<Tokenizer> Tokenizer::from_gguf(std::string_view bytes) {
    TRY(check_size(bytes));
    auto parts = std::make_unique<Parts>(TRY(read_gguf(bytes)));
    parts->pipeline.index_added();
    return Tokenizer(std::move(parts));
}

Result<Tokenizer> Tokenizer::from_file(std::string_view bytes) {
    return bytes.starts_with("GGUF") ? from_gguf(bytes) : from_hugging_face(bytes);
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
    if (text.size() > kTextBytesMax)
        return fail(
            ErrorCode::resource_exhausted, "the text has " + std::to_string(text.size()) +
                                               " bytes, more than " + std::to_string(kTextBytesMax)
        );
    if (!valid_utf8(text)) return fail(ErrorCode::invalid_argument, "the text is not UTF-8");
    std::vector<TokenId> ids;
    TRY(parts_->pipeline.encode(text, special, ids));
    return ids;
}

Result<std::int64_t> Tokenizer::count(std::string_view text, SpecialTokens special) const {
    return static_cast<std::int64_t>(TRY(encode(text, special)).size());
}

std::size_t Tokenizer::size() const { return parts_->pipeline.size; }

}  // namespace penstock::tokenizer
