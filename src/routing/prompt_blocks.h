// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace penstock::routing {

// A prompt is compared in blocks of this many tokens, or of this many bytes where no tokenizer is
// known.
constexpr std::int64_t kBlockTokens = 512;
constexpr std::int64_t kBytesPerToken = 4;
constexpr std::size_t kBlockBytes = kBlockTokens * kBytesPerToken;
constexpr std::size_t kBlocksMax = 8192;  // of one prompt; what lies behind is not compared

// Never 0, which stands for a length that is not known.
constexpr std::int64_t estimated_tokens(std::int64_t prompt_bytes) {
    return std::max<std::int64_t>(1, prompt_bytes / kBytesPerToken);
}

// Names a block together with everything before it: equal hashes mean equal beginnings.
using BlockHash = std::uint64_t;

// What one block adds to the chain; `previous` of the first block is salt_of().
BlockHash chain_block(BlockHash previous, std::string_view content);
BlockHash chain_block(BlockHash previous, std::uint64_t content);
// Of the first block: prompts of two tenants, or for two models, never share a block.
BlockHash salt_of(std::string_view tenant, std::string_view model);

// Cuts a text that arrives in pieces into blocks; the last, unfinished block has no hash. Where the
// pieces are cut does not matter.
//     PromptHasher hasher(salt_of(tenant, model));
//     hasher.add(tools); hasher.add(messages);
//     std::vector<BlockHash> chain = std::move(hasher).finish();
class PromptHasher {
  public:
    explicit PromptHasher(BlockHash salt) : last_(salt) {}
    void add(std::string_view text);
    std::vector<BlockHash> finish() && { return std::move(chain_); }

  private:
    void close_block(std::string_view block);

    BlockHash last_;
    std::vector<BlockHash> chain_;
    std::vector<char> rest_;  // of the unfinished block, less than kBlockBytes
};

}  // namespace penstock::routing
