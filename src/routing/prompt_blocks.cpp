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

void PromptHasher::close_block(std::string_view block) {
    last_ = chain_block(last_, block);
    chain_.push_back(last_);
}

void PromptHasher::add(std::string_view text) {
    while (!text.empty() && chain_.size() < kBlocksMax) {
        if (rest_.empty() && text.size() >= kBlockBytes) {
            close_block(text.substr(0, kBlockBytes));
            text.remove_prefix(kBlockBytes);
            continue;
        }
        const std::size_t taken = std::min(text.size(), kBlockBytes - rest_.size());
        rest_.insert(rest_.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(taken));
        text.remove_prefix(taken);
        if (rest_.size() < kBlockBytes) return;
        close_block({rest_.data(), rest_.size()});
        rest_.clear();
    }
}

}  // namespace penstock::routing
