// SPDX-License-Identifier: Apache-2.0
#include "routing/prompt_blocks.h"

#include <algorithm>
#include <cstring>

namespace penstock::routing {
namespace {

// Odd constants with well spread bits (of the golden ratio and of π).
constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;
constexpr std::uint64_t kPi = 0x243F6A8885A308D3ULL;

// The two halves of a full product, folded: every bit of both factors reaches every bit of the
// result. Not for secrets; a tenant that forces collisions reaches its own blocks only.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_bytes(std::uint64_t seed, std::string_view bytes) {
    std::uint64_t hash = fold(seed ^ kPi, bytes.size() ^ kGolden);
    while (bytes.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        hash = fold(hash ^ word, kGolden);
        bytes.remove_prefix(sizeof word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data(), bytes.size());
    return fold(hash ^ rest ^ kPi, kGolden);
}

}  // namespace

BlockHash chain_block(BlockHash previous, std::string_view content) {
    return hash_bytes(previous, content);
}

BlockHash chain_block(BlockHash previous, std::uint64_t content) {
    return fold(fold(previous ^ kPi, kGolden) ^ content, kGolden);
}

BlockHash salt_of(std::string_view tenant, std::string_view model) {
    return hash_bytes(hash_bytes(kGolden, tenant), model);
}

// As hash_bytes() has it for a block of kBlockBytes.
void PromptHasher::begin_block() {
    hash_ = fold(last_ ^ kPi, kBlockBytes ^ kGolden);
    in_block_ = 0;
}

void PromptHasher::add_words(std::string_view words) {
    static_assert(kBlockBytes % sizeof(std::uint64_t) == 0, "a block is made of whole words");
    while (!words.empty() && chain_.size() < kBlocksMax) {
        std::uint64_t word = 0;
        std::memcpy(&word, words.data(), sizeof word);
        words.remove_prefix(sizeof word);
        hash_ = fold(hash_ ^ word, kGolden);
        in_block_ += sizeof word;
        if (in_block_ < kBlockBytes) continue;
        last_ = fold(hash_ ^ kPi, kGolden);
        chain_.push_back(last_);
        begin_block();
    }
}

void PromptHasher::add(std::string_view text) {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    if (in_word_ > 0) {
        const std::size_t taken = std::min(text.size(), kWord - in_word_);
        std::memcpy(reinterpret_cast<char*>(&word_) + in_word_, text.data(), taken);
        in_word_ += taken;
        text.remove_prefix(taken);
        if (in_word_ < kWord) return;
        add_words({reinterpret_cast<const char*>(&word_), kWord});
        in_word_ = 0;
    }
    const std::size_t whole = text.size() / kWord * kWord;
    add_words(text.substr(0, whole));
    in_word_ = text.size() - whole;
    std::memcpy(&word_, text.data() + whole, in_word_);
}

void PromptHasher::add_digest_of(std::string_view bytes) {
    const std::uint64_t digest = hash_bytes(kGolden, bytes);
    add({reinterpret_cast<const char*>(&digest), sizeof digest});
}

std::vector<BlockHash> salted(std::vector<BlockHash> chain, BlockHash salt) {
    for (BlockHash& block : chain) block = chain_block(salt, block);
    return chain;
}

}  // namespace penstock::routing
