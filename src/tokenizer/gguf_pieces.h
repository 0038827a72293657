// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace penstock::tokenizer {

// The patterns behind a name of tokenizer.ggml.pre, applied one after another; empty: not known.
std::span<const char* const> gguf_patterns(std::string_view name);
// Whether a piece that is a token is taken as it is, without merges.
bool gguf_takes_whole_pieces(std::string_view name);

}  // namespace penstock::tokenizer
