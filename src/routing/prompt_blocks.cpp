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

constexpr std::size_t kWord = sizeof(std::uint64_t);

// For every hash another word gives another result, and for every word another hash does. What is
// left of the mixing is done once, when the lanes are folded together.
std::uint64_t take_word(std::uint64_t hash, const char* word) {
    std::uint64_t value = 0;
    std::memcpy(&value, word, kWord);
    std::uint64_t product = (hash ^ value) * kGolden;
    // Kept apart from the other lanes: vector instructions multiply 64 bits in many steps.
    __asm__("" : "+r"(product));
    return product ^ (product >> 32);
}

std::uint64_t hash_bytes(std::uint64_t seed, std::string_view bytes) {
    WordHash hash(fold(seed ^ kPi, bytes.size() ^ kGolden));
    const std::size_t whole = bytes.size() / kWord * kWord;
    hash.add(bytes.substr(0, whole));
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data() + whole, bytes.size() - whole);
    return fold(hash.value() ^ rest ^ kPi, kGolden);
}

}  // namespace

WordHash::WordHash(std::uint64_t seed) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes_[lane] = seed + lane * kPi;
}

void WordHash::add(std::string_view words) {
    const char* at = words.data();
    const char* const end = at + words.size();
    for (; next_ != 0 && at != end; at += kWord) {
        lanes_[next_] = take_word(lanes_[next_], at);
        next_ = (next_ + 1) % kLanes;
    }
    static_assert(kLanes == 4, "as many variables, which stay in registers");
    auto [first, second, third, fourth] = lanes_;
    const auto room = static_cast<std::size_t>(end - at) / (kLanes * kWord) * (kLanes * kWord);
    for (const char* const stop = at + room; at != stop; at += kLanes * kWord) {
        first = take_word(first, at);
        second = take_word(second, at + kWord);
        third = take_word(third, at + 2 * kWord);
        fourth = take_word(fourth, at + 3 * kWord);
    }
    lanes_ = {first, second, third, fourth};
    for (; at != end; at += kWord) {
        lanes_[next_] = take_word(lanes_[next_], at);
        next_ = (next_ + 1) % kLanes;
    }
}

std::uint64_t WordHash::value() const {
    std::uint64_t value = lanes_[0];
    for (std::size_t lane = 1; lane < kLanes; ++lane) value = fold(value ^ lanes_[lane], kGolden);
    return value;
}

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
    hash_ = WordHash(fold(last_ ^ kPi, kBlockBytes ^ kGolden));
    in_block_ = 0;
}

void PromptHasher::add_words(std::string_view words) {
    static_assert(kBlockBytes % kWord == 0, "a block is made of whole words");
    while (!words.empty() && chain_.size() < kBlocksMax) {
        const std::size_t taken = std::min(words.size(), kBlockBytes - in_block_);
        hash_.add(words.substr(0, taken));
        words.remove_prefix(taken);
        in_block_ += taken;
        if (in_block_ < kBlockBytes) return;
        last_ = fold(hash_.value() ^ kPi, kGolden);
        chain_.push_back(last_);
        begin_block();
    }
}

void PromptHasher::add(std::string_view text) {
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

BlockHash PromptHasher::digest() const {
    const std::uint64_t mask = (std::uint64_t{1} << (8 * in_word_)) - 1;  // a word is never whole
    const BlockHash rest = chain_block(hash_.value(), word_ & mask);
    return chain_block(chain_block(last_, rest), in_block_ + in_word_);
}

std::vector<BlockHash> salted(std::vector<BlockHash> chain, BlockHash salt) {
    for (BlockHash& block : chain) block = chain_block(salt, block);
    return chain;
}

}  // namespace penstock::routing
