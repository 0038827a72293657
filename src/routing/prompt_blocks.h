// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
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

// A hash of whole words in four lanes, each of every fourth word: the processor need not wait for
// one product before it begins the next.
class WordHash {
  public:
    explicit WordHash(std::uint64_t seed = 0);
    // Of whole words only.
    void add(std::string_view words);
    std::uint64_t value() const;

  private:
    static constexpr std::size_t kLanes = 4;
    std::array<std::uint64_t, kLanes> lanes_;
    std::size_t next_ = 0;  // the lane of the next word
};

// Cuts a text that arrives in pieces into blocks; the last, unfinished block has no hash. Where the
// pieces are cut does not matter. Nothing of the text is kept.
//     PromptHasher hasher;
//     hasher.add(tools); hasher.add(messages);
//     std::vector<BlockHash> chain = salted(std::move(hasher).finish(), salt_of(tenant, model));
class PromptHasher {
  public:
    explicit PromptHasher(BlockHash first = 0) : last_(first) { begin_block(); }
    void add(std::string_view text);
    // In place of bytes that are no text: an image, a sound.
    void add_digest_of(std::string_view bytes);
    // Names all that was added, the unfinished block as well.
    BlockHash digest() const;
    std::vector<BlockHash> finish() && { return std::move(chain_); }

  private:
    void begin_block();
    void add_words(std::string_view words);

    BlockHash last_;
    std::vector<BlockHash> chain_;
    WordHash hash_;             // of the unfinished block
    std::size_t in_block_ = 0;  // bytes of it that are in the hash
    std::uint64_t word_ = 0;    // and those that make no whole word yet
    std::size_t in_word_ = 0;
};
// The same chain for one tenant, model and set of tools alone: as if the salt stood before it all.
std::vector<BlockHash> salted(std::vector<BlockHash> chain, BlockHash salt);

}  // namespace penstock::routing
