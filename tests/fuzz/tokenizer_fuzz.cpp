// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "tokenizer/tokenizer.h"

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::tokenizer;
    const std::string_view file(reinterpret_cast<const char*>(data), size);
    constexpr std::string_view kText =
        "the  water <|im_start|> 12 \xC3\xA9\xE7\xAE\x97\n\xE2\x80\x83x";
    for (const auto& read : {Tokenizer::from_gguf, Tokenizer::from_hugging_face}) {
        const auto tokenizer = read(file);
        if (!tokenizer) continue;
        const auto ids = tokenizer->encode(kText, SpecialTokens::recognised);
        if (!ids) continue;
        for (const TokenId id : *ids) CHECK(id < tokenizer->size(), "every id is a token's");
    }
    return 0;
}
